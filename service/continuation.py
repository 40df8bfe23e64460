"""Few-shot continuation: a loop around the chat operation, each round through the one door.

A system message, pairs of example, a prompt; each reply is appended and fed back for the next round.
Every round is a call of its own, with its own hold and row; a run that cannot go on keeps what it has.
"""

import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from service.call import Incoming
from service.errors import (
    BudgetInFlight,
    InsufficientQuota,
    RateLimited,
    SpendgateError,
    Unauthenticated,
    UpstreamTimeout,
)
from service.gateway import Gateway, Reply
from service.money import format_usd
from service.operations.chat import CHAT
from service.schemas.chat import SHARED_PARAMETERS
from service.schemas.continuation import CONTINUATION
from service.secrets import random_text
from service.streaming import MeteredStream
from service.upstream.sse import Splitter

RUN_SECONDS = 300
WAIT_FOR_BUDGET_SECONDS = 10
BUDGET_POLL_SECONDS = 0.25

# Everything else in the body is the chat call's, known to us or not.
_OWN_FIELDS = CONTINUATION.load_fields.keys() - SHARED_PARAMETERS.keys()


class UpstreamRefused(SpendgateError):
    """The upstream refused a round; in the first its own words are passed on."""

    code = "upstream_error"

    def __init__(self, reply: Reply) -> None:
        super().__init__("The upstream refused this round.")
        self.reply = reply


@dataclass
class Run:
    """A continuation while it runs: the transcript and the results so far."""

    id: str
    model: str
    messages: list[dict[str, Any]]
    results: list[dict[str, Any]] = field(default_factory=list)
    incomplete: str | None = None
    cost_nano_usd: int = 0

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": self.id,
            "object": "continuation",
            "model": self.model,
            "status": "incomplete" if self.incomplete else "completed",
            "results": self.results,
            "messages": self.messages,
            "usage": _sum_usage([result["usage"] for result in self.results]),
            "cost_usd": format_usd(self.cost_nano_usd),
        }
        if self.incomplete:
            body["incomplete_details"] = {"reason": self.incomplete}
        return body


