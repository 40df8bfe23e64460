"""What is asked of the rollups, as texts from a URL or a command line. Each fault names its parameter."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from service.errors import InvalidRequest
from service.ledger.rollups import GROUPS
from service.usage.buckets import BUCKETS

__all__ = ["GROUPS", "UsageQuery", "invalid", "read_moment", "read_usage_query"]

DEFAULT_SPAN = timedelta(days=30)
# The longest span for each bucket: what one answer may have to hold.
LONGEST_SPAN = {"hour": timedelta(days=92), "day": timedelta(days=1100), "month": timedelta(days=3700)}


@dataclass(frozen=True)
class UsageQuery:
    """From `start` to `end` (UTC, end exclusive), in buckets, by the groups."""

    start: datetime
    end: datetime
    bucket: str
    group_by: tuple[str, ...]


def read_usage_query(asked: Mapping[str, str | None]) -> UsageQuery:
    """Read `from`, `to`, `bucket` and `group_by`; the last 30 days by the day unless said otherwise.

    Raises InvalidRequest that names the wrong one.
    """
    bucket = asked.get("bucket") or "day"
    if bucket not in BUCKETS:
        raise invalid("bucket", f"expected one of {', '.join(BUCKETS)}")
    end = read_moment("to", asked.get("to")) or datetime.now(UTC)
    start = read_moment("from", asked.get("from")) or end - DEFAULT_SPAN
    if start >= end:
        raise invalid("from", "expected a time before 'to'")
    if end - start > LONGEST_SPAN[bucket]:
        raise invalid("from", f"expected at most {LONGEST_SPAN[bucket].days} days by the {bucket}")
    return UsageQuery(start, end, bucket, _read_groups(asked.get("group_by")))


def read_moment(name: str, text: str | None) -> datetime | None:
    """An RFC 3339 time with its offset, or a day (its first moment, in UTC). Raises InvalidRequest."""
    if not text:
        return None
    try:
        moment = _moment(text)
    except (ValueError, OverflowError):
        raise invalid(name, "expected a time like 2026-11-22T18:00:00Z, or a day like 2026-11-22") from None
    if not 1971 <= moment.year < 9000:
        raise invalid(name, "expected a time from 1971 to 8999")
    return moment


def _moment(text: str) -> datetime:
    if len(text) == len("2026-11-22"):
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("without an offset it could be any of a day's hours")
    return moment.astimezone(UTC)


def _read_groups(text: str | None) -> tuple[str, ...]:
    groups = tuple(text.split(",")) if text else ()
    if set(groups) - set(GROUPS) or len(set(groups)) < len(groups):
        raise invalid("group_by", f"expected some of {', '.join(GROUPS)}, separated by commas")
    return groups


def invalid(name: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{name}': {expected}.", param=name)
