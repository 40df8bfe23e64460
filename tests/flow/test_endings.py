"""How a plain call can end, what the caller is told, and what the ledger says after."""

import json
import threading
from collections.abc import Iterator

import pytest

from tests.flow.conftest import Books
from tests.flow.raw_upstream import RawUpstream, Script, Wire
from tests.flow.scripts import (
    HELLO_TOKENS,
    INPUT_NANO,
    OUTPUT_NANO,
    USAGE,
    USAGE_NANO,
    answer,
    completion,
    hang,
    refusal,
    reset,
    without_usage,
)
from tests.harness import Caller, Service, nano

HTML = b"<html><h1>502 Bad Gateway</h1>secret-proxy-host</html>"


def half_an_answer(wire: Wire) -> None:
    wire.head(content_type="application/json", content_length="1000")
    wire.send(b'{"choices": [')
    wire.close()


def half_an_answer_in_chunks(wire: Wire) -> None:
    wire.stream_head(content_type="application/json")
    wire.chunk(b'{"choices": [')
    wire.close()


def half_an_answer_then_silence(wire: Wire) -> None:
    wire.head(content_type="application/json", content_length="1000")
    wire.send(b'{"choices": [')
    wire.wait_for_hang_up()


def nonsense(wire: Wire) -> None:
    wire.send(b"220 mail.example ESMTP\r\n\r\n")
    wire.close()


def closed(wire: Wire) -> None:
    wire.close()


IN_DOUBT: dict[str, tuple[Script, int, str]] = {
    "reset after the request": (reset, 502, "upstream_unavailable"),
    "closed after the request": (closed, 502, "upstream_unavailable"),
    "no HTTP": (nonsense, 502, "upstream_unavailable"),
    "silence": (hang, 504, "upstream_timeout"),
    "half an answer": (half_an_answer, 502, "upstream_unavailable"),
    "half an answer in chunks": (half_an_answer_in_chunks, 502, "upstream_unavailable"),
    "half an answer, then silence": (half_an_answer_then_silence, 504, "upstream_timeout"),
    "500 as HTML": (answer(HTML, 500, content_type="text/html"), 502, "upstream_unavailable"),
    "503 as HTML": (answer(HTML, 503, content_type="text/html"), 502, "upstream_unavailable"),
    "500 of another shape": (answer({"detail": "x"}, 500), 502, "upstream_unavailable"),
}


@pytest.mark.parametrize(("script", "status", "code"), IN_DOUBT.values(), ids=IN_DOUBT.keys())
def test_a_call_without_a_usable_answer_is_in_doubt(
    caller: Caller, upstream: RawUpstream, books: Books, script: Script, status: int, code: str
) -> None:
    upstream.plays(script)
    reply = caller.chat()
    error = json.loads(reply.data)["error"]
    assert (reply.status, error["code"], error["type"]) == (status, code, "server_error")
    assert reply.headers["x-should-retry"] == "false"
    assert reply.headers["x-spendgate-error-source"] == "spendgate"
    assert b"html" not in reply.data
    entry = books.of(caller)
    assert entry.in_doubt > 0
    assert (entry.spent, entry.rows) == (0, [])
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [502, 504, 520])
def test_another_5xx_passes_through_and_is_in_doubt(
    caller: Caller, upstream: RawUpstream, books: Books, status: int
) -> None:
    upstream.plays(answer(refusal("Overloaded"), status))
    reply = caller.chat()
    assert (reply.status, json.loads(reply.data)) == (status, refusal("Overloaded"))
    assert reply.headers["x-spendgate-error-source"] == "upstream"
    assert books.of(caller).in_doubt > 0


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500, 503])
def test_a_refusal_of_the_upstream_passes_through_and_costs_nothing(
    caller: Caller, upstream: RawUpstream, books: Books, status: int
) -> None:
    upstream.plays(answer(refusal("No", code="x"), status, retry_after="3"))
    reply = caller.chat()
    assert (reply.status, json.loads(reply.data)) == (status, refusal("No", code="x"))
    assert reply.headers["retry-after"] == "3"
    assert reply.headers["x-spendgate-error-source"] == "upstream"
    assert books.of(caller).is_untouched


