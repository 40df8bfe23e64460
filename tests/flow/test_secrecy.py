"""What is nobody else's business: not in the log, not in an error, whatever goes wrong."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from service.ledger import names
from service.wiring import Stores
from tests.flow.raw_upstream import RawUpstream, Wire
from tests.flow.scripts import DONE, answer, completion, delta, refusal, stream, usage_event
from tests.harness import ADMIN_KEY, Caller, Service, eventually

PROMPT = "prompt-that-nobody-may-read"
REPLY = "reply-that-nobody-may-read"
WORDS = "words-of-the-upstream"
MESSAGES = [{"role": "user", "content": PROMPT}]


@pytest.fixture
def broken_key(service: Service, stores: Stores) -> Iterator[Caller]:
    """A key whose record was damaged: every call with it is a crash of ours."""
    caller = service.new_key()
    record = names.key(caller.id[4], caller.id)
    stores.client.hset(record, "timezone", "Mars/Phobos")
    yield caller
    stores.client.hset(record, "timezone", "UTC")


def test_a_crash_of_ours_shows_its_request_id_and_nothing_else(
    broken_key: Caller, upstream: RawUpstream
) -> None:
    reply = broken_key.chat(messages=MESSAGES)
    error = json.loads(reply.data)["error"]
    assert (reply.status, error["code"], error["type"]) == (500, "internal_error", "server_error")
    assert reply.headers["x-spendgate-error-source"] == "spendgate"
    request_id = reply.headers["x-spendgate-request-id"]
    assert error["message"] == f"Something went wrong here; the request id is {request_id}."
    assert upstream.requests == []


def cut(wire: Wire) -> None:
    wire.stream_head()
    wire.chunk(delta(REPLY))
    wire.reset()


SAID = [
    answer(completion(REPLY)),
    stream(delta(REPLY), usage_event(), DONE),
    cut,
    answer(refusal(f"{WORDS} {PROMPT}"), 400),
    answer(refusal(f"Incorrect API key provided: sk-upstream {WORDS}"), 401),
    answer(f"<html>{WORDS}".encode(), 500, content_type="text/html"),
    lambda wire: wire.reset(),
]


def test_secrets_prompts_and_replies_are_never_logged(
    service: Service, caller: Caller, broken_key: Caller, upstream: RawUpstream
) -> None:
    bodies: list[dict[str, Any]] = [
        {},
        {"stream": True},
        {"user": PROMPT, "n": "5"},
        {"model": PROMPT},
        {PROMPT: PROMPT},
        {"max_tokens": 10_000_000, "model": "gpt-4"},
    ]
    for said in SAID:
        for fields in bodies:
            upstream.plays(said)
            caller.chat(messages=MESSAGES, **fields)
    upstream.plays(answer(completion(REPLY)))
    few = {"model": "gpt-4o-mini", "prompt": PROMPT, "examples": [{"user": PROMPT, "assistant": REPLY}]}
    caller.post("/v1/continuations", {**few, "rounds": 2})
    caller.post("/v1/continuations", {**few, "stream": True})
    caller.post("/v1/tokens", {"model": "gpt-4o-mini", "input": PROMPT})
    caller.post("/v1/chat/completions?api_key=" + caller.secret, {})
    crash = broken_key.chat(messages=MESSAGES).headers["x-spendgate-request-id"]

    eventually(lambda: any("internal_error" in line and crash in line for line in service.lines))
    log = "".join(service.lines)
    assert '"event": "request"' in log
    secrets = (caller.secret, caller.secret[7:20], broken_key.secret, ADMIN_KEY, "sk-upstream")
    for hidden in (PROMPT, REPLY, WORDS, *secrets):
        assert hidden not in log


def test_every_request_to_a_model_has_one_line_in_the_log(
    service: Service, caller: Caller, upstream: RawUpstream
) -> None:
    admitted = caller.chat().headers["x-spendgate-request-id"]
    refused = caller.chat(n="5").headers["x-spendgate-request-id"]

    def lines(request_id: str) -> list[Any]:
        return [json.loads(line) for line in list(service.lines) if request_id in line]

    eventually(lambda: bool(lines(refused)))
    (line,) = lines(admitted)
    assert (line["status"], line["usage_source"], line["cost_usd"]) == (200, "provider", "0.000004500")
    assert (line["key_id"], line["model"], line["endpoint"]) == (caller.id, "gpt-4o-mini", "chat.completions")
    (line,) = lines(refused)
    assert (line["status"], line["error"]) == (400, "invalid_type")
