"""How a stream can end, what the caller is told, and what the ledger says after."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from service.operations.chat import CHAT
from service.services import Services
from service.streaming import MeteredStream
from tests.flow.conftest import Books, incoming
from tests.flow.raw_upstream import PATIENCE_SECONDS, RawUpstream, Script, Wire
from tests.flow.scripts import (
    DONE,
    HELLO_TOKENS,
    INPUT_NANO,
    OUTPUT_NANO,
    USAGE_NANO,
    answer,
    completion,
    delta,
    event,
    refusal,
    stream,
    usage_event,
)
from tests.harness import HELLO, Caller, eventually

TWO = [delta("one"), delta(" two")]


def counted_nano(output_tokens: int) -> int:
    """What a counted gpt-4o-mini answer to HELLO is booked at: 5 % above the list price, rounded up."""
    return -(-(HELLO_TOKENS * INPUT_NANO + output_tokens * OUTPUT_NANO) * 105 // 100)


def cut_off(wire: Wire) -> None:
    wire.stream_head()
    for each in TWO:
        wire.chunk(each)
    wire.close()


def cut_in_an_event(wire: Wire) -> None:
    wire.stream_head()
    wire.chunk(TWO[0] + TWO[1] + b'data: {"choices": [{"del')
    wire.close()


def reset_in_the_middle(wire: Wire) -> None:
    wire.stream_head()
    for each in TWO:
        wire.chunk(each)
    wire.reset()


def silent_in_the_middle(wire: Wire) -> None:
    wire.stream_head()
    for each in TWO:
        wire.chunk(each)
    wire.wait_for_hang_up()


CUTS: dict[str, Script] = {
    "connection closed": cut_off,
    "closed within an event": cut_in_an_event,
    "connection reset": reset_in_the_middle,
    "silence": silent_in_the_middle,
    "clean end without usage or [DONE]": stream(*TWO),
    "clean end within an event": stream(*TWO, b'data: {"choices": [{"del'),
}


def cut_event(body: bytes) -> dict[str, Any]:
    """The error in the last event of a stream."""
    last = body.removesuffix(b"\n\n").split(b"\n\n")[-1]
    error: dict[str, Any] = json.loads(last.removeprefix(b"data: "))["error"]
    return error


def test_a_complete_stream_is_booked_as_the_provider_says(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(stream(*TWO, usage_event(), DONE, x_request_id="req_9"))
    assert caller.chat(stream=True).data == b"".join(TWO) + DONE
    entry = books.of(caller)
    assert (entry.spent, entry.in_doubt) == (USAGE_NANO, 0)
    assert (entry.row["usage_source"], entry.row["upstream_request_id"]) == ("provider", "req_9")
    assert entry.row["ttft_ms"] is not None


def test_usage_in_the_last_piece_of_text_counts_and_the_text_stays(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    last = delta(" two", usage={"prompt_tokens": 10, "completion_tokens": 5})
    upstream.plays(stream(TWO[0], last, DONE))
    assert caller.chat(stream=True).data == TWO[0] + last + DONE
    assert books.of(caller).spent == USAGE_NANO


def test_a_stream_without_usage_is_counted(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    upstream.plays(stream(*TWO, DONE))
    assert caller.chat(stream=True).data == b"".join(TWO) + DONE
    entry = books.of(caller)
    assert entry.row["usage_source"] == "counted"
    assert (entry.row["input_tokens"], entry.row["output_tokens"]) == (HELLO_TOKENS, 2)
    assert entry.spent == counted_nano(2)


@pytest.mark.parametrize("ends", [b"\n\r\n", b"\r\n\r\n", b"\r\n\n", b"\r\r"])
def test_every_event_is_counted_however_it_ends(
    caller: Caller, upstream: RawUpstream, books: Books, ends: bytes
) -> None:
    pieces = [piece.replace(b"\n\n", ends) for piece in (*TWO, delta(" three"))]
    upstream.plays(stream(*pieces, DONE))
    assert caller.chat(stream=True).data == b"".join(pieces) + DONE
    assert books.of(caller).row["output_tokens"] == 3


def test_everything_visible_is_counted(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    call = {"index": 0, "id": "call_1", "function": {"name": "look", "arguments": '{"a": 1}'}}
    first = [delta("one"), delta(delta={"refusal": "no"}), delta(delta={"tool_calls": [call]})]
    upstream.plays(stream(*first, delta(" two", index=1), DONE))
    caller.chat(stream=True, n=2)
    # one, no, look and {"a": 1} (6 tokens) in the first choice, " two" in the second.
    assert books.of(caller).row["output_tokens"] == 10


@pytest.mark.parametrize("script", CUTS.values(), ids=CUTS.keys())
def test_a_stream_that_breaks_says_so_and_is_counted(
    caller: Caller, upstream: RawUpstream, books: Books, script: Script
) -> None:
    upstream.plays(script)
    body = caller.chat(stream=True).data
    assert body.startswith(b"".join(TWO))
    error = cut_event(body)
    assert (error["code"], error["type"], error["param"]) == ("upstream_stream_cut", "server_error", None)
    assert b"[DONE]" not in body
    entry = books.of(caller)
    assert (entry.spent, entry.in_doubt) == (counted_nano(2), 0)
    assert entry.row["usage_source"] == "counted"


@pytest.mark.parametrize("script", CUTS.values(), ids=CUTS.keys())
def test_a_broken_stream_of_a_reasoning_model_is_in_doubt(
    caller: Caller, upstream: RawUpstream, books: Books, script: Script
) -> None:
    upstream.plays(script)
    assert cut_event(caller.chat(stream=True, model="o4-mini", max_tokens=500).data)["code"]
    entry = books.of(caller)
    assert entry.in_doubt > 0
    assert (entry.spent, entry.rows) == (0, [])


def test_a_stream_that_breaks_before_any_event_counts_its_input(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    def head_only(wire: Wire) -> None:
        wire.stream_head()
        wire.close()

    upstream.plays(head_only)
    assert cut_event(caller.chat(stream=True).data)["code"] == "upstream_stream_cut"
    assert books.of(caller).spent == counted_nano(0)


def test_a_stream_that_breaks_after_its_usage_is_booked_by_it(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    def cut_before_done(wire: Wire) -> None:
        wire.stream_head()
        wire.chunk(TWO[0] + usage_event())
        wire.close()

    upstream.plays(cut_before_done)
    caller.chat(stream=True, model="o4-mini", max_tokens=500)
    assert books.of(caller).row["usage_source"] == "provider"


def test_a_clean_end_with_usage_needs_no_done(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    upstream.plays(stream(*TWO, usage_event()))
    assert caller.chat(stream=True).data == b"".join(TWO)
    assert books.of(caller).spent == USAGE_NANO


def test_an_error_event_of_the_upstream_is_passed_on(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    error = event(refusal("The server had an error", type="server_error"))
    upstream.plays(stream(*TWO, error))
    body = caller.chat(stream=True).data
    assert body.startswith(b"".join(TWO) + error)
    assert b"[DONE]" not in body
    assert books.of(caller).spent == counted_nano(2)


def test_a_whole_answer_to_a_stream_is_passed_on_and_booked(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(answer(completion()))
    reply = caller.chat(stream=True)
    assert json.loads(reply.data) == completion()
    assert reply.headers["content-type"] == "application/json"
    assert books.of(caller).spent == USAGE_NANO


def test_a_stream_to_a_plain_call_is_passed_on_and_booked(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    upstream.plays(stream(*TWO, DONE))
    assert caller.chat().data == b"".join(TWO) + DONE
    assert books.of(caller).spent == counted_nano(2)


def test_a_stream_past_its_cap_is_cut(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    gone = threading.Event()

    def endless(wire: Wire) -> None:
        wire.stream_head()
        try:
            while True:
                wire.chunk(delta(" more"))
        except OSError:
            gone.set()

    upstream.plays(endless)
    body = caller.chat(stream=True, max_tokens=5).data
    assert cut_event(body)["code"] == "upstream_stream_cut"
    assert gone.wait(PATIENCE_SECONDS)
    # The cap, and the slack that a count needs.
    assert books.of(caller).row["output_tokens"] == 5 + 16 + 1


# Callers that do not stay.


def open_stream(caller: Caller, **fields: Any) -> tuple[Any, Iterator[bytes]]:
    reply = caller.chat(stream=True, by_hand=True, **fields)
    assert reply.status == 200
    return reply, reply.stream()


class Faucet:
    """A stream whose pieces a test lets go one by one; it tells when the other side has gone."""

    def __init__(self) -> None:
        self._next = threading.Semaphore(0)
        self._pieces: list[bytes | None] = []
        self.hung_up = threading.Event()

    def let_go(self, *pieces: bytes | None) -> None:
        """None is the clean end."""
        self._pieces += pieces
        self._next.release(len(pieces))

    def __call__(self, wire: Wire) -> None:
        wire.stream_head()
        for number in range(1000):
            assert self._next.acquire(timeout=PATIENCE_SECONDS)
            piece = self._pieces[number]
            try:
                if piece is None:
                    wire.end()
                    return
                wire.chunk(piece)
            except OSError:
                self.hung_up.set()
                return


def let_go_until_hung_up(faucet: Faucet) -> None:
    """The service sees that its caller has gone when it writes: so one piece after the other."""

    def gone() -> bool:
        faucet.let_go(delta(" more"))
        return faucet.hung_up.is_set()

    eventually(gone)


def test_a_caller_gone_in_the_middle_closes_the_upstream_and_pays_what_came(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    faucet = Faucet()
    upstream.plays(faucet)
    faucet.let_go(*TWO)
    reply, pieces = open_stream(caller)
    assert next(pieces).startswith(TWO[0])
    reply.close()
    let_go_until_hung_up(faucet)
    entry = books.of(caller)
    assert entry.row["usage_source"] == "counted"
    assert 2 <= entry.row["output_tokens"] < 20
    assert entry.spent == counted_nano(entry.row["output_tokens"])


def test_a_reasoning_models_stream_is_read_to_its_end_when_the_caller_has_gone(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    faucet = Faucet()
    upstream.plays(faucet)
    faucet.let_go(*TWO)
    reply, pieces = open_stream(caller, model="o4-mini", max_tokens=500)
    next(pieces)
    reply.close()
    faucet.let_go(*[delta(" more")] * 20, usage_event(completion_tokens=400), DONE, None)
    row = books.of(caller).row
    assert (row["usage_source"], row["output_tokens"]) == ("provider", 400)
    assert not faucet.hung_up.is_set()


def test_a_reasoning_models_stream_without_usage_read_alone_is_booked_at_its_hold(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    faucet = Faucet()
    upstream.plays(faucet)
    faucet.let_go(*TWO)
    reply, pieces = open_stream(caller, model="o4-mini", max_tokens=500)
    next(pieces)
    reply.close()
    faucet.let_go(*[delta(" more")] * 20, DONE, None)
    row = books.of(caller).row
    assert (row["usage_source"], row["cost_usd"]) == ("counted", row["bound_usd"])


def test_a_reasoning_models_stream_read_alone_is_still_cut_at_its_cap(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    faucet = Faucet()
    upstream.plays(faucet)
    faucet.let_go(*TWO)
    reply, pieces = open_stream(caller, model="o4-mini", max_tokens=5)
    next(pieces)
    reply.close()
    let_go_until_hung_up(faucet)
    assert books.of(caller).in_doubt > 0


def test_a_caller_that_leaves_at_done_has_paid_already(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    go = threading.Event()

    def lingering(wire: Wire) -> None:
        wire.stream_head()
        wire.chunk(TWO[0] + usage_event() + DONE)
        go.wait(PATIENCE_SECONDS)

    upstream.plays(lingering)
    reply, pieces = open_stream(caller)
    body = b""
    while not body.endswith(DONE):
        body += next(pieces)
    # Neither the caller nor the upstream has ended anything yet.
    assert books.held(caller) == 0
    reply.close()
    go.set()
    assert books.of(caller).spent == USAGE_NANO


def test_a_caller_gone_before_the_first_byte_pays_the_input_and_what_came(
    caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    go = threading.Event()
    faucet = Faucet()

    def late(wire: Wire) -> None:
        assert go.wait(PATIENCE_SECONDS)
        faucet(wire)

    upstream.plays(late)
    by_hand = caller.service.http.connection_from_url(caller.service.url)._new_conn()
    raw = json.dumps({"model": "gpt-4o-mini", "messages": HELLO, "stream": True})
    headers = {"authorization": f"Bearer {caller.secret}", "content-type": "application/json"}
    by_hand.request("POST", "/v1/chat/completions", body=raw, headers=headers)
    upstream.wait_for_request()
    by_hand.close()
    go.set()
    let_go_until_hung_up(faucet)
    entry = books.of(caller)
    assert entry.spent == counted_nano(entry.row["output_tokens"])


def test_a_slow_reader_gets_everything(caller: Caller, upstream: RawUpstream, books: Books) -> None:
    """More than the sockets' buffers hold, all of it booked before the caller has read the first half."""
    pieces = [delta("x", padding="p" * 100_000) for _ in range(100)]
    upstream.plays(stream(*pieces, usage_event(), DONE))
    reply, got = open_stream(caller)
    body = next(got)
    threading.Event().wait(0.3)  # a reader that takes its time has no event to wait for
    body += b"".join(got)
    reply.close()
    assert body == b"".join(pieces) + DONE
    assert books.of(caller).spent == USAGE_NANO