@pytest.mark.parametrize("streams", [False, True])
def test_a_refusal_is_the_same_for_a_stream(
    caller: Caller, upstream: RawUpstream, books: Books, streams: bool
) -> None:
    upstream.plays(answer(refusal(), 400))
    reply = caller.chat(stream=streams)
    assert (reply.status, reply.headers["content-type"]) == (400, "application/json")
    assert books.of(caller).is_untouched


@pytest.mark.parametrize("status", [401, 403])
def test_the_operators_own_trouble_is_not_shown(
    caller: Caller, upstream: RawUpstream, books: Books, status: int
) -> None:
    upstream.plays(answer(refusal("Incorrect API key provided: sk-upst***eam"), status, retry_after="3"))
    reply = caller.chat()
    assert (reply.status, json.loads(reply.data)["error"]["code"]) == (502, "upstream_auth_failed")
    assert b"sk-upst" not in reply.data
    assert "retry-after" not in reply.headers
    assert reply.headers["x-spendgate-error-source"] == "spendgate"
    assert books.of(caller).is_untouched


@pytest.mark.parametrize("status", [302, 307, 404, 413])
def test_a_page_of_something_in_between_is_not_passed_on(
    caller: Caller, upstream: RawUpstream, books: Books, status: int
) -> None:
    upstream.plays(answer(HTML, status, content_type="text/html", location="http://127.0.0.1:9/elsewhere"))
    reply = caller.chat()
    assert (reply.status, json.loads(reply.data)["error"]["code"]) == (502, "upstream_unavailable")
    assert b"html" not in reply.data
    assert books.of(caller).is_untouched
    assert len(upstream.requests) == 1


@pytest.fixture(scope="module")
def stranded(flow_redis_url: str) -> Iterator[Service]:
    """A service whose upstream is not there."""
    service = Service("http://127.0.0.1:9/v1", workers=1, REDIS_URL=flow_redis_url)
    yield service
    service.http.clear()
    assert service.terminate() == 0


@pytest.mark.parametrize("streams", [False, True])
def test_a_call_that_never_left_costs_nothing_and_may_be_tried_again(
    stranded: Service, books: Books, streams: bool
) -> None:
    caller = stranded.new_key(hard_limit_usd="5")
    reply = caller.chat(stream=streams)
    assert (reply.status, json.loads(reply.data)["error"]["code"]) == (502, "upstream_unavailable")
    assert reply.headers["x-should-retry"] == "true"
    assert json.loads(reply.data)["error"]["message"] == "The upstream cannot be reached."
    assert books.of(caller).is_untouched


