"""The headers we add, the stream's cost comment, and the output caps that go up."""

import json
from typing import Any

import pytest

from service.projects import project_scope
from service.wiring import Stores
from tests.flow.conftest import Books
from tests.flow.raw_upstream import RawUpstream
from tests.flow.scripts import DONE, USAGE_NANO, answer, completion, delta, stream, usage_event
from tests.harness import Caller, Service, nano

CAP_HEADER = "x-spendgate-max-output-tokens"
FIVE_USD = 5_000_000_000


def test_cost_and_remaining_come_with_a_plain_answer(caller: Caller, upstream: RawUpstream) -> None:
    for calls in (1, 2):
        headers = caller.chat().headers
        assert headers["x-spendgate-cost-usd"] == "0.000004500"
        assert nano(headers["x-spendgate-remaining-usd"]) == FIVE_USD - calls * USAGE_NANO
        assert headers["x-spendgate-request-id"].startswith("sgr_")


def test_without_a_hard_limit_nothing_remains_to_be_shown(service: Service, upstream: RawUpstream) -> None:
    headers = service.new_key(soft_limit_usd="5").chat().headers
    assert "x-spendgate-remaining-usd" not in headers
    assert "x-spendgate-soft-limit" not in headers


def test_the_least_of_all_scopes_remains(caller: Caller, stores: Stores) -> None:
    shard, project = caller.id[4], caller.state()["project"]
    scope = project_scope(shard, project, None, None)
    assert stores.ledger.amend(scope, {"hard": 1_000_000_000}, [])
    assert nano(caller.chat().headers["x-spendgate-remaining-usd"]) == 1_000_000_000 - USAGE_NANO


@pytest.mark.parametrize("streams", [False, True])
def test_a_soft_limit_lets_the_call_pass_and_says_so(
    service: Service, upstream: RawUpstream, streams: bool
) -> None:
    caller = service.new_key(soft_limit_usd="0.000005", hard_limit_usd="5")
    assert "x-spendgate-soft-limit" not in caller.chat().headers
    # The second answer is past the limit; its stream was not yet when its headers went out.
    upstream.plays(stream(delta("a"), usage_event(), DONE) if streams else answer(completion()))
    second = caller.chat(stream=streams)
    assert second.status == 200
    assert second.headers.get("x-spendgate-soft-limit") == (None if streams else "exceeded")
    third = caller.chat(stream=streams)
    assert (third.status, third.headers["x-spendgate-soft-limit"]) == (200, "exceeded")


# The cost of a stream.

ASKS = {"x-spendgate-stream-cost": "true"}


def stream_with_cost(caller: Caller, **fields: Any) -> bytes:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}], "stream": True, **fields}
    return bytes(caller.post("/v1/chat/completions", body, headers=ASKS).data)


@pytest.mark.parametrize("usage_is_forwarded", [False, True])
def test_the_cost_comment_is_glued_to_the_last_event(
    caller: Caller, upstream: RawUpstream, usage_is_forwarded: bool
) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE))
    options = {"stream_options": {"include_usage": True}} if usage_is_forwarded else {}
    remaining = f"{FIVE_USD - USAGE_NANO:010d}"
    comment = f": spendgate cost_usd=0.000004500 remaining_usd={remaining[:1]}.{remaining[1:]}\n".encode()
    events = delta("one") + (usage_event() if usage_is_forwarded else b"")
    assert stream_with_cost(caller, **options) == events + comment + DONE


def test_the_cost_comment_leaves_out_what_does_not_remain(service: Service, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE))
    assert stream_with_cost(service.new_key()).endswith(b"\n: spendgate cost_usd=0.000004500\n" + DONE)


def test_the_cost_comment_comes_even_without_done(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one"), usage_event()))
    assert b": spendgate cost_usd=0.000004500 " in stream_with_cost(caller)


@pytest.mark.parametrize("word", ["false", "1", ""])
def test_the_cost_comment_comes_only_when_asked_for(caller: Caller, upstream: RawUpstream, word: str) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE))
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}], "stream": True}
    reply = caller.post("/v1/chat/completions", body, headers={"x-spendgate-stream-cost": word})
    assert reply.data == delta("one") + DONE


