"""Few-shot continuation: what goes up in each round, what comes back, and how a run can end."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.continuation import Continuations
from service.continuation_run import Run
from service.continuation_stream import ContinuationStream
from service.errors import BudgetInFlight
from service.ledger.holds import Hold
from service.services import Services
from service.wiring import Stores
from tests.flow.conftest import Books, incoming
from tests.flow.raw_upstream import PATIENCE_SECONDS, RawUpstream, Script, Wire
from tests.flow.scripts import (
    DONE,
    USAGE,
    USAGE_NANO,
    answer,
    completion,
    delta,
    event,
    hang,
    refusal,
    reset,
    stream,
    usage_event,
    without_usage,
)
from tests.harness import Caller, Service, eventually, nano

PATH = "/v1/continuations"
FIELDS: dict[str, Any] = {"model": "gpt-4o-mini", "prompt": "Listen to your"}
EXAMPLE = {"user": "I know there's something", "assistant": "I get a notion"}
SHOTS = [
    {"role": "system", "content": "I give the next line."},
    {"role": "user", "content": EXAMPLE["user"]},
    {"role": "assistant", "content": EXAMPLE["assistant"]},
    {"role": "user", "content": "Listen to your"},
]
SHOWN = {"system": "I give the next line.", "examples": [EXAMPLE]}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def streamed(*texts: str, finish_reason: str = "stop", **usage: Any) -> Script:
    """One streamed round."""
    parts = [delta(text) for text in texts]
    return stream(*parts, delta(finish_reason=finish_reason), usage_event(**usage), DONE)


def run(caller: Caller, **fields: Any) -> dict[str, Any]:
    reply = caller.post(PATH, {**FIELDS, **fields})
    assert reply.status == 200, reply.data
    body: dict[str, Any] = json.loads(reply.data)
    return body


def events(raw: bytes) -> list[dict[str, Any]]:
    """The events of a streamed run, less the [DONE] that must end it; each is called what it is."""
    *frames, done, end = raw.split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    found = []
    for frame in frames:
        name, data = frame.split(b"\n")
        fields = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + fields["type"].encode()
        found.append(fields)
    return found


def run_streamed(caller: Caller, **fields: Any) -> list[dict[str, Any]]:
    reply = caller.post(PATH, {**FIELDS, "stream": True, **fields})
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    return events(reply.data)


# What goes up, and what comes back.


def test_each_round_is_sent_everything_that_was_said(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(*(answer(completion(text)) for text in ("one", "two", "three")))
    body = run(caller, **SHOWN, rounds=3)
    transcripts = [request.json()["messages"] for request in upstream.requests]
    assert transcripts == [SHOTS, [*SHOTS, said("one")], [*SHOTS, said("one"), said("two")]]
    assert body["messages"] == [*SHOTS, said("one"), said("two"), said("three")]
    assert body["id"].startswith("cont_")
    assert (body["object"], body["model"], body["status"]) == ("continuation", "gpt-4o-mini", "completed")
    assert "incomplete_details" not in body
    assert body["results"] == [
        {"index": i, "content": text, "finish_reason": "stop", "usage": USAGE, "cost_usd": "0.000004500"}
        for i, text in enumerate(("one", "two", "three"))
    ]
    assert body["usage"] == {"prompt_tokens": 30, "completion_tokens": 15, "total_tokens": 45}
    assert nano(body["cost_usd"]) == 3 * USAGE_NANO
    entry = books.of(caller)
    assert entry.spent == 3 * USAGE_NANO
    assert [row["cost_usd"] for row in entry.rows] == ["0.000004500"] * 3


def test_one_round_is_the_default(caller: Caller, upstream: RawUpstream) -> None:
    assert len(run(caller)["results"]) == len(upstream.requests) == 1


def test_chat_parameters_go_up_in_every_round_and_our_own_do_not(
    caller: Caller, upstream: RawUpstream
) -> None:
    parameters = {
        "max_tokens": 15,
        "temperature": 0,
        "seed": 2**60,
        "stop": ["\n"],
        "something_new": {"a": 1.5},
    }
    run(
        caller,
        **parameters,
        **SHOWN,
        rounds=2,
        follow_up="on",
        pause_ms=1,
        stream=False,
        store=False,
        top_p=None,
    )
    for request in upstream.requests:
        sent = request.json()
        assert sent.pop("messages")[: len(SHOTS)] == SHOTS
        assert sent == {"model": "gpt-4o-mini", **parameters}


def test_a_follow_up_is_said_before_each_further_round(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(*(answer(completion(text)) for text in ("one", "two", "three")))
    body = run(caller, rounds=3, follow_up="Go on")
    talk = [user("Listen to your"), said("one"), user("Go on"), said("two"), user("Go on"), said("three")]
    assert body["messages"] == talk
    assert upstream.requests[2].json()["messages"] == talk[:5]


def test_details_of_usage_are_added_up(caller: Caller, upstream: RawUpstream) -> None:
    detailed = {**USAGE, "prompt_tokens_details": {"cached_tokens": 4, "new": None}}
    upstream.plays(answer(completion(usage=detailed)))
    total = run(caller, rounds=2)["usage"]
    assert total == {
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 8},
    }


def test_several_choices_are_several_results(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    choices = [
        {"index": i, "message": said(text), "finish_reason": "stop"} for i, text in enumerate(("one", "two"))
    ]
    upstream.plays(answer(completion(choices=choices)))
    body = run(caller, n=2)
    assert [(r["index"], r["content"], r["usage"], r["cost_usd"]) for r in body["results"]] == [
        (0, "one", USAGE, "0.000004500"),
        (1, "two", None, "0.000000000"),
    ]
    assert body["messages"][-1] == said("one")
    assert nano(body["cost_usd"]) == books.of(caller).spent == USAGE_NANO


def test_several_choices_need_a_single_round(caller: Caller, upstream: RawUpstream) -> None:
    reply = caller.post(PATH, {**FIELDS, "n": 2, "rounds": 2})
    assert (reply.status, json.loads(reply.data)["error"]["param"]) == (400, "n")
    assert upstream.requests == []


def test_a_round_that_met_its_cap_goes_on(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(answer(completion("cut", finish_reason="length")))
    body = run(caller, rounds=2)
    assert (body["status"], len(body["results"])) == ("completed", 2)


# Runs that cannot go on.

STOPS = {
    "tool_calls": answer(completion(None, message={"tool_calls": [CALL]}, finish_reason="tool_calls")),
    "refusal": answer(completion(None, message={"refusal": "No."})),
    "content_filter": answer(completion("half", finish_reason="content_filter")),
}


@pytest.mark.parametrize("reason", STOPS)
@pytest.mark.parametrize("before", [0, 1])
def test_some_replies_end_a_run_and_are_part_of_it(
    caller: Caller, upstream: RawUpstream, books: Books, reason: str, before: int
) -> None:
    upstream.plays(*[answer(completion())] * before, STOPS[reason])
    body = run(caller, rounds=5)
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert len(body["results"]) == len(upstream.requests) == before + 1
    last = body["results"][-1]
    assert last.get("tool_calls") == ([CALL] if reason == "tool_calls" else None)
    assert last.get("refusal") == ("No." if reason == "refusal" else None)
    assert nano(body["cost_usd"]) == books.of(caller).spent


FAILURES: dict[str, tuple[Script, str]] = {
    "rate limit of the upstream": (answer(refusal(), 429), "rate_limit"),
    "refused by the upstream": (answer(refusal(), 400), "upstream_error"),
    "overloaded": (answer(refusal(), 503), "upstream_error"),
    "credentials": (answer(refusal(), 401), "upstream_error"),
    "reset": (reset, "upstream_error"),
    "silence": (hang, "timeout"),
    "no choices": (answer(completion(choices=[])), "upstream_error"),
    "choices of an odd shape": (answer(completion(choices=[None, 7])), "upstream_error"),
    "no JSON": (answer(b"OK"), "upstream_error"),
}


@pytest.mark.parametrize(("script", "reason"), FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("streams", [False, True])
def test_a_later_round_that_fails_leaves_what_there_is(
    caller: Caller, upstream: RawUpstream, script: Script, reason: str, streams: bool
) -> None:
    upstream.plays(streamed("one") if streams else answer(completion("one")), script)
    if streams:
        *_, body = run_streamed(caller, rounds=3)
        assert body.pop("type") == "continuation.incomplete"
    else:
        body = run(caller, rounds=3)
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert [result["content"] for result in body["results"]] == ["one"]
    assert body["messages"] == [user("Listen to your"), said("one")]
    assert len(upstream.requests) == 2


def test_a_follow_up_that_was_not_answered_is_not_in_the_transcript(
    caller: Caller, upstream: RawUpstream
) -> None:
    upstream.plays(answer(completion("one")), reset)
    body = run(caller, rounds=2, follow_up="Go on")
    assert body["messages"] == [user("Listen to your"), said("one")]


@pytest.mark.parametrize("streams", [False, True])
def test_the_hard_limit_in_mid_run_ends_it(service: Service, upstream: RawUpstream, streams: bool) -> None:
    caller = service.new_key(hard_limit_usd="0.0005")
    dear = {"prompt_tokens": 10, "completion_tokens": 900}
    upstream.plays(streamed("one", **dear) if streams else answer(completion("one", usage=dear)))
    fields = {"rounds": 3, "max_tokens": 20}
    body = run_streamed(caller, **fields)[-1] if streams else run(caller, **fields)
    assert (body["incomplete_details"], len(body["results"])) == ({"reason": "hard_limit"}, 1)
    assert len(upstream.requests) == 1


def test_our_rate_limit_in_mid_run_ends_it(service: Service, upstream: RawUpstream) -> None:
    body = run(service.new_key(requests_per_minute=2), rounds=3)
    assert (body["incomplete_details"], len(body["results"])) == ({"reason": "rate_limit"}, 2)


def test_a_key_revoked_in_mid_run_ends_it(service: Service, caller: Caller, upstream: RawUpstream) -> None:
    def revoking(wire: Wire) -> None:
        service.admin("DELETE", f"/keys/{caller.id}")
        answer(completion())(wire)

    upstream.plays(revoking)
    body = run(caller, rounds=3)
    assert (body["incomplete_details"], len(body["results"])) == ({"reason": "key_revoked"}, 1)


@pytest.mark.parametrize("streams", [False, True])
def test_the_upstreams_refusal_of_the_first_round_is_the_answer(
    caller: Caller, upstream: RawUpstream, books: Books, streams: bool
) -> None:
    upstream.plays(answer(refusal("No", code="x"), 400, x_request_id="req_1"))
    reply = caller.post(PATH, {**FIELDS, "rounds": 3, "stream": streams})
    assert (reply.status, json.loads(reply.data)) == (400, refusal("No", code="x"))
    assert reply.headers["x-spendgate-error-source"] == "upstream"
    assert reply.headers["x-request-id"] == "req_1"
    assert books.of(caller).is_untouched


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("script", "status", "code"), [(reset, 502, "upstream_unavailable"), (hang, 504, "upstream_timeout")]
)
def test_a_first_round_that_fails_is_its_error(
    caller: Caller, upstream: RawUpstream, script: Script, status: int, code: str, streams: bool
) -> None:
    upstream.plays(script)
    reply = caller.post(PATH, {**FIELDS, "rounds": 3, "stream": streams})
    assert (reply.status, json.loads(reply.data)["error"]["code"]) == (status, code)


NO_MESSAGE = [{"choices": []}, {"choices": [None, {"message": 7}]}, {"choices": {}}]


@pytest.mark.parametrize("over", NO_MESSAGE, ids=str)
def test_a_first_round_without_a_message_is_an_error_and_paid(
    caller: Caller, upstream: RawUpstream, books: Books, over: dict[str, Any]
) -> None:
    upstream.plays(answer(completion(**over)))
    reply = caller.post(PATH, {**FIELDS, "rounds": 3})
    assert (reply.status, json.loads(reply.data)["error"]["code"]) == (502, "upstream_unavailable")
    assert reply.headers["x-should-retry"] == "false"
    assert books.of(caller).spent == USAGE_NANO


@pytest.mark.parametrize("over", NO_MESSAGE[:1] + NO_MESSAGE[2:], ids=str)
def test_a_first_streamed_round_without_a_message_is_incomplete(
    caller: Caller, upstream: RawUpstream, over: dict[str, Any]
) -> None:
    upstream.plays(answer(completion(**over)))
    _, body = run_streamed(caller, rounds=3)
    assert (body["incomplete_details"], body["results"]) == ({"reason": "upstream_error"}, [])
    assert nano(body["cost_usd"]) == USAGE_NANO


@pytest.mark.parametrize("streams", [False, True])
def test_a_first_round_without_money_is_refused_like_any_call(
    service: Service, upstream: RawUpstream, streams: bool
) -> None:
    reply = service.new_key(hard_limit_usd="0").post(PATH, {**FIELDS, "stream": streams})
    error = json.loads(reply.data)["error"]
    assert (reply.status, error["code"], error["type"]) == (429, "insufficient_quota", "insufficient_quota")
    assert reply.headers["x-should-retry"] == "false"
    assert upstream.requests == []


# As events.


def test_the_events_of_a_run(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    upstream.plays(streamed("on", "e"), streamed("two"))
    created, *between, completed = run_streamed(caller, **SHOWN, rounds=2, temperature=0)
    assert created == {
        "type": "continuation.created",
        "id": completed["id"],
        "object": "continuation",
        "model": "gpt-4o-mini",
    }
    rest = {"finish_reason": "stop", "usage": USAGE, "cost_usd": "0.000004500"}
    results = [{"index": 0, "content": "one", **rest}, {"index": 1, "content": "two", **rest}]
    assert between == [
        {"type": "round.delta", "index": 0, "delta": "on"},
        {"type": "round.delta", "index": 0, "delta": "e"},
        {"type": "round.completed", **results[0]},
        {"type": "round.delta", "index": 1, "delta": "two"},
        {"type": "round.completed", **results[1]},
    ]
    assert completed == {
        "type": "continuation.completed",
        "id": created["id"],
        "object": "continuation",
        "model": "gpt-4o-mini",
        "status": "completed",
        "results": results,
        "messages": [*SHOTS, said("one"), said("two")],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
        "cost_usd": "0.000009000",
    }
    sent = upstream.requests[1].json()
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert sent["messages"] == [*SHOTS, said("one")]
    assert books.of(caller).spent == 2 * USAGE_NANO


def test_an_upstream_that_does_not_stream_gives_the_same_events(
    caller: Caller, upstream: RawUpstream
) -> None:
    pretty = json.dumps(completion("one"), indent=1).encode()
    upstream.plays(answer(pretty))
    kinds = [(e["type"], e.get("delta") or e.get("content")) for e in run_streamed(caller)]
    assert kinds == [
        ("continuation.created", None),
        ("round.delta", "one"),
        ("round.completed", "one"),
        ("continuation.completed", None),
    ]


def test_every_choice_of_a_streamed_round_is_a_result(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one"), delta("two", index=1), usage_event(), DONE))
    found = run_streamed(caller, n=2)
    assert [(e["type"], e["index"], e.get("delta") or e.get("content")) for e in found[1:-1]] == [
        ("round.delta", 0, "one"),
        ("round.delta", 1, "two"),
        ("round.completed", 0, "one"),
        ("round.completed", 1, "two"),
    ]
    assert [result["content"] for result in found[-1]["results"]] == ["one", "two"]
    assert found[-1]["cost_usd"] == found[-1]["results"][0]["cost_usd"] == "0.000004500"


def test_streamed_tool_calls_are_put_together(caller: Caller, upstream: RawUpstream) -> None:
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{"}}
    second = {"index": 0, "function": {"arguments": "}"}}
    upstream.plays(
        stream(
            delta(delta={"tool_calls": [first]}),
            delta(delta={"tool_calls": [second]}, finish_reason="tool_calls"),
            usage_event(),
            DONE,
        )
    )
    *_, body = run_streamed(caller, rounds=2)
    assert body["incomplete_details"] == {"reason": "tool_calls"}
    assert body["results"][0]["tool_calls"] == [CALL]
    assert body["messages"][-1] == {"role": "assistant", "content": None, "tool_calls": [CALL]}


def cut(wire: Wire) -> None:
    wire.stream_head()
    wire.chunk(delta("two"))
    wire.close()


@pytest.mark.parametrize("before", [0, 1])
def test_a_round_that_breaks_ends_the_run_and_its_cost_is_in_the_sum(
    caller: Caller, upstream: RawUpstream, books: Books, before: int
) -> None:
    upstream.plays(*[streamed("one")] * before, cut)
    *_, last_delta, body = run_streamed(caller, rounds=3)
    assert last_delta == {"type": "round.delta", "index": before, "delta": "two"}
    assert body["type"] == "continuation.incomplete"
    assert (body["incomplete_details"], len(body["results"])) == ({"reason": "upstream_error"}, before)
    assert nano(body["cost_usd"]) == books.of(caller).spent > 0


def test_an_error_that_is_null_is_none(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one", error=None), usage_event(), DONE))
    assert run_streamed(caller)[-1]["status"] == "completed"


def test_chunks_of_an_odd_shape_break_nothing(caller: Caller, upstream: RawUpstream) -> None:
    odd = [
        event(
            {"choices": [None, {"delta": None}, {"delta": {"content": 7}}, {"delta": {"tool_calls": [None]}}]}
        ),
        event({"choices": {"a": 1}, "usage": 7}),
        b"data: 7\n\n",
    ]
    upstream.plays(stream(*odd, delta("one"), usage_event(), DONE))
    *_, body = run_streamed(caller)
    assert [result["content"] for result in body["results"]] == ["one"]


def test_a_round_without_usage_has_a_cost_all_the_same(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(answer(without_usage()))
    body = run(caller)
    assert body["results"][0]["usage"] is None
    assert nano(body["cost_usd"]) == books.of(caller).spent > 0


def test_a_caller_gone_in_mid_run_pays_the_round_that_ran(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    go, hung_up = threading.Semaphore(0), threading.Event()

    def dripping(wire: Wire) -> None:
        wire.stream_head()
        try:
            while go.acquire(timeout=PATIENCE_SECONDS):
                wire.chunk(delta(" more"))
        except OSError:
            hung_up.set()

    upstream.plays(streamed("one"), dripping)
    go.release()
    reply = caller.post(PATH, {**FIELDS, "rounds": 5, "stream": True}, preload_content=False)
    got = reply.stream()
    read = b""
    while b'"index":1' not in read:
        read += next(got)
    reply.close()

    def gone() -> bool:
        go.release()
        return hung_up.is_set()

    eventually(gone)
    entry = books.of(caller)
    assert [row["usage_source"] for row in entry.rows] == ["provider", "counted"]
    assert len(upstream.requests) == 2


# Time, which these tests make themselves.


class Clock:
    """Time that passes only by sleeping, or when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def continuations(own: Services, clock: Clock) -> Continuations:
    return Continuations(own.gateway, clock, clock.sleep)


