"""Completions and embeddings between a real caller and a scripted upstream: bytes, and odd answers."""

import json
from typing import Any

import pytest

from tests.flow.conftest import Books
from tests.flow.raw_upstream import RawUpstream, Wire
from tests.flow.scripts import DONE, answer, event, stream
from tests.harness import Caller

# davinci-002: $2 per million tokens, either way.
NANO = 2_000
EMBEDDED = b'{"object":"list",  "data":[{"object":"embedding","index":0,"embedding":[0.10,1e-3]}],"model":"e"'


def chunk(text: str, index: int = 0, finish_reason: str | None = None) -> bytes:
    choice = {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}
    return event({"object": "text_completion", "model": "davinci-002", "choices": [choice], "usage": None})


def complete(caller: Caller, **fields: Any) -> Any:
    return caller.post("/v1/completions", {"model": "davinci-002", "prompt": "Listen to your", **fields})


def with_usage(**usage: Any) -> bytes:
    return event({"model": "davinci-002", "choices": [], "usage": usage})


def test_the_callers_bytes_go_up_and_the_upstreams_come_down(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    answered = EMBEDDED + b',"usage":{"prompt_tokens":2,"total_tokens":2}}'
    upstream.plays(answer(answered))
    raw = b'{"input": [ "\\u00e9" ],"model":"text-embedding-3-small", "later": 1.0}'
    headers = {"authorization": f"Bearer {caller.secret}", "content-type": "application/json"}
    reply = caller.service.request("POST", "/v1/embeddings", body=raw, headers=headers)
    assert (reply.status, reply.data) == (200, answered)
    assert upstream.requests[0].body == raw
    assert upstream.requests[0].line == "POST /v1/embeddings HTTP/1.1"
    assert books.of(caller).spent == 2 * 20


def test_a_moderation_passes_untouched(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    answered = b'{"id": "modr-1",  "results": []}'
    upstream.plays(answer(answered, x_request_id="req_1", openai_organization="theirs"))
    raw = b'{"input" : "a", "later": [1.0]}'
    headers = {"authorization": f"Bearer {caller.secret}", "content-type": "application/json"}
    reply = caller.service.request("POST", "/v1/moderations", body=raw, headers=headers)
    assert (reply.status, reply.data, reply.headers["x-request-id"]) == (200, answered, "req_1")
    assert "openai-organization" not in reply.headers
    assert upstream.requests[0].body == raw
    assert upstream.requests[0].header("authorization") == "Bearer sk-upstream"
    assert books.of(caller).is_untouched


def test_a_cap_nobody_named_is_named_to_an_upstream_that_is_not_openai(
    caller: Caller, upstream: RawUpstream
) -> None:
    upstream.plays(answer({"choices": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}}))
    assert complete(caller).status == complete(caller, model="cheap-local").status == 200
    assert "max_tokens" not in upstream.requests[0].json()
    assert upstream.requests[1].json()["max_tokens"] == 16


def test_usage_is_asked_for_and_kept_from_who_did_not_ask(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    upstream.plays(stream(chunk("a"), with_usage(**usage), DONE))
    reply = complete(caller, stream=True)
    assert reply.data == chunk("a") + DONE
    assert upstream.requests[0].json()["stream_options"] == {"include_usage": True}
    assert books.of(caller).spent == 4 * NANO


def test_a_usage_without_output_is_one(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    upstream.plays(answer({"choices": [], "usage": {"prompt_tokens": 3, "total_tokens": 5}}))
    assert complete(caller).headers["x-spendgate-cost-usd"] == "0.000010000"
    assert books.of(caller).row["usage_source"] == "provider"


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": 3}, {"prompt_tokens": 3, "total_tokens": 2}, {"prompt_tokens": "3"}],
)
def test_an_answer_without_a_usable_usage_is_counted(
    caller: Caller, upstream: RawUpstream, books: Books, usage: Any
) -> None:
    choices = [{"text": " heart", "index": 0}, {"text": " heart", "index": "x"}, 5]
    upstream.plays(answer({"choices": choices, "usage": usage}))
    assert complete(caller, n=2).status == 200
    entry = books.of(caller)
    # 3 tokens in and one of each choice, 5 % on top.
    assert entry.spent == 5 * NANO * 105 // 100
    assert entry.row["usage_source"] == "counted"


@pytest.mark.parametrize(
    ("pieces", "output"),
    [
        # Two prompts of three tokens, two choices of each; what an echo was cut in has put nothing out.
        ([chunk("Listen to your", 0), chunk(" heart", 0)], 1),
        ([chunk("Listen", 3)], 0),
        ([chunk("Listen to your", i) for i in range(4)] + [chunk(" heart", i) for i in (0, 3)], 2),
        ([chunk("Listen to your", 9)], 3),
    ],
)
def test_an_echo_is_not_charged_where_a_stream_is_cut(
    caller: Caller, upstream: RawUpstream, books: Books, pieces: list[bytes], output: int
) -> None:
    def cut(wire: Wire) -> None:
        wire.stream_head()
        for piece in pieces:
            wire.chunk(piece)
        wire.close()

    upstream.plays(cut)
    reply = complete(caller, prompt=["Listen to your"] * 2, n=2, echo=True, stream=True)
    last = json.loads(reply.data.removesuffix(b"\n\n").split(b"data: ")[-1])
    assert last["error"]["code"] == "upstream_stream_cut"
    assert books.of(caller).spent == -(-(6 + output) * NANO * 105 // 100)


@pytest.mark.parametrize("body", [b"[1]", b'{"data": "x"', b"\xff"])
def test_an_answer_that_makes_no_sense_is_booked_at_its_hold(
    caller: Caller, upstream: RawUpstream, books: Books, body: bytes
) -> None:
    upstream.plays(answer(body))
    assert caller.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"}).data == body
    row = books.of(caller).row
    assert row["cost_usd"] == row["bound_usd"]
