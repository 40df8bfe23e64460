"""Events: one for each threshold, limit value and period; found inside settle, or when a limit is changed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.ledger.holds import Account
from tests.ledger.conftest import Bench

MOST = 2**53 - 1


def _spend(bench: Bench, account: Account, *amounts: int, now_us: int | None = None) -> None:
    """Book calls that were all admitted before the first of them ended."""
    holds = [bench.reserve(account, 0, now_us=now_us) for _ in amounts]
    for hold, nano_usd in zip(holds, amounts, strict=True):
        assert bench.settle(hold, nano_usd) is not None


def _told(bench: Bench) -> list[tuple[str, str, int, int, int]]:
    """The events so far: scope kind, limit kind, per cent, limit, spent."""
    return [
        (e["scope"].split(":")[0], e["limit_kind"], int(e["per_cent"]), int(e["limit"]), int(e["spent"]))
        for e in bench.events()
    ]


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_each_threshold_is_told_once(bench: Bench, kind: str) -> None:
    account = bench.key(thresholds="50,80,100", **{kind: 1000})
    _spend(bench, account, 499)
    assert _told(bench) == []
    _spend(bench, account, 1, 299)
    assert _told(bench) == [("key", kind, 50, 1000, 500)]
    _spend(bench, account, 1, 0, 199, 1, 0)
    assert _told(bench)[1:] == [("key", kind, 80, 1000, 800), ("key", kind, 100, 1000, 1000)]


def test_one_call_may_cross_several_thresholds(bench: Bench) -> None:
    _spend(bench, bench.key(thresholds="50,80,100", soft=1000), 2_500)
    assert [event[2] for event in _told(bench)] == [50, 80, 100]


def test_thresholds_go_by_the_soft_limit_where_there_is_one(bench: Bench) -> None:
    _spend(bench, bench.key(thresholds="100", soft=100, hard=1000), 99, 1, 899)
    assert _told(bench) == [("key", "soft", 100, 100, 100)]


@pytest.mark.parametrize("limits", [{}, {"soft": 10, "thresholds": ""}])
def test_without_a_limit_or_thresholds_nothing_is_told(bench: Bench, limits: dict[str, Any]) -> None:
    _spend(bench, bench.key(**{"thresholds": "50", **limits}), 1_000_000)
    assert _told(bench) == []


def test_key_and_project_are_told_apart(bench: Bench) -> None:
    bench.set_project(hard=100, thresholds="80", name="team")
    account = bench.key(body={"name": "demo"}, hard=100, thresholds="90")
    _spend(bench, account, 85, 6)
    assert [(e["scope"], e["name"], e["per_cent"], e["type"]) for e in bench.events()] == [
        (f"project:{bench.project}", "team", "80", "threshold_crossed"),
        (f"key:{account.key_id}", "demo", "90", "threshold_crossed"),
    ]


def test_threshold_is_told_again_in_the_next_period(bench: Bench) -> None:
    account = bench.key(body={"period": "day"}, soft=100, thresholds="100")
    for day in (20, 20, 21):
        noon = datetime(2026, 11, day, 12, tzinfo=UTC)
        _spend(bench, account, 100, now_us=int(noon.timestamp()) * 1_000_000)
    assert [event["period"] for event in bench.events()] == ["2026-11-20", "2026-11-21"]


def test_limit_set_below_what_was_spent_is_told_at_once_and_once(bench: Bench) -> None:
    account = bench.key(thresholds="50,100", soft=1000)
    _spend(bench, account, 300)
    assert _told(bench) == []
    for _ in range(2):
        bench.amend(account.scopes[0], soft=400)
    assert _told(bench) == [("key", "soft", 50, 400, 300)]
    bench.amend(account.scopes[0], soft=200)
    assert _told(bench)[1:] == [("key", "soft", 50, 200, 300), ("key", "soft", 100, 200, 300)]


def test_limit_set_back_to_an_earlier_value_is_not_told_again(bench: Bench) -> None:
    account = bench.key(thresholds="100", soft=100)
    _spend(bench, account, 100)
    bench.amend(account.scopes[0], soft=1000)
    bench.amend(account.scopes[0], soft=100)
    _spend(bench, account, 1)
    assert len(_told(bench)) == 1


def test_new_threshold_is_told_when_it_is_set(bench: Bench) -> None:
    account = bench.key(thresholds="100", soft=100)
    _spend(bench, account, 60)
    bench.amend(account.scopes[0], thresholds="60,100")
    assert _told(bench) == [("key", "soft", 60, 100, 60)]


def test_changing_a_limit_never_touches_what_was_spent(bench: Bench) -> None:
    account = bench.key(hard=1000)
    _spend(bench, account, 400)
    hold = bench.reserve(account, 100)
    scope, period = account.scopes[0], hold.scopes[0][2]
    bench.amend(scope, hard=1)
    assert bench.ledger.amend(scope, {}, ["hard"])
    assert bench.balance(scope, period) == (400, 100, 0, 1)


def test_amending_a_scope_that_is_not_there_makes_none(bench: Bench) -> None:
    scope = bench.key().scopes[1]
    bench.client.delete(scope.name)
    assert not bench.ledger.amend(scope, {"hard": 1}, [])
    assert bench.client.exists(scope.name) == 0


@pytest.mark.parametrize(("limit", "per_cent", "mark"), [(1, 50, 1), (3, 50, 2), (999, 80, 800), (101, 1, 2)])
def test_threshold_between_nano_dollars_is_reached_at_the_next_one(
    bench: Bench, limit: int, per_cent: int, mark: int
) -> None:
    _spend(bench, bench.key(thresholds=str(per_cent), soft=limit), mark - 1, 1)
    assert [event[4] for event in _told(bench)] == [mark]


def test_limit_of_zero_is_reached_by_the_first_nano_dollar(bench: Bench) -> None:
    _spend(bench, bench.key(thresholds="100", soft=0), 0, 1)
    assert [event[4] for event in _told(bench)] == [1]


def test_greatest_amounts_are_exact(bench: Bench) -> None:
    mark = -(-MOST * 99 // 100)
    bench.set_project(soft=MOST, thresholds="99,100")
    account = bench.key(hard=MOST, thresholds="100")
    _spend(bench, account, mark - 1)
    assert _told(bench) == []
    _spend(bench, account, 1)
    assert _told(bench) == [("project", "soft", 99, MOST, mark)]
    hold = bench.reserve(account, 9_000_000_000_000)
    assert hold.remaining_nano_usd == MOST - mark - 9_000_000_000_000
    bench.settle(hold, MOST - mark)
    assert _told(bench)[1:] == [("key", "hard", 100, MOST, MOST), ("project", "soft", 100, MOST, MOST)]
    for scope in account.scopes:
        assert bench.balance(scope, hold.scopes[0][2]) == (MOST, 0, 0, 0)