# What only the service's own hands can reach.


def raw_body(**fields: Any) -> bytes:
    return json.dumps({"model": "gpt-4o-mini", "messages": HELLO, "stream": True, **fields}).encode()


def test_a_stream_that_was_never_begun_is_booked_when_it_is_closed(
    own: Services, caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    faucet = Faucet()
    upstream.plays(faucet)
    faucet.let_go(*TWO)
    reply = own.gateway.call(CHAT, incoming(caller, raw_body()))
    assert isinstance(reply.body, MeteredStream)
    assert own.gateway.in_flight == 1
    reply.body.close()
    reply.body.close()
    assert own.gateway.in_flight == 0
    assert books.of(caller).row["usage_source"] == "counted"
    assert reply.cost_nano_usd == books.of(caller).spent
    let_go_until_hung_up(faucet)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_stream_that_only_its_close_ends_is_left_at_once(
    own: Services, caller: Caller, upstream: RawUpstream, books: Books, version: bytes
) -> None:
    """Without chunks or a length the end of the connection is the end of the body."""
    hung_up = threading.Event()

    def unframed(wire: Wire) -> None:
        wire.send(b"HTTP/%s 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" % version)
        wire.send(TWO[0])
        wire.wait_for_hang_up()
        hung_up.set()

    upstream.plays(unframed)
    reply = own.gateway.call(CHAT, incoming(caller, raw_body()))
    assert next(iter(reply.body)) == TWO[0]
    begun = time.monotonic()
    reply.body.close()
    assert time.monotonic() - begun < 0.6  # sooner than the time-out of a read
    assert hung_up.wait(0.3)
    assert books.of(caller).spent == counted_nano(1)


def test_a_connection_that_was_hung_up_is_not_used_again(
    own: Services, caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    go = threading.Event()

    def ends_well(wire: Wire) -> None:
        wire.stream_head()
        wire.chunk(TWO[0])
        wire.wait_for_hang_up()
        wire.end()
        go.wait(PATIENCE_SECONDS)

    upstream.plays(ends_well, answer(completion()))
    reply = own.gateway.call(CHAT, incoming(caller, raw_body()))
    assert next(iter(reply.body)) == TWO[0]
    reply.body.close()
    assert own.gateway.call(CHAT, incoming(caller, raw_body(stream=False))).status == 200
    go.set()
    assert books.of(caller).in_doubt == 0


def test_a_drain_books_a_running_stream_and_tells_its_caller(
    own: Services, caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    faucet = Faucet()
    upstream.plays(faucet)
    faucet.let_go(*TWO)
    reply = own.gateway.call(CHAT, incoming(caller, raw_body()))
    assert next(iter(reply.body)).startswith(TWO[0])
    assert own.gateway.drain() == 1
    entry = books.of(caller)
    assert entry.row["usage_source"] == "counted"
    rest = b"".join(reply.body)
    assert cut_event(rest)["message"] == "The service is shutting down."
    reply.body.close()
    assert books.of(caller) == entry
    let_go_until_hung_up(faucet)


def test_a_drain_leaves_a_plain_call_in_doubt(
    own: Services, caller: Caller, upstream: RawUpstream, books: Books
) -> None:
    go = threading.Event()

    def slowly(wire: Wire) -> None:
        assert go.wait(PATIENCE_SECONDS)
        answer(completion())(wire)

    upstream.plays(slowly)
    replies: list[Any] = []
    plain = threading.Thread(
        target=lambda: replies.append(own.gateway.call(CHAT, incoming(caller, raw_body(stream=False))))
    )
    plain.start()
    upstream.wait_for_request()
    own.gateway.drain()
    assert books.of(caller).in_doubt > 0
    go.set()
    plain.join(PATIENCE_SECONDS)
    # Its reply was paid for, so it is delivered all the same.
    assert replies[0].parsed == completion()
