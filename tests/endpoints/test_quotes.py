"""Quotes: what a reserve would take, said without taking it."""

import base64
import io
import json
import secrets
import wave
from typing import Any

import pytest

from service.errors import InsufficientQuota
from service.ledger import names
from service.ledger.holds import Demand
from service.wiring import Stores
from tests.conftest import MakeKey, TakeHold
from tests.endpoints.conftest import error_of
from tests.harness import HELLO, Caller, Sandbox, Service, nano

CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": HELLO}
LYRICS: dict[str, Any] = {"model": "gpt-4o-mini", "prompt": "Listen to your", "rounds": 4, "max_tokens": 15}
# gpt-4o-mini in nano-USD a token: input, cached input, output.
INPUT, CACHED, OUTPUT = 150, 75, 600
IMAGE = "data:image/png;base64," + base64.b64encode(b"png").decode()


@pytest.fixture
def caller(service: Service) -> Caller:
    return service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="5")


def quote(caller: Caller, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = caller.post(f"/v1/quote/{path}", body)
    assert answer.status == 200, answer.data
    told: dict[str, Any] = answer.json()
    assert told.keys() == {
        "object", "admitted", "reason", "min_cost_usd", "max_cost_usd", "input_tokens", "max_output_tokens",
        "remaining_usd",
    }  # fmt: skip
    assert told["object"] == "quote"
    return told


def bound_of_last_row(caller: Caller) -> int:
    rows = caller.service.admin("GET", f"/ledger?key={caller.id}&limit=1000")["data"]
    return nano(rows[-1]["bound_usd"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", CHAT),
        ("chat/completions", CHAT | {"max_tokens": 7, "n": 3}),
        ("chat/completions", CHAT | {"stream": True}),
        ("chat/completions", CHAT | {"something_new": 1}),
        ("chat/completions", {"model": "o3-mini", "messages": HELLO}),
        ("completions", {"model": "gpt-3.5-turbo-instruct", "prompt": ["a", "b"], "best_of": 3}),
        ("embeddings", {"model": "text-embedding-3-small", "input": ["a", "b"]}),
        ("responses", {"model": "gpt-4o-mini", "input": "Listen to your"}),
        ("audio/speech", {"model": "tts-1", "input": "Listen", "voice": "alloy"}),
        ("audio/speech", {"model": "gpt-4o-mini-tts", "input": "Listen", "voice": "alloy"}),
        ("images/generations", {"model": "gpt-image-1", "prompt": "A cat", "size": "1024x1024"}),
        ("continuations", LYRICS | {"rounds": 1}),
    ],
)
def test_most_is_what_the_call_then_holds(caller: Caller, path: str, body: dict[str, Any]) -> None:
    told = quote(caller, path, body)
    assert (told["admitted"], told["reason"], told["remaining_usd"]) == (True, None, "5.000000000")
    answer = caller.post(f"/v1/{path}", body)
    assert answer.status == 200, answer.data
    assert bound_of_last_row(caller) == nano(told["max_cost_usd"])
    assert nano(told["min_cost_usd"]) <= caller.spent() <= nano(told["max_cost_usd"])
    assert caller.spent() > 0


def test_a_quote_leaves_no_trace(caller: Caller, sandbox: Sandbox) -> None:
    before = caller.state()
    for path, body in (("chat/completions", CHAT), ("continuations", LYRICS)):
        quote(caller, path, body)
    assert caller.state() == before
    assert (caller.held(), caller.spent(), sandbox.bill()["requests_seen"]) == (0, 0, 0)
    assert caller.service.admin("GET", f"/ledger?key={caller.id}")["data"] == []


def test_figures_are_the_price_lists(caller: Caller) -> None:
    told = quote(caller, "chat/completions", CHAT | {"max_tokens": 20})
    # OpenAI's recipe: 3 a message, 1 the role, 3 the text, 3 for the reply.
    assert (told["input_tokens"], told["max_output_tokens"]) == (10, 20)
    assert nano(told["min_cost_usd"]) == 10 * CACHED
    length = len(json.dumps(CHAT | {"max_tokens": 20}, separators=(",", ":")))
    assert nano(told["max_cost_usd"]) == (length + 64) * INPUT + 20 * OUTPUT


def test_input_that_is_not_counted_has_no_least(caller: Caller) -> None:
    parts = [{"type": "image_url", "image_url": {"url": IMAGE}}]
    told = quote(caller, "chat/completions", CHAT | {"messages": [{"role": "user", "content": parts}]})
    assert nano(told["min_cost_usd"]) == 0
    assert nano(told["max_cost_usd"]) > 40_000 * INPUT


def test_cap_is_narrowed_as_a_reserve_would(service: Service) -> None:
    caller = service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="0.005")
    told = quote(caller, "chat/completions", CHAT)
    assert told["admitted"]
    # An eighth of the limit.
    assert told["max_output_tokens"] == 5_000_000 // 8 // OUTPUT
    answer = caller.chat()
    assert answer.headers["x-spendgate-max-output-tokens"] == str(told["max_output_tokens"])


