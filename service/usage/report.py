"""Sums of the hourly rollups (which each settle writes), in buckets and groups.

A call counts in the hour it was admitted in, under the model it asked for.
"""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from service.ledger.connection import Client
from service.ledger.rollups import read_counts
from service.ledger.rows import TOKEN_CLASSES
from service.money import format_usd
from service.times import rfc3339
from service.usage.buckets import bucket_end, bucket_start, whole_buckets
from service.usage.query import UsageQuery

MEASURES = ("requests", *TOKEN_CLASSES, "cost_usd")


def usage_report(client: Client, query: UsageQuery) -> list[dict[str, Any]]:
    """What was used, the oldest bucket first; buckets and groups without a call are left out.

    Each is {"object": "usage", "start", "end", "groups": {"key": ..., ...}, "requests", a count for
    each token class, "cost_usd"}. The span is widened to whole buckets.
    """
    start, end = whole_buckets(query.start, query.end, query.bucket)
    sums: dict[tuple[datetime, tuple[str, ...]], Counter[str]] = defaultdict(Counter)
    for each in read_counts(client, start, end):
        group = tuple(each.of[name] for name in query.group_by)
        sums[bucket_start(each.hour, query.bucket), group][each.measure] += each.count
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


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A bucket as a line of a table: its groups beside its counts."""
    return {"start": row["start"], "end": row["end"], **row["groups"], **{m: row[m] for m in MEASURES}}


def columns(group_by: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of such a table."""
    return ("start", "end", *group_by, *MEASURES)