def timed(continuations: Continuations, caller: Caller, **fields: Any) -> Run:
    return continuations.run({**FIELDS, **fields}, incoming(caller, b""))


def test_rounds_are_paused_between(
    continuations: Continuations, clock: Clock, caller: Caller, upstream: RawUpstream
) -> None:
    assert len(timed(continuations, caller, rounds=3, pause_ms=1500).results) == 3
    assert clock.slept == [1.5, 1.5]


def taking(clock: Clock, seconds: float) -> Script:
    """An answer after which so much time has passed."""

    def play(wire: Wire) -> None:
        clock.now += seconds
        answer(completion())(wire)

    return play


def test_a_run_ends_by_300_seconds(
    continuations: Continuations, clock: Clock, caller: Caller, upstream: RawUpstream
) -> None:
    upstream.plays(taking(clock, 100))
    ended = timed(continuations, caller, rounds=9)
    assert (ended.incomplete, len(ended.results)) == ("timeout", 3)


def test_a_pause_that_would_end_too_late_is_not_begun(
    continuations: Continuations, clock: Clock, caller: Caller, upstream: RawUpstream
) -> None:
    upstream.plays(taking(clock, 250))
    ended = timed(continuations, caller, rounds=9, pause_ms=50_000, follow_up="Go on")
    assert (ended.incomplete, clock.slept) == ("timeout", [])
    assert ended.messages[-1]["role"] == "assistant"


