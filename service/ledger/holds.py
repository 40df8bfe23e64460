"""What goes into a reserve and what comes out: plain values, no Redis."""

import json
from dataclasses import dataclass
from typing import Any

from service.ledger import names
from service.ledger.periods import Period, period_at


@dataclass(frozen=True)
class Scope:
    """What a limit applies to: a key or a project, with the budget's fixed period and time zone."""

    kind: str  # "key" or "project"
    id: str
    shard: str
    period: str
    timezone: str

    @property
    def label(self) -> str:
        return f"{self.kind}:{self.id}"

    @property
    def name(self) -> str:
        """Its hash in Redis."""
        return (names.key if self.kind == "key" else names.project)(self.shard, self.id)

    def period_at(self, now_ms: int) -> Period:
        return period_at(self.period, self.timezone, now_ms)


@dataclass(frozen=True)
class Account:
    """Who pays: a key's immutable identity and the scopes a call of it is held in, the key first."""

    key_id: str
    project: str
    shard: str
    secret_hash: str
    scopes: tuple[Scope, ...]


@dataclass(frozen=True)
class Demand:
    """The greatest a call can cost, as the ledger needs it.

    input_pico_usd: all input at its dearest; output_pico_usd: one token of cap, over all choices;
    cap_tokens: the caller's cap or the model's maximum; floor_tokens: least cap where the caller
    gave none (0: the cap is the caller's own and is not touched).
    """

    input_tokens: int
    input_pico_usd: int
    output_pico_usd: int
    cap_tokens: int
    floor_tokens: int


NOTHING = Demand(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Hold:
    """Money set aside for one running call. Amounts in nano-USD; times in epoch ms of Redis' clock."""

    id: str
    worker: str
    shard: str
    scopes: tuple[tuple[str, str, str], ...]  # (hash in Redis, label, period's name)
    bound_nano_usd: int
    cap_tokens: int
    remaining_nano_usd: int | None
    soft_limit_exceeded: bool
    admitted_at_ms: int


@dataclass(frozen=True)
class Settled:
    """What a settle left behind; `remaining_nano_usd` is the least over the scopes, None without a limit."""

    row_id: str
    cost_nano_usd: int
    remaining_nano_usd: int | None
    soft_limit_exceeded: bool
    overrun: bool
    late: bool


def hold_record(meta: dict[str, Any], scopes: list[tuple[str, str, str]]) -> str:
    """A hold as it is kept in Redis: enough to settle it without its worker."""
    return json.dumps({**meta, "scopes": scopes}, separators=(",", ":"))


def hold_from_record(hold_id: str, shard: str, record: str, bound: str) -> tuple[Hold, dict[str, Any]]:
    """Read a hold back, with its meta data. Raises ValueError, KeyError or TypeError if it is damaged."""
    meta = json.loads(record)
    scopes = tuple((str(a), str(b), str(c)) for a, b, c in meta.pop("scopes"))
    hold = Hold(
        id=hold_id,
        worker=meta["worker"],
        shard=shard,
        scopes=scopes,
        bound_nano_usd=int(bound),
        cap_tokens=0,
        remaining_nano_usd=None,
        soft_limit_exceeded=False,
        admitted_at_ms=int(meta["at"]),
    )
    return hold, meta
