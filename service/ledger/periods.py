"""Budget periods: their names and bounds in a key's time zone.

The period is part of a counter's name, so nothing ever resets; the script that reserves checks
Redis' clock against the bounds, so a worker whose clock is off cannot book into the wrong one.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

KINDS = ("day", "week", "month", "total")
# Past any clock: the one period of a budget without an end.
_FOREVER_MS = 2**53


@dataclass(frozen=True)
class Period:
    """One period: `2026-11-22`, `2026-W47`, `2026-11` or `total`. Bounds are epoch ms, end exclusive."""

    name: str
    start_ms: int
    end_ms: int

    @property
    def resets_at(self) -> datetime | None:
        return None if self.end_ms == _FOREVER_MS else datetime.fromtimestamp(self.end_ms / 1000, UTC)

    @property
    def starts_at(self) -> datetime | None:
        return None if self.end_ms == _FOREVER_MS else datetime.fromtimestamp(self.start_ms / 1000, UTC)


def period_at(kind: str, timezone: str, now_ms: int) -> Period:
    """The period of that kind that holds the moment (epoch ms)."""
    if kind == "total":
        return Period("total", 0, _FOREVER_MS)
    day = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(timezone)).date()
    return _period_of(kind, timezone, day)


@lru_cache(maxsize=4096)
def _period_of(kind: str, timezone: str, day: date) -> Period:
    if kind == "day":
        first, after, name = day, day + timedelta(days=1), day.isoformat()
    elif kind == "week":
        first = day - timedelta(days=day.weekday())
        year, week, _ = day.isocalendar()
        after, name = first + timedelta(days=7), f"{year}-W{week:02d}"
    else:
        first = day.replace(day=1)
        after, name = (first + timedelta(days=32)).replace(day=1), f"{first:%Y-%m}"
    return Period(name, _midnight_ms(first, timezone), _midnight_ms(after, timezone))


def _midnight_ms(day: date, timezone: str) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).timestamp() * 1000)