def test_an_answer_with_usage_is_booked_as_the_provider_says(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(answer(completion(service_tier="default"), x_request_id="req_1"))
    reply = caller.chat()
    entry = books.of(caller)
    assert (entry.spent, entry.in_doubt) == (USAGE_NANO, 0)
    row = entry.row
    assert (row["usage_source"], row["status"], row["overrun"]) == ("provider", 200, False)
    assert (row["input_tokens"], row["output_tokens"]) == (10, 5)
    assert (row["model_served"], row["service_tier"]) == ("gpt-4o-mini", "default")
    assert row["upstream_request_id"] == "req_1"
    assert row["request_id"] == reply.headers["x-spendgate-request-id"]


@pytest.mark.parametrize(
    "reported",
    [
        None,
        {},
        [],
        "15",
        {"prompt_tokens": 10},
        {**USAGE, "completion_tokens": -5},
        {**USAGE, "prompt_tokens": -10},
        {**USAGE, "completion_tokens": "5"},
        {**USAGE, "completion_tokens": True},
        {**USAGE, "completion_tokens": 5.0},
        {**USAGE, "completion_tokens": 10**15},
        {**USAGE, "prompt_tokens_details": {"cached_tokens": 11}},
        {**USAGE, "prompt_tokens_details": {"cached_tokens": -1}},
        {**USAGE, "completion_tokens_details": {"reasoning_tokens": 6}},
    ],
    ids=str,
)
def test_an_answer_without_possible_usage_is_counted(
    caller: Caller, upstream: RawUpstream, books: Books, reported: object
) -> None:
    upstream.plays(answer(completion("I get a notion", usage=reported)))
    assert caller.chat().status == 200
    entry = books.of(caller)
    assert entry.row["usage_source"] == "counted"
    assert (entry.row["input_tokens"], entry.row["output_tokens"]) == (HELLO_TOKENS, 4)
    assert entry.spent == (HELLO_TOKENS * INPUT_NANO + 4 * OUTPUT_NANO) * 105 // 100


def test_usage_anywhere_but_at_the_top_is_not_believed(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    lie = {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}
    upstream.plays(answer(without_usage(message=lie, response=lie)))
    caller.chat()
    assert books.of(caller).row["usage_source"] == "counted"


def test_what_a_reasoning_model_hides_is_bounded_by_its_hold(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(answer(without_usage(model="o4-mini")))
    caller.chat(model="o4-mini", max_tokens=1000)
    row = books.of(caller).row
    assert row["usage_source"] == "counted"
    assert row["cost_usd"] == row["bound_usd"]


@pytest.mark.parametrize("body", [b"", b"OK", b"[]", b"null", b'{"choices":', HTML, b"[" * 100_000])
def test_an_answer_that_makes_no_sense_is_booked_at_its_hold(
    caller: Caller, upstream: RawUpstream, books: Books, body: bytes
) -> None:
    upstream.plays(answer(body))
    reply = caller.chat(max_tokens=50)
    assert (reply.status, reply.data) == (200, body)
    row = books.of(caller).row
    assert (row["usage_source"], row["cost_usd"]) == ("counted", row["bound_usd"])


@pytest.mark.parametrize(
    "whole",
    [
        {"choices": None, "usage": USAGE},
        {"choices": [None, 1, {"message": None}], "usage": USAGE},
        {"choices": {"message": 1}, "model": 7, "service_tier": 1, "usage": USAGE},
    ],
    ids=str,
)
def test_an_answer_of_an_odd_shape_is_passed_on_and_booked(
    caller: Caller, upstream: RawUpstream, books: Books, whole: dict[str, object]
) -> None:
    upstream.plays(answer(whole))
    assert json.loads(caller.chat().data) == whole
    assert books.of(caller).spent == USAGE_NANO


def test_a_dearer_model_than_asked_for_is_paid_in_full(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(answer(completion(model="gpt-4", usage={"prompt_tokens": 1000, "completion_tokens": 5})))
    reply = caller.chat(max_tokens=5)
    entry = books.of(caller)
    # gpt-4: $30 and $60 per million tokens.
    assert entry.spent == 1000 * 30_000 + 5 * 60_000
    assert entry.row["overrun"] is True
    assert (entry.row["model"], entry.row["model_served"]) == ("gpt-4o-mini", "gpt-4")
    assert nano(reply.headers["x-spendgate-cost-usd"]) == entry.spent


def test_a_model_of_the_answer_without_a_price_is_paid_as_asked_for(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(answer(completion(model="nobody-knows-it")))
    caller.chat()
    assert books.of(caller).spent == USAGE_NANO


def test_an_idle_connection_that_the_upstream_closed_is_not_used_again(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    gone = threading.Event()

    def answer_and_leave(wire: Wire) -> None:
        answer(completion())(wire)
        wire.close()
        gone.set()

    upstream.plays(answer_and_leave, answer(completion()))
    assert caller.chat().status == 200
    assert gone.wait(5)
    assert caller.chat().status == 200
    assert books.of(caller).spent == 2 * USAGE_NANO


def test_one_connection_serves_one_call_after_the_other(caller: Caller, upstream: RawUpstream) -> None:
    caller.chat()
    upstream.plays(answer(completion()))
    assert [caller.chat().status for _ in range(3)] == [200, 200, 200]
    assert upstream.connections == 0


def test_a_call_whose_caller_has_gone_runs_to_its_end(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    go = threading.Event()

    def slowly(wire: Wire) -> None:
        assert go.wait(5)
        answer(completion())(wire)

    upstream.plays(slowly)
    by_hand = caller.service.http.connection_from_url(caller.service.url)._new_conn()
    raw = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]})
    headers = {"authorization": f"Bearer {caller.secret}", "content-type": "application/json"}
    by_hand.request("POST", "/v1/chat/completions", body=raw, headers=headers)
    upstream.wait_for_request()
    by_hand.close()
    go.set()
    assert books.of(caller).row["usage_source"] == "provider"
