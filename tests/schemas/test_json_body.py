"""The strict reader: refuses whatever two parsers could read differently."""

import json
from decimal import Decimal

import pytest

from service.errors import InvalidRequest
from service.schemas.json_body import MAX_DEPTH, read_json, read_json_exact


def nested(levels: int) -> bytes:
    """An object of so many levels."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_body_is_read_as_json_reads_it() -> None:
    raw = '{"a": [1, 2.5, -3e2, true, null, "ä€😀", "\\ud83d\\ude00"], "b": {"c": {}}}'.encode()
    assert read_json(raw) == json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "line 1 column 1"),
        (b'{"a": }', "line 1 column 7"),
        (b'{"a": 1,}', "line 1 column"),
        (b"{'a': 1}", "line 1 column 2"),
        (b'{"a": 1} x', "Extra data at line 1 column 10"),
        (b'{"a": 1}{"a": 1}', "Extra data"),
        (b'\xef\xbb\xbf{"a": 1}', "line 1 column 1"),
        (b"[1]", "top level must be an object"),
        (b'"text"', "top level must be an object"),
        (b"null", "top level must be an object"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": 1, "b": 2, "a": 1}', "duplicate key 'a'"),
        (b'{"x": [{"deep": {"k": 1, "k": 2}}]}', "duplicate key 'k'"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": [Infinity]}', "Infinity is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b'{"a": -1e999}', "-1e999 is too large"),
        (b'{"a": ' + b"9" * 4301 + b"}", "more digits"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\uDC00 key": 1}', "half of a surrogate pair"),
        (b'{"a": "tab\there"}', "Invalid control character"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
        (nested(100_000), "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
    ],
)
def test_ambiguous_or_broken_body_is_refused_and_told_why(raw: bytes, says: str) -> None:
    for read in (read_json, read_json_exact):
        if read is read_json_exact and b"1e999" in raw:
            continue  # a Decimal holds it
        with pytest.raises(InvalidRequest) as refusal:
            read(raw)
        assert (refusal.value.status, refusal.value.code) == (400, "invalid_json")
        assert says in refusal.value.message


def test_body_at_the_depth_limit_is_read() -> None:
    assert read_json(nested(MAX_DEPTH))


def test_many_brackets_are_not_depth() -> None:
    body = read_json(b'{"a": [' + b",".join([b"[{}]"] * 5000) + b'], "b": "[[[[{{{{"}')
    assert len(body["a"]) == 5000


def test_escaped_text_that_only_looks_like_a_surrogate_is_read() -> None:
    assert read_json(rb'{"a": "\\ud800"}') == {"a": r"\ud800"}


def test_exact_reader_keeps_every_digit_of_money() -> None:
    body = read_json_exact(b'{"a": 0.1, "b": 5, "c": 1e2, "d": [0.100000000000000000001]}')
    assert body == {
        "a": Decimal("0.1"),
        "b": 5,
        "c": Decimal("1E+2"),
        "d": [Decimal("0.100000000000000000001")],
    }
    assert type(body["b"]) is int


def test_exact_reader_refuses_an_exponent_beyond_decimal() -> None:
    with pytest.raises(InvalidRequest, match="too large"):
        read_json_exact(b'{"a": 1e99999999999999999999}')
