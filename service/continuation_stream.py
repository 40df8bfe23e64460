"""A continuation as server-sent events: each round's deltas, its result, and the whole at the end."""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from service.call import Incoming
from service.continuation import Continuations
from service.continuation_run import begin, take
from service.gateway import Reply
from service.operations.chat_gathered import Gathered
from service.streaming import MeteredStream
from service.upstream.sse import Splitter


class ContinuationStream:
    """The events of a run. Close it in any case: a round that is under way is booked then."""

    def __init__(
        self,
        continuations: Continuations,
        fields: dict[str, Any],
        incoming: Incoming,
        before: Sequence[dict[str, Any]] = (),
        ended: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: body,
    ) -> None:
        """Asks for the first round before anything is sent, so that its error is an answer with a status
        like any other; raises it. `ended` is told the whole before it goes out, and may add to it."""
        self._continuations = continuations
        self._run = begin(fields, before)
        self._ended = ended
        self._fields = fields
        self._incoming = incoming
        self._deadline = continuations.deadline()
        self._reply: Reply | None = None
        self._next_round(0)
        self._events = self._all_events()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        self._events.close()
        self._close_round()

    def _all_events(self) -> Generator[bytes, None, None]:
        run = self._run
        yield _event("continuation.created", {"id": run.id, "object": "continuation", "model": run.model})
        for index in range(self._fields.get("rounds") or 1):
            if index and not self._next_round(index):
                break
            if not (yield from self._round_events(index)):
                break
        kind = "continuation.incomplete" if run.incomplete else "continuation.completed"
        yield _event(kind, self._ended(run.body()))
        yield b"data: [DONE]\n\n"

    def _next_round(self, index: int) -> bool:
        if not self._continuations.may_go_on(self._run, self._fields, index, self._deadline):
            return False
        self._reply = self._continuations.round(
            self._run, self._fields, self._incoming, index, self._deadline, stream=True
        )
        return self._reply is not None

    def _round_events(self, index: int) -> Generator[bytes, None, bool]:
        """The deltas of one round, then its results; whether the run goes on."""
        assert self._reply is not None
        reply, gathered, run = self._reply, Gathered(), self._run
        for chunk in _chunks(reply):
            for choice, text in gathered.add(chunk):
                yield _event("round.delta", {"index": index + choice, "delta": text})
            if self._continuations.is_late(self._deadline) and not (reply.call and reply.call.ended):
                run.incomplete = "timeout"
                break
        self._close_round()
        if gathered.error:
            run.incomplete = run.incomplete or "upstream_error"
        if run.incomplete:
            run.cost_nano_usd += reply.cost_nano_usd or 0
            return False
        had = len(run.results)
        goes_on = take(run, index, gathered.completion(), reply.cost_nano_usd or 0)
        for result in run.results[had:]:
            yield _event("round.completed", result)
        return goes_on

    def _close_round(self) -> None:
        """Book the round that is under way, if there is one."""
        if self._reply is not None and isinstance(self._reply.body, MeteredStream):
            self._reply.body.close()
        self._reply = None


def _chunks(reply: Reply) -> Iterator[dict[str, Any]]:
    """The events of a streamed round as objects, empty for those that are none. An upstream that does not
    stream answers as a whole: the same, in one."""
    if not isinstance(reply.body, MeteredStream):
        yield reply.parsed or {}
        return
    splitter = Splitter()
    for piece in reply.body:
        for event in splitter.feed(piece):
            yield event.json() or {}


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()
