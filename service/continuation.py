"""Few-shot continuation: a loop around the chat operation, each round through the one door.

A system message, pairs of example, a prompt; each reply is appended and fed back for the next round.
Every round is a call of its own, with its own hold and row; a run that cannot go on keeps what it has.
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from service.call import Incoming
from service.continuation_run import Run, begin, take
from service.errors import (
    BudgetInFlight,
    InsufficientQuota,
    RateLimited,
    SpendgateError,
    Unauthenticated,
    UpstreamError,
    UpstreamTimeout,
)
from service.gateway import Gateway, Reply
from service.operations.chat import CHAT
from service.schemas.chat import SHARED_PARAMETERS
from service.schemas.continuation import CONTINUATION
from service.upstream.errors import MAY_BE_BILLED

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

    def run(self, fields: dict[str, Any], incoming: Incoming, before: Sequence[dict[str, Any]] = ()) -> Run:
        """All rounds, after what was said `before`. Raises the error of the first; a later one ends the run
        as incomplete."""
        run, deadline = begin(fields, before), self.deadline()
        for index in range(fields.get("rounds") or 1):
            if not self.may_go_on(run, fields, index, deadline):
                break
            reply = self.round(run, fields, incoming, index, deadline, stream=False)
            if reply is None or not take(run, index, reply.parsed or {}, reply.cost_nano_usd or 0):
                break
        if not run.results:
            raise UpstreamError("The upstream's answer holds no message.", headers=MAY_BE_BILLED)
        return run

    def deadline(self) -> float:
        """When a run that begins now has to end."""
        return self._clock() + RUN_SECONDS

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
            run.asked = [{"role": "user", "content": fields["follow_up"]}]
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
        raw = round_body(run, fields, stream=stream)
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


def round_body(run: Run, fields: dict[str, Any], *, stream: bool) -> bytes:
    """The chat call of a run's next round."""
    body = {name: value for name, value in fields.items() if value is not None and name not in _OWN_FIELDS}
    body |= {"model": run.model, "messages": run.messages + run.asked}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body, separators=(",", ":")).encode()


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
