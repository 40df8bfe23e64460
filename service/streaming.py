"""A metered stream: the upstream's events to the caller, and the books right however it ends.

The settle comes before the last event goes out, since callers close at `[DONE]` and some never read
it. An iterator with a `close` of its own rather than a generator: a generator that was never started
runs no `finally`, and its hold would stay.
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from service.call import Call
from service.errors import UpstreamError
from service.logs import log
from service.money import format_usd
from service.upstream.answer import Answer
from service.upstream.errors import StillComing
from service.upstream.sse import Event, EventTooLong, Splitter


class MeteredStream:
    """Iterate for bytes; close it in any case, started or not."""

    def __init__(self, call: Call, answer: Answer, *, forwards_usage: bool) -> None:
        self._call = call
        self._answer = answer
        self._splitter = Splitter()
        self._ready: deque[bytes] = deque()
        self._forwards_usage = forwards_usage
        self._over = False
        self._last: Event | None = None
        assert call.tally is not None
        self._tally = call.tally
        self._visible_cap = call.operation.visible_cap(call.body, call.model, call.hold.cap_tokens)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not self._ready:
            if self._over:
                raise StopIteration
            self._pull()
        out = b"".join(self._ready)
        self._ready.clear()
        return out

    def close(self) -> None:
        """The caller is gone, or done. Before the end: read what there is to read, and book it."""
        if not self._over:
            self._over = True
            try:
                if not self._call.ended:
                    self._read_on_alone()
            finally:
                self._call.settle_received(self._tally)
        self._answer.close()

    def _pull(self) -> None:
        """Take the next bytes in; put what goes to the caller into `_ready`."""
        try:
            piece = self._answer.next_piece()
            events = self._splitter.feed(piece) if piece is not None else []
        except (UpstreamError, EventTooLong) as error:
            self._cut(str(error))
            return
        if piece is None:
            self._ended_without_done()
            return
        for number, event in enumerate(events):
            self._take(event)
            if self._over:
                self._read_to_end(events[number + 1 :])
                return

    def _take(self, event: Event) -> None:
        if event.is_done:
            self._finish(event)
            return
        chunk = event.json()
        if chunk is not None:
            self._count(chunk)
            if self._tally.is_last(chunk):
                self._finish(event)
                return
            if self._tally.is_usage_only(chunk) and not self._forwards_usage:
                return
        self._ready.append(event.raw)
        if self._past_its_cap():
            self._answer.abort()
            self._cut("The upstream went past the output cap it was given.")

    def _past_its_cap(self) -> bool:
        return self._tally.cap_passed(self._visible_cap, self._call.model.encoding)

    def _finish(self, last: Event) -> None:
        """Book first, then let the last event go."""
        self._over = True
        self._call.settle(self._tally)
        self._ready.append(self._cost_comment() + last.raw)
        self._last = last

    def _count(self, chunk: dict[str, Any]) -> None:
        if self._call.first_token_at is None:
            self._call.first_token_at = time.monotonic()
        self._tally.add_chunk(chunk)

    def _ended_without_done(self) -> None:
        """A clean end without `[DONE]` is one if the usage came; else the upstream lost its thread."""
        if self._tally.usage is None or self._splitter.rest:
            self._cut("The upstream's stream ended before it was complete.")
            return
        self._over = True
        self._call.settle(self._tally)
        if comment := self._cost_comment():
            self._ready.append(comment + b"\n")

    def _cut(self, why: str) -> None:
        self._over = True
        if self._call.ended:  # by a drain
            why = "The service is shutting down."
        self._call.settle_received(self._tally)
        error = {"message": why, "type": "server_error", "param": None, "code": "upstream_stream_cut"}
        self._ready.append(self._call.operation.stream_cut(error))

    def _cost_comment(self) -> bytes:
        """One SSE comment line, glued to the event it stands before."""
        outcome = self._call.outcome
        if not self._call.incoming.wants_stream_cost or outcome.cost_nano_usd is None:
            return b""
        comment = f": spendgate cost_usd={format_usd(outcome.cost_nano_usd)}"
        if outcome.remaining_nano_usd is not None:
            comment += f" remaining_usd={format_usd(outcome.remaining_nano_usd)}"
        return comment.encode() + b"\n"

    def _read_on_alone(self) -> None:
        """The caller has gone. A model that reasons is read to its end, for only the provider knows what
        it used; of any other only what has already come, and the connection is closed."""
        try:
            for piece in self._rest() if self._call.is_opaque else self._answer.stop():
                for event in self._splitter.feed(piece):
                    chunk = None if event.is_done else event.json()
                    if chunk is not None:
                        self._count(chunk)
                    if event.is_done or (chunk is not None and self._tally.is_last(chunk)):
                        self._call.settle(self._tally)
                        return
                    if self._past_its_cap():
                        return
        except StillComing:
            self._call.doubt()
        except (UpstreamError, EventTooLong):
            return  # the stream broke: what came is what there is

    def _rest(self) -> Iterator[bytes]:
        while (piece := self._answer.next_piece()) is not None:
            yield piece

    def _read_to_end(self, events: list[Event]) -> None:
        """Having read to the end lets the connection be used again. Past `[DONE]` nothing goes out, but an
        event of the endpoint's own that is the last may have a `[DONE]` behind it."""
        if self._last is None:  # it was cut
            return
        late = [*(event.raw for event in events), self._splitter.rest, *self._answer.left()]
        if not self._last.is_done:
            self._ready.extend(late)
        elif any(late):
            log.debug("bytes_after_done", endpoint=self._call.operation.name)