class Continuations:
    """Runs continuations. `clock` and `sleep` are time.monotonic and time.sleep but for tests."""

    def __init__(
        self,
        gateway: Gateway,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._sleep = sleep

    def run(self, fields: dict[str, Any], incoming: Incoming) -> Run:
        """All rounds. Raises the error of the first; a later one ends the run as incomplete."""
        run, deadline = _begin(fields), self._clock() + RUN_SECONDS
        for index in range(fields.get("rounds") or 1):
            if not self.may_go_on(run, fields, index, deadline):
                break
            reply = self.round(run, fields, incoming, index, deadline, stream=False)
            if reply is None or not _take(run, index, reply.parsed or {}, reply.cost_nano_usd or 0):
                break
        return run

    def stream(self, fields: dict[str, Any], incoming: Incoming) -> "ContinuationStream":
        """As `run`, as server-sent events. The first round is asked for before anything is sent, so its
        error is an answer with a status like any other."""
        run, deadline = _begin(fields), self._clock() + RUN_SECONDS
        first = self.round(run, fields, incoming, 0, deadline, stream=True)
        assert first is not None  # the first round either answers or raises
        return ContinuationStream(self, run, fields, incoming, deadline, first)

    def may_go_on(self, run: Run, fields: dict[str, Any], index: int, deadline: float) -> bool:
        """Between rounds: the follow-up, the pause, and the end of time."""
        if index == 0:
            return True
        pause = (fields.get("pause_ms") or 0) / 1000
        if self._clock() + pause >= deadline:
            run.incomplete = "timeout"
            return False
        if pause:
            self._sleep(pause)
        if fields.get("follow_up"):
            run.messages.append({"role": "user", "content": fields["follow_up"]})
        return True

    def round(
        self,
        run: Run,
        fields: dict[str, Any],
        incoming: Incoming,
        index: int,
        deadline: float,
        *,
        stream: bool,
    ) -> Reply | None:
        """One round; None if it ended the run, whose reason is then set."""
        body = {
            name: value for name, value in fields.items() if value is not None and name not in _OWN_FIELDS
        }
        body |= {"model": run.model, "messages": run.messages}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        raw = json.dumps(body, separators=(",", ":")).encode()
        left = max(deadline - self._clock(), 0.001)
        call = Incoming(incoming.secret, raw, incoming.request_id, incoming.headers, timeout_seconds=left)
        try:
            reply = self._call_when_budget_allows(call, index, deadline)
            if not 200 <= reply.status < 300:
                raise UpstreamRefused(reply)
            return reply
        except SpendgateError as error:
            if index == 0:
                raise
            run.incomplete = _reason(error)
            return None

    def is_late(self, deadline: float) -> bool:
        return self._clock() >= deadline

    def _call_when_budget_allows(self, call: Incoming, index: int, deadline: float) -> Reply:
        """In mid-run, money that other calls hold for the moment is waited for, a while."""
        give_up = min(self._clock() + WAIT_FOR_BUDGET_SECONDS, deadline)
        while True:
            try:
                return self._gateway.call(CHAT, call)
            except BudgetInFlight:
                if index == 0 or self._clock() + BUDGET_POLL_SECONDS >= give_up:
                    raise
                self._sleep(BUDGET_POLL_SECONDS)


class ContinuationStream:
    """The events of a run. Close it in any case: a round that is under way is booked then."""

    def __init__(
        self,
        continuations: Continuations,
        run: Run,
        fields: dict[str, Any],
        incoming: Incoming,
        deadline: float,
        first: Reply,
    ) -> None:
        self._continuations = continuations
        self._run = run
        self._fields = fields
        self._incoming = incoming
        self._deadline = deadline
        self._reply: Reply | None = first
        self._events = self._all_events()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        self._events.close()
        if self._reply is not None and isinstance(self._reply.body, MeteredStream):
            self._reply.body.close()

    def _all_events(
        self,
    ) -> Generator[bytes, None, None]:  # a generator; `close` above covers one never started
        run = self._run
        yield _event("continuation.created", {"id": run.id, "object": "continuation", "model": run.model})
        for index in range(self._fields.get("rounds") or 1):
            if index and not self._next_round(index):
                break
            if not (yield from self._round_events(index)):
                break
        kind = "continuation.incomplete" if run.incomplete else "continuation.completed"
        yield _event(kind, run.body())
        yield b"data: [DONE]\n\n"

    def _next_round(self, index: int) -> bool:
        if not self._continuations.may_go_on(self._run, self._fields, index, self._deadline):
            return False
        self._reply = self._continuations.round(
            self._run, self._fields, self._incoming, index, self._deadline, stream=True
        )
        return self._reply is not None

    def _round_events(self, index: int) -> Generator[bytes, None, bool]:
        """The deltas of one round, then its result; whether the run goes on."""
        assert self._reply is not None
        reply, gathered = self._reply, _Gathered()
        # An upstream that does not stream answers as a whole: the same, in one event.
        pieces = [b"data: " + reply.body + b"\n\n"] if isinstance(reply.body, bytes) else reply.body
        splitter = Splitter()
        for piece in pieces:
            for event in splitter.feed(piece):
                chunk = event.json()
                if chunk is None:
                    continue
                for delta in gathered.add(chunk):
                    yield _event("round.delta", {"index": index, "delta": delta})
            if self._continuations.is_late(self._deadline):
                self._run.incomplete = "timeout"
                return False
        self._reply = None
        if isinstance(reply.body, MeteredStream):
            reply.body.close()
        if gathered.error:
            self._run.incomplete = "upstream_error"
            return False
        goes_on = _take(self._run, index, gathered.completion(), reply.cost_nano_usd or 0)
        yield _event("round.completed", self._run.results[-1])
        return goes_on


class _Gathered:
    """A streamed chat completion put together again."""

    def __init__(self) -> None:
        self.error = False
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: dict[str, Any] | None = None

    def add(self, chunk: dict[str, Any]) -> list[str]:
        """Take in a chunk; gives the texts it adds to the first choice."""
        self.error = self.error or "error" in chunk
        self._usage = chunk.get("usage") or self._usage
        deltas = []
        for choice in chunk.get("choices") or ():
            found = self._choices.setdefault(choice["index"], {"message": {"content": None}})
            found["finish_reason"] = choice.get("finish_reason") or found.get("finish_reason")
            text = _add_delta(found["message"], choice.get("delta") or choice.get("message") or {})
            if text and choice["index"] == 0:
                deltas.append(text)
        return deltas

    def completion(self) -> dict[str, Any]:
        return {"choices": [self._choices[i] for i in sorted(self._choices)], "usage": self._usage}


def _add_delta(message: dict[str, Any], delta: dict[str, Any]) -> str:
    if delta.get("refusal"):
        message["refusal"] = (message.get("refusal") or "") + delta["refusal"]
    for call in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", {})
        found = calls.setdefault(
            call.get("index", len(calls)), {"id": None, "type": "function", "function": {}}
        )
        found["id"] = call.get("id") or found["id"]
        for name, part in (call.get("function") or {}).items():
            found["function"][name] = found["function"].get(name, "") + (part or "")
    text: str = delta.get("content") or ""
    if text:
        message["content"] = (message["content"] or "") + text
    return text


def _begin(fields: dict[str, Any]) -> Run:
    messages: list[dict[str, Any]] = []
    if fields.get("system"):
        messages.append({"role": "system", "content": fields["system"]})
    for example in fields.get("examples") or ():
        messages.append({"role": "user", "content": example["user"]})
        messages.append({"role": "assistant", "content": example["assistant"]})
    messages.append({"role": "user", "content": fields["prompt"]})
    return Run(f"cont_{random_text(24)}", fields["model"], messages)


def _take(run: Run, index: int, completion: dict[str, Any], cost_nano_usd: int) -> bool:
    """Add a round's replies to the run; whether it may go on."""
    choices = completion.get("choices") or [{}]
    run.cost_nano_usd += cost_nano_usd
    for number, choice in enumerate(choices):
        result = _result(index + number, choice)
        # One call, one usage, one cost: with several choices it stands with the first.
        result["usage"] = completion.get("usage") if number == 0 else None
        result["cost_usd"] = format_usd(cost_nano_usd if number == 0 else 0)
        run.results.append(result)
    message = choices[0].get("message") or {}
    run.messages.append(_as_input(message))
    run.incomplete = _why_stop(message, choices[0].get("finish_reason"))
    return run.incomplete is None


def _result(index: int, choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message") or {}
    result = {
        "index": index,
        "content": message.get("content"),
        "finish_reason": choice.get("finish_reason"),
    }
    if message.get("refusal"):
        result["refusal"] = message["refusal"]
    if message.get("tool_calls"):
        result["tool_calls"] = _calls(message)
    return result


def _as_input(message: dict[str, Any]) -> dict[str, Any]:
    """A reply as the assistant message it becomes."""
    appended: dict[str, Any] = {"role": "assistant", "content": message.get("content")}
    if message.get("refusal"):
        appended["refusal"] = message["refusal"]
    if message.get("tool_calls"):
        appended["tool_calls"] = _calls(message)
    return appended


def _calls(message: dict[str, Any]) -> list[Any]:
    calls = message["tool_calls"]
    return [calls[i] for i in sorted(calls)] if isinstance(calls, dict) else calls


def _why_stop(message: dict[str, Any], finish_reason: str | None) -> str | None:
    """Why a reply ends the run; `stop` and `length` go on."""
    if message.get("tool_calls") or finish_reason in ("tool_calls", "function_call"):
        return "tool_calls"
    if message.get("refusal"):
        return "refusal"
    if finish_reason == "content_filter":
        return "content_filter"
    return None


def _reason(error: SpendgateError) -> str:
    """The error of a later round as the reason the run is incomplete."""
    for kind, reason in (
        (BudgetInFlight, "budget_in_flight"),
        (InsufficientQuota, "hard_limit"),
        (RateLimited, "rate_limit"),
        (Unauthenticated, "key_revoked"),
        (UpstreamTimeout, "timeout"),
    ):
        if isinstance(error, kind):
            return reason
    if isinstance(error, UpstreamRefused) and error.reply.status == 429:
        return "rate_limit"
    return "upstream_error"


def _sum_usage(usages: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Usage objects added up, details included."""
    total: dict[str, Any] = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    for usage in usages:
        _add_usage(total, usage or {})
    return total


def _add_usage(total: dict[str, Any], usage: dict[str, Any]) -> None:
    for name, value in usage.items():
        if isinstance(value, dict):
            _add_usage(total.setdefault(name, {}), value)
        elif type(value) is int:
            total[name] = total.get(name, 0) + value


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()
