"""POST /v1/tokens: what a text is made of, for nothing."""

import base64
import json
from typing import Any

import pytest

from tests.flow.conftest import Books
from tests.flow.raw_upstream import RawUpstream
from tests.harness import HELLO, Caller


def count(caller: Caller, **fields: Any) -> dict[str, Any]:
    reply = caller.post("/v1/tokens", {"model": "gpt-4o-mini", **fields})
    assert reply.status == 200, reply.data
    counted: dict[str, Any] = json.loads(reply.data)
    return counted


def test_the_end_has_three_tokens(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    counted = count(caller, input="The End.")
    assert [token["text"] for token in counted["tokens"]] == ["The", " End", "."]
    assert all(type(token["id"]) is int and "bytes" not in token for token in counted["tokens"])
    assert counted | {"tokens": []} == {
        "object": "token_count",
        "model": "gpt-4o-mini",
        "encoding": "o200k_base",
        "count": 3,
        "tokens": [],
        "input_cost_usd": "0.000000450",
    }
    assert books.of(caller).is_untouched
    assert upstream.requests == []


def test_older_models_have_their_own_encoding(caller: Caller) -> None:
    assert count(caller, model="gpt-4", input="The End.")["encoding"] == "cl100k_base"


def test_a_piece_that_is_no_whole_character_has_its_bytes(caller: Caller) -> None:
    text = "🧑🏽‍🚀 œuvre 🎸 鿿"
    tokens = count(caller, input=text)["tokens"]
    torn = [token for token in tokens if "bytes" in token]
    assert torn
    assert all("�" in token["text"] for token in torn)
    whole = b"".join(bytes(token.get("bytes") or token["text"].encode()) for token in tokens)
    assert whole.decode() == text


def test_messages_count_their_overhead_and_list_no_tokens(caller: Caller) -> None:
    counted = count(caller, messages=HELLO)
    assert counted["count"] == 10
    assert "tokens" not in counted
    assert counted["input_cost_usd"] == "0.000001500"


def test_no_text_has_no_tokens(caller: Caller) -> None:
    counted = count(caller, input="")
    assert (counted["count"], counted["tokens"], counted["input_cost_usd"]) == (0, [], "0.000000000")


def test_a_long_hostile_text_is_counted_soon(caller: Caller) -> None:
    text = "a" * 200_000 + base64.b64encode(bytes(range(256)) * 200).decode()
    counted = count(caller, input=text)
    assert counted["count"] == len(counted["tokens"])
    assert "".join(token["text"] for token in counted["tokens"]) == text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": 5}, "input"),
        ({"input": "x", "messages": HELLO}, "messages"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"input": "x", "model": "gpt-x"}, "model"),
    ],
)
def test_what_cannot_be_counted_is_refused(caller: Caller, fields: dict[str, Any], param: str) -> None:
    reply = caller.post("/v1/tokens", {"model": "gpt-4o-mini", **fields})
    assert (reply.status, json.loads(reply.data)["error"]["param"]) == (400, param)
