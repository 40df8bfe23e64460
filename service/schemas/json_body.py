"""The strict JSON reader: what it returns means the same to us and to every other reader.

A body that two parsers could read differently (duplicate keys, NaN, numbers that overflow) could be bounded
as one thing and billed as another, so it is refused. Built on the stdlib's C scanner: 4 us for a chat body.
"""

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from service.errors import InvalidRequest

MAX_DEPTH = 128
# More than any real body has; a hundred thousand times "[]," would keep a worker busy for seconds.
MAX_CONTAINERS = 100_000
MAX_MEMBERS = 300_000
_HALF_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class _Refusal(ValueError):
    """What is wrong, in words for the caller."""


def read_json(raw: bytes) -> dict[str, Any]:
    """Read a body: one UTF-8 JSON object. Raises InvalidRequest (`invalid_json`) with what and where."""
    return _read(raw, _DECODER)


def read_json_exact(raw: bytes) -> dict[str, Any]:
    """As `read_json`, with Decimals where others have floats: bodies that carry money."""
    return _read(raw, _EXACT_DECODER)


def _read(raw: bytes, decoder: json.JSONDecoder) -> dict[str, Any]:
    if raw.count(b"{") + raw.count(b"[") > MAX_CONTAINERS or raw.count(b'":') > MAX_MEMBERS:
        raise InvalidRequest("The request body holds too many values.", code="invalid_value")
    try:
        body = decoder.decode(raw.decode("utf-8"))
        _require_sound(raw, body)
    except UnicodeDecodeError as error:
        raise _invalid(f"it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _invalid(f"{error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise _invalid(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except _Refusal as refusal:
        raise _invalid(str(refusal)) from None
    except ValueError:
        raise _invalid("it holds an integer of more digits than can be read") from None
    return body  # type: ignore[no-any-return]


def _require_sound(raw: bytes, body: Any) -> None:
    """What the scanner lets through: another top level, depth, and halves of surrogate pairs."""
    if type(body) is not dict:
        raise _Refusal("the top level must be an object")
    # Counting brackets is far cheaper than walking; text in strings can only raise the count.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _deeper_than(MAX_DEPTH, body):
        raise _Refusal(f"it is nested deeper than {MAX_DEPTH} levels")
    if _HALF_SURROGATE.search(raw):
        _require_whole_characters(body)


def _deeper_than(levels: int, value: Any) -> bool:
    if levels == 0:
        return True
    members = value.values() if type(value) is dict else value
    return any(type(each) in (dict, list) and _deeper_than(levels - 1, each) for each in members)


def _require_whole_characters(body: Any) -> None:
    """A lone surrogate is no character: it can be neither counted nor sent on as UTF-8."""
    try:
        json.dumps(body, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise _Refusal("a \\u escape is half of a surrogate pair") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Refusal(f"duplicate key {twice[:40]!r}")
    return members


def _constant(text: str) -> NoReturn:
    raise _Refusal(f"{text} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refusal(f"the number {text[:40]} is too large")
    return number


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _Refusal(f"the number {text[:40]} is too large") from None


def _invalid(why: str) -> InvalidRequest:
    return InvalidRequest(f"The request body is not valid JSON: {why}.", code="invalid_json")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
_EXACT_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_decimal)