# Output caps.


def caps(upstream: RawUpstream) -> dict[str, Any]:
    """The caps in the request that went up."""
    sent = upstream.requests[-1].json()
    return {name: sent[name] for name in ("max_tokens", "max_completion_tokens") if name in sent}


def test_a_wide_budget_adds_no_cap(caller: Caller, upstream: RawUpstream) -> None:
    reply = caller.chat()
    assert caps(upstream) == {}
    assert CAP_HEADER not in reply.headers


def test_without_a_limit_no_cap_is_added(service: Service, upstream: RawUpstream) -> None:
    reply = service.new_key().chat()
    assert caps(upstream) == {}
    assert CAP_HEADER not in reply.headers


def test_an_eighth_of_what_is_left_is_the_cap_where_it_binds(service: Service, upstream: RawUpstream) -> None:
    # An eighth of $0.008 is $0.001: at $0.60 per million tokens 1666 of them.
    reply = service.new_key(hard_limit_usd="0.008").chat()
    assert caps(upstream) == {"max_completion_tokens": 1666}
    assert reply.headers[CAP_HEADER] == "1666"


def test_the_cap_of_a_stream_is_shown_as_well(service: Service, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE))
    reply = service.new_key(hard_limit_usd="0.008").chat(stream=True)
    assert caps(upstream) == {"max_completion_tokens": 1666}
    assert reply.headers[CAP_HEADER] == "1666"
    assert upstream.requests[0].json()["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(("model", "floor"), [("gpt-4o-mini", 512), ("o4-mini", 4096)])
def test_the_cap_has_a_floor(service: Service, upstream: RawUpstream, model: str, floor: int) -> None:
    limit = {"gpt-4o-mini": "0.001", "o4-mini": "0.03"}[model]
    reply = service.new_key(hard_limit_usd=limit).chat(model=model)
    assert caps(upstream) == {"max_completion_tokens": floor}
    assert reply.headers[CAP_HEADER] == str(floor)


def test_a_keys_own_default_cap_is_added(service: Service, upstream: RawUpstream) -> None:
    reply = service.new_key(default_max_output_tokens=77).chat()
    assert caps(upstream) == {"max_completion_tokens": 77}
    assert reply.headers[CAP_HEADER] == "77"


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_callers_own_cap_stays_as_it_is(service: Service, upstream: RawUpstream, field: str) -> None:
    caller = service.new_key(hard_limit_usd="0.008", default_max_output_tokens=77)
    reply = caller.chat(**{field: 3000})
    assert caps(upstream) == {field: 3000}
    assert CAP_HEADER not in reply.headers


def test_an_unknown_field_is_bounded_at_the_maximum_and_adds_no_cap(
    service: Service, upstream: RawUpstream
) -> None:
    caller = service.new_key(hard_limit_usd="1", default_max_output_tokens=77)
    reply = caller.chat(something_new=1, max_tokens=5)
    assert caps(upstream) == {"max_tokens": 5}
    assert CAP_HEADER not in reply.headers
    # The window of 128,000 and the most of 16,384 tokens.
    bound = 128_000 * 150 + 16_384 * 600
    details = json.loads(service.new_key(hard_limit_usd="0.001").chat(something_new=1, max_tokens=5).data)[
        "error"
    ]["details"]
    assert nano(details["bound_usd"]) == bound


def test_a_model_of_the_price_file_gets_its_own_field(
    service: Service, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(answer(completion(model="cheap-local")))
    # An eighth of $0.008 at $0.40 per million tokens.
    caller = service.new_key(hard_limit_usd="0.008")
    reply = caller.chat(model="cheap-local")
    assert caps(upstream) == {"max_tokens": 2500}
    assert reply.headers[CAP_HEADER] == "2500"
    assert books.of(caller).spent == 10 * 100 + 5 * 400