def test_refusal_is_told_with_its_reason(service: Service) -> None:
    caller = service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="0.00001")
    told = quote(caller, "chat/completions", CHAT | {"max_tokens": 100})
    assert (told["admitted"], told["reason"]) == (False, "exceeds_remaining")
    assert told["remaining_usd"] == "0.000010000"
    assert told["max_output_tokens"] == 100
    error = error_of(caller.chat(max_tokens=100))
    assert error["details"]["bound_usd"] == told["max_cost_usd"]
    assert error["details"]["reason"] == told["reason"]


def test_what_the_reserve_narrowed_is_told_of_a_refusal_too(service: Service) -> None:
    caller = service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="0.0001")
    told = quote(caller, "chat/completions", CHAT)
    assert (told["reason"], told["max_output_tokens"]) == ("exceeds_remaining", 512)


def test_rates_count_and_are_not_used_up(service: Service) -> None:
    caller = service.new_key(project=f"p-{secrets.token_hex(6)}", requests_per_minute=1)
    for _ in range(3):
        told = quote(caller, "chat/completions", CHAT)
        assert (told["admitted"], told["remaining_usd"]) == (True, None)
    assert caller.chat().status == 200
    told = quote(caller, "chat/completions", CHAT | {"max_tokens": 9})
    assert (told["admitted"], told["reason"], told["max_output_tokens"]) == (False, "rate_limit_exceeded", 9)


def test_least_that_remains_is_the_projects_if_that_is_less(service: Service, caller: Caller) -> None:
    state = caller.state()
    sibling = service.new_key(project=state["project"], hard_limit_usd="1")
    assert quote(sibling, "chat/completions", CHAT)["remaining_usd"] == "1.000000000"
    assert sibling.chat().status == 200
    told = quote(sibling, "chat/completions", CHAT)
    assert nano(told["remaining_usd"]) == 1_000_000_000 - sibling.spent()


# Continuations.


def test_input_of_a_run_grows_with_each_round(caller: Caller) -> None:
    first = quote(caller, "continuations", LYRICS | {"rounds": 1})
    told = quote(caller, "continuations", LYRICS)
    # Each later round has the longest reply of every round before, and what is put around it.
    grown = sum(number * (15 + 8) for number in range(4)) * INPUT
    assert nano(told["max_cost_usd"]) == 4 * nano(first["max_cost_usd"]) + grown
    assert (told["max_output_tokens"], told["input_tokens"]) == (60, 4 * first["input_tokens"])
    assert caller.post("/v1/continuations", LYRICS).status == 200
    assert nano(told["min_cost_usd"]) <= caller.spent() <= nano(told["max_cost_usd"])


def test_follow_ups_are_input_too(caller: Caller) -> None:
    two = LYRICS | {"rounds": 2}
    without = quote(caller, "continuations", two)
    told = quote(caller, "continuations", two | {"follow_up": "Go on"})
    assert nano(told["max_cost_usd"]) - nano(without["max_cost_usd"]) == (5 + 8) * INPUT


@pytest.mark.parametrize("rounds", [1, 7, 32])
@pytest.mark.parametrize("extra", [{}, {"follow_up": "And then? " * 9}, {"system": "One line. " * 300}])
def test_no_run_costs_more_than_its_quote(
    caller: Caller, sandbox: Sandbox, rounds: int, extra: dict[str, Any]
) -> None:
    body = LYRICS | {"rounds": rounds, "max_tokens": 40} | extra
    told = quote(caller, "continuations", body)
    sandbox.misbehave(tokens=40)
    assert caller.post("/v1/continuations", body).json()["status"] == "completed"
    assert nano(told["min_cost_usd"]) <= sandbox.billed_nano_usd() <= nano(told["max_cost_usd"])


def test_run_is_quoted_with_its_preset_and_what_it_goes_on_from(caller: Caller) -> None:
    headers = {"authorization": f"Bearer {caller.secret}"}
    preset = {"model": "gpt-4o-mini", "system": "x" * 500, "rounds": 3, "max_tokens": 5}
    assert caller.service.request("PUT", "/v1/presets/p", json=preset, headers=headers).status == 200
    asked = {"preset": "p", "prompt": "x"}
    told = quote(caller, "continuations", asked)
    assert told["max_output_tokens"] == 15
    before = caller.post("/v1/continuations", asked | {"store": True}).json()["id"]
    later = quote(caller, "continuations", asked | {"previous_continuation_id": before})
    assert later["input_tokens"] > told["input_tokens"]


