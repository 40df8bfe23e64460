"""Counting tokens, with the vocabularies inside bpe-openai: nothing is downloaded.

`counted_input_tokens` follows OpenAI's own recipe for chat messages (3 a message, 1 a name, 3 for
the reply's primer), https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import bpe_openai
from bpe_openai import _bindings

# Where the upstream's tokenizer is not known, a count (not a bound) is made with this one.
COUNTING_ENCODING = "o200k_base"

TOKENS_PER_MESSAGE = 3
TOKENS_PER_NAME = 1
TOKENS_FOR_REPLY = 3
# What may stand around a string where it is put into a prompt.
TOKENS_PER_STRING = 2

# Models before gpt-4o; everything newer speaks o200k_base.
_CL100K = re.compile(r"^(ft:)?(gpt-3\.5|gpt-35|gpt-4(?![.o])|text-embedding|babbage-002|davinci-002)")


def encoding_name(model: str) -> str:
    return "cl100k_base" if _CL100K.match(model.lower()) else "o200k_base"


@lru_cache(maxsize=8)
def _tokenizer(encoding: str) -> Any:
    return _bindings.tokenizer_for_encoding(encoding)


@lru_cache(maxsize=8)
def _encoding(encoding: str) -> Any:
    return bpe_openai.get_encoding(encoding)


def count_tokens(text: str, encoding: str | None) -> int:
    """Tokens of a text; bytes where the encoding is not known (no tokenizer makes more)."""
    text = text.encode("utf-8", "replace").decode()
    return len(text.encode()) if encoding is None else int(_tokenizer(encoding).count(text))


def count_at_most(text: str, encoding: str | None, most: int | None) -> int:
    """As count_tokens, but stops at `most`: a hostile megabyte costs no more than it can use."""
    if most is None or encoding is None:
        return min(count_tokens(text, encoding), most or 2**53)
    text = text.encode("utf-8", "replace").decode()
    counted = _tokenizer(encoding).count_till_limit(text, most)
    return most if counted is None else int(counted)


def token_pieces(text: str, encoding: str) -> list[tuple[int, bytes]]:
    """Each token's number and its bytes."""
    # Its `Encoding` refuses long texts; the tokenizer under it is linear and does not.
    text = text.encode("utf-8", "replace").decode()
    coder = _encoding(encoding)
    return [(token, coder.decode_single_token_bytes(token)) for token in _tokenizer(encoding).encode(text)]


def counted_input_tokens(body: dict[str, Any], encoding: str | None) -> int:
    """The input tokens of a chat body by OpenAI's recipe: an estimate near the truth, not a bound.

    Content that is no text (images, files, audio) is not in it.
    """
    total = TOKENS_FOR_REPLY
    for message in body.get("messages") or ():
        total += TOKENS_PER_MESSAGE
        total += sum(count_tokens(text, encoding) for text in _texts(message))
        total += TOKENS_PER_NAME if message.get("name") else 0
    for extra in ("tools", "functions", "response_format"):
        if body.get(extra):
            total += count_tokens(
                json.dumps(body[extra], separators=(",", ":"), ensure_ascii=False), encoding
            )
    return total


def most_text_tokens(fields: dict[str, Any], encoding: str | None, most: int | None) -> int:
    """The most tokens a body's text can be, up to `most`.

    Counted twice: as JSON, with its syntax and names, and string by string as a model gets them. JSON's
    escapes can make fewer tokens than the characters they stand for, so neither alone is a bound.
    """
    as_json = count_at_most(json.dumps(fields, ensure_ascii=False), encoding, most)
    if encoding is None or as_json == most:
        return as_json
    by_string = sum(count_at_most(text, encoding, most) + TOKENS_PER_STRING for text in texts_of(fields))
    return max(as_json, by_string if most is None else min(by_string, most))


def texts_of(value: Any) -> Iterator[str]:
    """Every string in a JSON value, but for names and for what `type` says."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for member in value:
            yield from texts_of(member)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name != "type":
                yield from texts_of(member)


def _texts(message: dict[str, Any]) -> Iterator[str]:
    """Every text of a message, wherever it stands; pictures, files and sound are none."""
    content = message.get("content")
    if isinstance(content, list):
        content = [part for part in content if part.get("type") not in ("image_url", "file", "input_audio")]
    return texts_of({**message, "content": content})


def warm_up() -> None:
    """Load the vocabularies now, so that no request waits for them."""
    for encoding in ("o200k_base", "cl100k_base"):
        _tokenizer(encoding)
