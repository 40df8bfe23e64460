"""What completions and embeddings read: a text or several, each also as token ids."""

from typing import Any, NamedTuple

from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.tokens import count_tokens, encoding_of

MAX_PROMPTS = 2048


class Prompt(NamedTuple):
    """One text, and how many tokens the provider counts for it."""

    text: str
    tokens: int


def read_prompts(value: Any, model: str, field: str) -> list[Prompt]:
    """All prompts of a request; `field` is where they stand in it. Raises Refusal (400)."""
    if _is_one(value):
        return [_read(value, model)]
    if isinstance(value, list) and 0 < len(value) <= MAX_PROMPTS and all(_is_one(each) for each in value):
        return [_read(each, model) for each in value]
    raise Refusal(f"'{field}' must be a text, token ids, or a list of either.", param=field)


def _is_one(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(type(token) is int and token >= 0 for token in value)
    return isinstance(value, str)


def _read(value: Any, model: str) -> Prompt:
    if isinstance(value, str):
        return Prompt(value, count_tokens(value, model))
    try:
        pieces = [encoding_of(model).decode_single_token_bytes(token) for token in value]
    except (KeyError, ValueError, OverflowError):
        raise Refusal("One of the token ids is not of this model's vocabulary.") from None
    return Prompt(b"".join(pieces).decode(errors="replace"), len(value))
