"""Counting tokens as OpenAI's cookbook does: per message, with what is no text at a fixed number.

Source: "How to count tokens with tiktoken" in the OpenAI cookbook, `num_tokens_from_messages`.
"""

import codecs
import json
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import bpe_openai

TOKENS_PER_MESSAGE = 3
TOKENS_PER_NAME = 1
REPLY_PRIMER_TOKENS = 3
IMAGE_TOKENS = 85
AUDIO_TOKENS = 100
FILE_TOKENS = 500
PART_TOKENS = {"image_url": IMAGE_TOKENS, "input_audio": AUDIO_TOKENS, "file": FILE_TOKENS}

# The encoder refuses a million characters at once.
_LONGEST_TEXT = 900_000


class Piece(NamedTuple):
    """Some text and how many tokens it is: one, or more where one token is no whole character."""

    text: str
    tokens: int


def encoding_of(model: str) -> bpe_openai.Encoding:
    """The encoding of a model, loaded once."""
    name = model.removeprefix("ft:")
    is_old = name.startswith(("gpt-3.5", "gpt-35", "gpt-4", "text-embedding", "babbage-002", "davinci-002"))
    is_new = name.startswith(("gpt-4o", "gpt-4.1", "gpt-4.5"))
    return load_encoding("cl100k_base" if is_old and not is_new else "o200k_base")


@cache
def load_encoding(name: str) -> bpe_openai.Encoding:
    return bpe_openai.get_encoding(name)


def count_tokens(text: str, model: str) -> int:
    encoding = encoding_of(model)
    starts = range(0, len(text), _LONGEST_TEXT)
    return sum(len(encoding.encode_ordinary(text[at : at + _LONGEST_TEXT])) for at in starts)


def split_tokens(text: str, model: str) -> Iterator[Piece]:
    """The text token by token; joined, the pieces are the text and their tokens its count."""
    encoding = encoding_of(model)
    decoder = codecs.getincrementaldecoder("utf-8")()
    waiting = 0
    for token in encoding.encode_ordinary(text):
        waiting += 1
        if whole := decoder.decode(encoding.decode_single_token_bytes(token)):
            yield Piece(whole, waiting)
            waiting = 0


class PromptTokens(NamedTuple):
    """What a prompt counts; `audio` is the part of `total` that is audio."""

    total: int
    audio: int


def count_chat_prompt(body: dict[str, Any]) -> PromptTokens:
    """Count the messages and tools of a chat completion request."""
    model, messages = body["model"], body["messages"]
    total = REPLY_PRIMER_TOKENS + sum(_count_message(message, model) for message in messages)
    for field in ("tools", "functions"):
        if body.get(field):
            total += count_tokens(_compact(body[field]), model)
    parts = (part for message in messages for part in _parts_of(message))
    audio = sum(AUDIO_TOKENS for part in parts if part.get("type") == "input_audio")
    return PromptTokens(total, audio)


def _count_message(message: dict[str, Any], model: str) -> int:
    names = TOKENS_PER_NAME if message.get("name") else 0
    return TOKENS_PER_MESSAGE + names + sum(_count_value(value, model) for value in message.values())


def _count_value(value: Any, model: str) -> int:
    if value is None:
        return 0
    if isinstance(value, str):
        return count_tokens(value, model)
    if isinstance(value, list):
        return sum(_count_part(part, model) for part in value)
    return count_tokens(_compact(value), model)


def _count_part(part: Any, model: str) -> int:
    """A content part, or an entry of another list, such as a tool call."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in PART_TOKENS:
        return PART_TOKENS[kind]
    if kind in ("text", "refusal"):
        return count_tokens(str(part.get(kind, "")), model)
    return count_tokens(_compact(part), model)


def _parts_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
