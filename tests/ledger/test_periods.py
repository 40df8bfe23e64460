"""Periods: their names and bounds in a time zone, and that a call belongs to the one that admitted it."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from service.errors import InsufficientQuota, LedgerUnavailable
from service.ledger import ledger as ledger_module
from service.ledger.holds import Scope
from service.ledger.periods import KINDS, period_at
from tests.ledger.conftest import Bench

HOUR_MS = 3_600_000
MADRID, NEW_YORK = "Europe/Madrid", "America/New_York"


def _ms(text: str) -> int:
    """Epoch ms of an ISO time; UTC if it names no offset."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("kind", "timezone", "at", "name", "starts", "ends"),
    [
        ("day", "UTC", "2026-11-22T23:59:59.999", "2026-11-22", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("day", "UTC", "2026-11-23T00:00", "2026-11-23", "2026-11-23T00:00", "2026-11-24T00:00"),
        # Spring forward: 23 hours. Fall back: 25.
        ("day", MADRID, "2026-03-29T12:00", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("day", MADRID, "2026-10-25T12:00", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("day", NEW_YORK, "2026-03-08T12:00", "2026-03-08", "2026-03-08T05:00", "2026-03-09T04:00"),
        ("day", NEW_YORK, "2026-11-01T12:00", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00"),
        ("day", NEW_YORK, "2026-11-02T04:59:59.999", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00"),
        # Weeks begin on Monday; the year is the week's own.
        ("week", "UTC", "2026-11-22T12:00", "2026-W47", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("week", "UTC", "2027-01-01T12:00", "2026-W53", "2026-12-28T00:00", "2027-01-04T00:00"),
        ("week", MADRID, "2026-03-29T21:59", "2026-W13", "2026-03-22T23:00", "2026-03-29T22:00"),
        ("month", "UTC", "2026-12-31T23:59:59.999", "2026-12", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", MADRID, "2026-10-31T23:30", "2026-11", "2026-10-31T23:00", "2026-11-30T23:00"),
        ("month", NEW_YORK, "2026-11-01T03:59", "2026-10", "2026-10-01T04:00", "2026-11-01T04:00"),
        ("month", "UTC", "2028-02-29T12:00", "2028-02", "2028-02-01T00:00", "2028-03-01T00:00"),
    ],
)
def test_period_has_the_name_and_the_bounds_of_its_time_zone(
    kind: str, timezone: str, at: str, name: str, starts: str, ends: str
) -> None:
    period = period_at(kind, timezone, _ms(at))
    assert (period.name, period.start_ms, period.end_ms) == (name, _ms(starts), _ms(ends))


def test_total_is_one_period_without_an_end() -> None:
    period = period_at("total", MADRID, _ms("2026-11-22T12:00"))
    assert (period.name, period.start_ms, period.resets_at, period.starts_at) == ("total", 0, None, None)
    assert period.end_ms > _ms("9999-12-31T23:59")


# Havana repeats the hour after midnight, Santiago and Cairo skip it or repeat the one before.
@pytest.mark.parametrize(
    "timezone",
    ["UTC", MADRID, NEW_YORK, "America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Kolkata"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_moment_is_in_its_period_and_no_gap_is_between_two(kind: str, timezone: str) -> None:
    at_ms, last = _ms("2026-01-01T00:00"), None
    while at_ms < _ms("2027-01-02T00:00"):
        period = period_at(kind, timezone, at_ms)
        assert period.start_ms <= at_ms < period.end_ms
        if last is not None and period != last:
            assert period.start_ms == last.end_ms
            assert datetime.fromtimestamp(period.start_ms / 1000, ZoneInfo(timezone)).hour in (0, 1)
        last = period
        at_ms += HOUR_MS // 2


def test_call_belongs_to_the_period_that_admitted_it(bench: Bench) -> None:
    account = bench.key(body={"period": "day", "timezone": MADRID}, hard=100)
    midnight_us = _ms("2026-10-25T23:00") * 1000
    before = bench.reserve(account, 100, now_us=midnight_us - 1)
    with pytest.raises(InsufficientQuota):
        bench.reserve(account, 101, now_us=midnight_us - 1)
    after = bench.reserve(account, 100, now_us=midnight_us)
    scope = account.scopes[0]
    bench.settle(before, 90)
    assert bench.balance(scope, "2026-10-25") == (90, 0, 0, 1)
    assert bench.balance(scope, "2026-10-26") == (0, 100, 0, 1)
    bench.ledger.release(after)
    assert bench.balance(scope, "2026-10-26") == (0, 0, 0, 0)


def test_key_and_project_have_periods_of_their_own(bench: Bench) -> None:
    bench.set_project(period="total", hard=1000)
    account = bench.key(body={"period": "week", "timezone": NEW_YORK})
    hold = bench.reserve(account, 7, now_us=_ms("2026-11-23T04:59") * 1000)
    assert [period for _, _, period in hold.scopes] == ["2026-W47", "total"]


@pytest.mark.parametrize("off", [timedelta(hours=-30), timedelta(hours=30), timedelta(days=400)])
def test_worker_whose_clock_is_off_books_into_the_period_of_redis_clock(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    account = bench.key(body={"period": "day"}, hard=100)
    seconds = bench.client.time()[0]
    right = period_at("day", "UTC", seconds * 1000).name
    wrong_clock = SimpleNamespace(time=lambda: seconds + off.total_seconds())
    monkeypatch.setattr(ledger_module, "time", wrong_clock)
    hold = bench.reserve(account, 40)
    assert hold.scopes[0][2] == right
    assert bench.balance(account.scopes[0], right) == (0, 40, 0, 1)
    assert abs(hold.admitted_at_ms - seconds * 1000) < 60_000
    bench.reserve(account, 40)
    assert bench.ledger.reply[0] == "admitted"  # at the first try: it has learnt the time


def test_stale_period_takes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    account = bench.key(body={"period": "day"})
    replies: list[list[object]] = []
    monkeypatch.setattr(ledger_module, "time", SimpleNamespace(time=lambda: 1_000_000.0))
    run = bench.ledger._run

    def watched(verb: str, keys: list[str], args: list[object]) -> object:
        before = bench.everything()
        reply = run(verb, keys, args)
        if reply[0] == "stale_period":
            assert bench.everything() == before
        replies.append(reply)
        return reply

    monkeypatch.setattr(bench.ledger, "_run", watched)
    bench.reserve(account, 1)
    assert [reply[0] for reply in replies] == ["stale_period", "admitted"]


@pytest.mark.parametrize(
    ("edge", "word"),
    [((0, -1), "stale_period"), ((0, 0), "admitted"), ((1, -1), "admitted"), ((1, 0), "stale_period")],
)
def test_period_begins_and_ends_to_the_microsecond(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, edge: tuple[int, int], word: str
) -> None:
    """A worker that is sure of its period asks at a moment of Redis' clock just inside or outside."""
    account = bench.key(body={"period": "day"})
    period = account.scopes[0].period_at(bench.ledger.now_ms())
    now_us = (period.start_ms, period.end_ms)[edge[0]] * 1000 + edge[1]
    monkeypatch.setattr(Scope, "period_at", lambda *_: period)
    with suppress(LedgerUnavailable):
        bench.reserve(account, 1, now_us=now_us)
    assert bench.ledger.reply[0] == word
