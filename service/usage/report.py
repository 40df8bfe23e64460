"""Sums of the hourly rollups (which each settle writes), in buckets and groups.

A call counts in the hour it was admitted in, under the model it asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import redis

from service.ledger import names
from service.ledger.connection import Client
from service.ledger.ledger import unavailable
from service.ledger.rows import TOKEN_CLASSES
from service.money import format_usd
from service.times import rfc3339
from service.usage.buckets import bucket_end, bucket_start, whole_buckets
from service.usage.query import GROUPS, UsageQuery

HOURS_AT_ONCE = 100
MEASURES = ("requests", *TOKEN_CLASSES, "cost_usd")


def usage_report(client: Client, query: UsageQuery) -> list[dict[str, Any]]:
    """What was used, the oldest bucket first; buckets and groups without a call are left out.

    Each is {"object": "usage", "start", "end", "groups": {"key": ..., ...}, "requests", a count for
    each token class, "cost_usd"}. The span is widened to whole buckets.
    """
    start, end = whole_buckets(query.start, query.end, query.bucket)
    sums: dict[tuple[datetime, tuple[str, ...]], Counter[str]] = defaultdict(Counter)
    for hour, names_of_group, measure, count in _counts(client, start, end):
        group = tuple(names_of_group[name] for name in query.group_by)
        sums[bucket_start(hour, query.bucket), group][measure] += count
    return [_shown(begin, group, sums[begin, group], query) for begin, group in sorted(sums)]


def _shown(start: datetime, group: tuple[str, ...], sums: Counter[str], query: UsageQuery) -> dict[str, Any]:
    return {
        "object": "usage",
        "start": rfc3339(start),
        "end": rfc3339(bucket_end(start, query.bucket)),
        "groups": dict(zip(query.group_by, group, strict=True)),
        "requests": sums["requests"],
        **{name: sums[name] for name in TOKEN_CLASSES},
        "cost_usd": format_usd(sums["cost"]),
    }


def _counts(
    client: Client, start: datetime, end: datetime
) -> Iterator[tuple[datetime, dict[str, str], str, int]]:
    """Every count of every rollup in the span: its hour, who and what it is of, its measure, itself."""
    try:
        for shard in names.SHARDS:
            hours: list[Any] = client.zrangebyscore(
                names.hours(shard), start.timestamp(), f"({end.timestamp()}"
            )
            for first in range(0, len(hours), HOURS_AT_ONCE):
                some = hours[first : first + HOURS_AT_ONCE]
                pipe = client.pipeline(transaction=False)
                for hour in some:
                    pipe.hgetall(names.rollup(shard, hour))
                for hour, rollup in zip(some, pipe.execute(), strict=True):
                    yield from _counts_in(_hour(hour), rollup)
    except redis.RedisError as error:
        raise unavailable() from error


def _counts_in(hour: datetime, rollup: dict[str, str]) -> Iterator[tuple[datetime, dict[str, str], str, int]]:
    for field, count in rollup.items():
        *group, measure = field.split("|")
        yield hour, dict(zip(GROUPS, group, strict=True)), measure, int(count)


def _hour(name: str) -> datetime:
    return datetime.strptime(name, "%Y-%m-%dT%H").replace(tzinfo=UTC)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A bucket as a line of a table: its groups beside its counts."""
    return {"start": row["start"], "end": row["end"], **row["groups"], **{m: row[m] for m in MEASURES}}


def columns(group_by: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of such a table."""
    return ("start", "end", *group_by, *MEASURES)