# What is no quote.


@pytest.mark.parametrize("path", ["moderations", "tokens", "files", "quote/chat/completions", "x", "../x"])
def test_only_what_holds_money_is_quoted(caller: Caller, path: str) -> None:
    answer = caller.post(f"/v1/quote/{path}", CHAT)
    assert (answer.status, error_of(answer)["code"]) == (404, "unknown_url")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("chat/completions", {"model": "gpt-4o-mini"}, "messages"),
        ("continuations", {"model": "gpt-4o-mini"}, "prompt"),
        ("chat/completions", CHAT | {"model": "no-such-model"}, "model"),
    ],
)
def test_wrong_body_is_refused_as_the_call_would_be(
    caller: Caller, path: str, body: dict[str, Any], param: str
) -> None:
    told, called = caller.post(f"/v1/quote/{path}", body), caller.post(f"/v1/{path}", body)
    assert told.status == called.status == 400
    assert error_of(told) == error_of(called)
    assert error_of(told)["param"] == param


def test_key_that_may_not_call_gets_no_quote(service: Service, caller: Caller) -> None:
    picky = service.new_key(project=f"p-{secrets.token_hex(6)}", models=["gpt-4o"])
    answer = picky.post("/v1/quote/chat/completions", CHAT)
    assert (answer.status, error_of(answer)["code"]) == (403, "model_not_allowed")
    service.admin("DELETE", f"/keys/{caller.id}")
    answer = caller.post("/v1/quote/chat/completions", CHAT)
    assert (answer.status, error_of(answer)["code"]) == (401, "key_revoked")


# The look itself.


def test_look_decides_as_a_reserve_does_and_writes_nothing(
    stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    _, secret = make_key(hard_limit_usd="0.00001", tokens_per_minute=1_000)
    account = stores.keys.authenticate(secret)
    take_hold(secret, 4_000)
    before = {scope.name: stores.client.hgetall(scope.name) for scope in account.scopes}
    held = stores.client.hgetall(names.held(account.shard, stores.ledger.worker))
    demand = Demand(100, 5_000_000, 1_000, 1_000, 0)
    seen = stores.ledger.look(account, demand, model="gpt-4o-mini")
    assert (seen.bound_nano_usd, seen.cap_tokens, seen.remaining_nano_usd) == (6_000, 1_000, 0)
    with pytest.raises(InsufficientQuota):
        stores.ledger.look(account, Demand(100, 11_000_000, 0, 0, 0), model="gpt-4o-mini")
    assert {scope.name: stores.client.hgetall(scope.name) for scope in account.scopes} == before
    assert stores.client.hgetall(names.held(account.shard, stores.ledger.worker)) == held


# Forms.


def recording(seconds: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(2 * 8_000 * seconds))
    return buffer.getvalue()


def test_recording_is_quoted_at_its_true_length(service: Service, sandbox: Sandbox) -> None:
    caller = service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="0.0001")
    headers = {"authorization": f"Bearer {caller.secret}"}
    form = {"model": "whisper-1", "file": ("a.wav", recording(3), "audio/wav")}
    path = "/v1/quote/audio/transcriptions"
    told = service.request("POST", path, fields=form, headers=headers).json()
    assert (told["admitted"], told["reason"]) == (False, "exceeds_remaining")
    # $0.006 a minute.
    assert nano(told["max_cost_usd"]) >= 3 * 100_000
    refused = service.request("POST", "/v1/audio/transcriptions", fields=form, headers=headers)
    assert refused.status == 429
    assert error_of(refused)["details"]["bound_usd"] == told["max_cost_usd"]
    assert sandbox.bill()["requests_seen"] == 0


def test_quote_takes_a_form_where_the_call_does(caller: Caller) -> None:
    headers = {"authorization": f"Bearer {caller.secret}"}
    wrong = caller.post("/v1/quote/audio/transcriptions", {"model": "whisper-1"})
    assert (wrong.status, error_of(wrong)["code"]) == (415, "unsupported_media_type")
    form = {"model": "gpt-4o-mini"}
    wrong = caller.service.request("POST", "/v1/quote/chat/completions", fields=form, headers=headers)
    assert (wrong.status, error_of(wrong)["code"]) == (415, "unsupported_media_type")