def test_a_streamed_run_ends_by_300_seconds_and_books_what_came(
    continuations: Continuations, clock: Clock, caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    late = threading.Event()

    def endless(wire: Wire) -> None:
        wire.stream_head()
        wire.chunk(delta("two"))
        assert late.wait(PATIENCE_SECONDS)
        wire.chunk(delta(" more"))
        wire.wait_for_hang_up()

    upstream.plays(streamed("one"), endless)
    running = ContinuationStream(
        continuations, {**FIELDS, "rounds": 3, "stream": True}, incoming(caller, b"")
    )
    raw = b""
    for piece in running:
        raw += piece
        if b'"index":1' in piece and not late.is_set():
            clock.now += 300
            late.set()
    running.close()
    *_, body = events(raw)
    assert (body["incomplete_details"], len(body["results"])) == ({"reason": "timeout"}, 1)
    assert nano(body["cost_usd"]) == books.of(caller).spent
    assert len(books.of(caller).rows) == 2


@pytest.fixture
def rival(stores: Stores, upstream: RawUpstream, take_hold: Callable[..., Hold]) -> Iterator["Rival"]:
    rival = Rival(stores, take_hold)
    yield rival
    rival.let_go()


class Rival:
    """Another call of the same key, which holds all its money once a first round is under way."""

    def __init__(self, stores: Stores, take_hold: Callable[..., Hold]) -> None:
        self._stores = stores
        self._take_hold = take_hold
        self._hold: Hold | None = None

    def holds_what_is_left_of(self, caller: Caller) -> Script:
        def play(wire: Wire) -> None:
            balance = self._stores.keys.get(caller.id).balance
            self._hold = self._take_hold(caller.secret, balance.remaining)
            answer(completion())(wire)

        return play

    def let_go(self) -> None:
        if self._hold is not None:
            self._stores.ledger.release(self._hold)
            self._hold = None


def test_money_in_flight_is_waited_for_in_mid_run(
    continuations: Continuations, clock: Clock, caller: Caller, upstream: RawUpstream, rival: Rival
) -> None:
    upstream.plays(rival.holds_what_is_left_of(caller), answer(completion("two")))
    clock.on_sleep = lambda: rival.let_go() if sum(clock.slept) >= 5 else None
    ended = timed(continuations, caller, rounds=2, max_tokens=100_000)
    assert (ended.incomplete, len(ended.results)) == (None, 2)
    assert 5 <= sum(clock.slept) <= 6


def test_money_in_flight_is_not_waited_for_for_ever(
    continuations: Continuations, clock: Clock, caller: Caller, upstream: RawUpstream, rival: Rival
) -> None:
    upstream.plays(rival.holds_what_is_left_of(caller))
    ended = timed(continuations, caller, rounds=2, max_tokens=100_000)
    assert (ended.incomplete, len(ended.results)) == ("budget_in_flight", 1)
    assert 9 <= sum(clock.slept) <= 10
    assert len(upstream.requests) == 1


def test_money_in_flight_is_not_waited_for_in_the_first_round(
    continuations: Continuations,
    clock: Clock,
    service: Service,
    upstream: RawUpstream,
    take_hold: Any,
    stores: Stores,
) -> None:
    caller = service.new_key(hard_limit_usd="0.001")
    hold = take_hold(caller.secret, 1_000_000)
    with pytest.raises(BudgetInFlight):
        timed(continuations, caller, rounds=2)
    stores.ledger.release(hold)
    assert clock.slept == []


def test_a_run_that_was_never_begun_is_booked_when_it_is_closed(
    own: Services, caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    def silent(wire: Wire) -> None:
        wire.stream_head()
        wire.chunk(delta("one"))
        wire.wait_for_hang_up()

    upstream.plays(silent)
    running = ContinuationStream(own.continuations, {**FIELDS, "stream": True}, incoming(caller, b""))
    running.close()
    running.close()
    assert books.of(caller).row["usage_source"] == "counted"
