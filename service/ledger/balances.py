"""Reading scopes and holds back: what a key has spent, holds and has in doubt. Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis

from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import Account, Hold, hold_from_record
from service.ledger.ledger import unavailable


@dataclass(frozen=True)
class Balance:
    """One scope in one period, nano-USD. `remaining` is None without a hard limit, else at least 0."""

    hard: int | None
    soft: int | None
    spent: int
    held: int
    doubt: int

    @property
    def remaining(self) -> int | None:
        return None if self.hard is None else max(0, self.hard - self.spent - self.held - self.doubt)

    @property
    def soft_limit_exceeded(self) -> bool:
        return self.soft is not None and self.spent >= max(self.soft, 1)


def balance_of(record: dict[str, str], period: str) -> Balance:
    """The balance in a scope's hash, as HGETALL gives it."""

    def number(field: str) -> int:
        return int(record.get(field, 0))

    return Balance(
        hard=int(record["hard"]) if "hard" in record else None,
        soft=int(record["soft"]) if "soft" in record else None,
        spent=number(f"spent:{period}"),
        held=number(f"held:{period}"),
        doubt=number(f"doubt:{period}"),
    )


def remaining_nano_usd(client: Client, account: Account, now_ms: int) -> int | None:
    """What remains of the account's hard limits, the least over its scopes; None without any."""
    try:
        pipe = client.pipeline(transaction=False)
        for scope in account.scopes:
            pipe.hgetall(scope.name)
        records = pipe.execute()
    except redis.RedisError as error:
        raise unavailable() from error
    pairs = zip(account.scopes, records, strict=True)
    left = [balance_of(record, scope.period_at(now_ms).name).remaining for scope, record in pairs]
    return min((each for each in left if each is not None), default=None)


@dataclass(frozen=True)
class OpenHold:
    """A hold as an operator sees it. `state`: held, in_doubt; `cause`: lease or unanswered, if in doubt."""

    hold: Hold
    state: str
    cause: str | None
    meta: dict[str, Any]


def open_holds(client: Client) -> Iterator[OpenHold]:
    """All holds that are running or in doubt, shard by shard."""
    try:
        for shard in names.SHARDS:
            for worker in sorted(client.smembers(names.workers(shard))):
                yield from _holds_in(client.hgetall(names.held(shard, worker)), shard, "held")
            yield from _holds_in(client.hgetall(names.doubt(shard)), shard, "in_doubt")
    except redis.RedisError as error:
        raise unavailable() from error


def find_hold(client: Client, hold_id: str) -> OpenHold | None:
    return next((h for h in open_holds(client) if h.hold.id == hold_id), None)


def _holds_in(fields: dict[str, str], shard: str, state: str) -> Iterator[OpenHold]:
    for field, record in fields.items():
        if field.endswith(("#", "@")):
            continue
        try:
            hold, meta = hold_from_record(field, shard, record, fields.get(field + "#", ""))
        except (ValueError, KeyError, TypeError):
            continue  # counted by `ledger verify`, which names it
        yield OpenHold(hold, state, fields.get(field + "@"), meta)
