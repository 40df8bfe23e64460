"""One call between its reserve and its record: what is known of it, and how it may end.

A call ends once: settled, released, or in doubt. Whoever comes second (the caller hanging up while a
drain runs out, say) finds it ended and does nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from service.ledger.holds import Account, Demand, Hold
from service.ledger.landing import Landing
from service.ledger.rows import new_row
from service.operations.base import Body, Operation, Tally
from service.pricing.catalog import Catalog, Model
from service.pricing.cost import cost_nano_usd, is_priced
from service.pricing.usage import Usage
from service.uploads.spool import Upload
from service.upstream.answer import Answer

# Tokens that are counted are near the truth, not exact: a twentieth more keeps the books above the bill.
COUNTED_SURPLUS_PER_CENT = 5


@dataclass(frozen=True)
class Incoming:
    """A request as it came in. `headers` are those that may go up; `secret` identifies the caller.

    A form lies on disk as `upload`; then `raw` is empty.
    """

    secret: str = field(repr=False)
    raw: bytes = field(repr=False)
    request_id: str
    headers: dict[str, str]
    wants_stream_cost: bool = False
    timeout_seconds: float | None = None
    upload: Upload | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Outcome:
    """How a call ended, for the usage log and the added headers. Amounts in nano-USD."""

    usage: Usage | None = None
    usage_source: str | None = None
    cost_nano_usd: int | None = None
    remaining_nano_usd: int | None = None
    soft_limit_exceeded: bool = False


@dataclass
class Call:
    """A running call. `on_end` is told the outcome, once."""

    operation: Operation
    incoming: Incoming
    account: Account
    body: Body
    model: Model
    demand: Demand
    hold: Hold
    meta: dict[str, Any]
    catalog: Catalog
    landing: Landing
    on_end: Callable[["Call"], None]
    started: float = field(default_factory=time.monotonic)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    first_token_at: float | None = None
    status: int | None = None
    answer: Answer | None = None
    tally: Tally | None = None
    outcome: Outcome = field(default_factory=Outcome)
    ended: bool = False

    @property
    def is_opaque(self) -> bool:
        """Whether more may have been used than the answer shows."""
        return self.model.reasons or self.operation.is_opaque(self.body)

    def settle(self, tally: Tally) -> None:
        """The provider said what was used, or it is counted; either way it is booked."""
        # A usage in units that the model has no price for would cost nothing.
        if tally.usage is None or not is_priced(tally.usage, self.model.rates):
            self._settle_counted(tally)
        else:
            self._book(tally.usage, "provider", tally, None)

    def settle_unreadable(self, tally: Tally) -> None:
        """The answer came whole but makes no sense: the hold is the only sure bound, so it is booked."""
        self._book(self._counted(tally), "counted", tally, self.hold.bound_nano_usd)

    def _settle_counted(self, tally: Tally) -> None:
        """No usage came with a whole answer: input and visible output are counted. Where the model may
        have reasoned out of sight, only the hold bounds what it used."""
        if self.is_opaque:
            self.settle_unreadable(tally)
        else:
            self._book(self._counted(tally), "counted", tally, None)

    def settle_received(self, tally: Tally) -> None:
        """The stream ended early; every output token that exists was seen. Input and what came, plus 5 %."""
        if tally.usage is not None:
            self.settle(tally)
        elif self.is_opaque:
            self.doubt()
        else:
            self._book(self._counted(tally), "counted", tally, None)

    def release(self) -> None:
        """It cost nothing."""
        if self._end():
            self.landing.release(self.hold)
            self.on_end(self)

    def doubt(self) -> None:
        """Nobody knows what it cost: it stays counted."""
        if self._end():
            self.outcome = Outcome(usage_source="in_doubt")
            self.landing.doubt(self.hold, "unanswered")
            self.on_end(self)

    def abort(self) -> None:
        """The service is going down: end now, as if the caller had hung up."""
        if self.tally is not None:
            self.settle_received(self.tally)
        else:
            self.doubt()
        if self.answer is not None:
            self.answer.abort()

    def latency_ms(self) -> int:
        return int((time.monotonic() - self.started) * 1000)

    def ttft_ms(self) -> int | None:
        return None if self.first_token_at is None else int((self.first_token_at - self.started) * 1000)

    def _counted(self, tally: Tally) -> Usage:
        return self.operation.counted(self.body, self.model, self.demand, tally)

    def _book(self, usage: Usage, source: str, tally: Tally, at_least_nano_usd: int | None) -> None:
        if not self._end():
            return
        served = self.catalog.served(tally.model, tally.service_tier, self.started_at, self.model)
        cost = cost_nano_usd(usage, served.rates)
        if source == "counted" and usage.has_tokens:
            with_surplus = -(-cost * (100 + COUNTED_SURPLUS_PER_CENT) // 100)
            cost = max(cost, min(with_surplus, self.hold.bound_nano_usd))
        cost = max(cost, at_least_nano_usd or 0)
        row = new_row(
            self.meta,
            counts=usage.counts(),
            usage_source=source,
            status=self.status,
            model_served=tally.model,
            service_tier=tally.service_tier,
            upstream_request_id=self.answer.request_id if self.answer else None,
            latency_ms=self.latency_ms(),
            ttft_ms=self.ttft_ms(),
        )
        self.outcome = Outcome(
            usage, source, cost, self.hold.remaining_nano_usd, self.hold.soft_limit_exceeded
        )
        settled = self.landing.settle(self.hold, cost, row=row, classes=usage.counts())
        if settled is not None:
            self.outcome = Outcome(
                usage, source, cost, settled.remaining_nano_usd, settled.soft_limit_exceeded
            )
        self.on_end(self)

    def _end(self) -> bool:
        """Claim the end; False if it has ended already."""
        if self.ended:
            return False
        self.ended = True
        return True
