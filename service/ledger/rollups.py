"""The hourly rollups, read back: what each settle has added up (see settle.lua). Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from service.ledger import names
from service.ledger.connection import Client
from service.ledger.ledger import unavailable

HOURS_AT_ONCE = 100
GROUPS = ("key", "project", "model", "endpoint")


@dataclass(frozen=True)
class Count:
    """One count of one hour. `of` names what it is of, by GROUPS; `measure` is `requests`, `cost`
    (nano-USD) or a token class."""

    hour: datetime
    of: dict[str, str]
    measure: str
    count: int


def read_counts(client: Client, start: datetime, end: datetime) -> Iterator[Count]:
    """Every count of the hours that begin in the span (end exclusive), shard by shard."""
    try:
        for shard in names.SHARDS:
            hours = client.zrangebyscore(names.hours(shard), start.timestamp(), f"({end.timestamp()}")
            for first in range(0, len(hours), HOURS_AT_ONCE):
                yield from _counts_of(client, shard, hours[first : first + HOURS_AT_ONCE])
    except redis.RedisError as error:
        raise unavailable() from error


def _counts_of(client: Client, shard: str, hours: list[Any]) -> Iterator[Count]:
    pipe = client.pipeline(transaction=False)
    for hour in hours:
        pipe.hgetall(names.rollup(shard, hour))
    for hour, rollup in zip(hours, pipe.execute(), strict=True):
        begins = datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)
        for field, count in rollup.items():
            *of, measure = field.split("|")
            yield Count(begins, dict(zip(GROUPS, of, strict=True)), measure, int(count))
