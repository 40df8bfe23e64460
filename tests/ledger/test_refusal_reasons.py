"""Why money refuses: the raw reply, the words and figures made of it, and which reason goes first."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.errors import BudgetInFlight, InsufficientQuota, RateLimited, Refused
from service.ledger.holds import Account
from tests.ledger.conftest import Bench

NOON_US = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000


def _refusal(bench: Bench, account: Account, nano_usd: int) -> Refused:
    """The error of a call that must be refused, without a trace in Redis."""
    before = bench.everything()
    with pytest.raises(Refused) as caught:
        bench.reserve(account, nano_usd, now_us=NOON_US)
    assert bench.everything() == before
    return caught.value


def _set_balance(bench: Bench, account: Account, scope: int, **amounts: int) -> None:
    """As if it had been spent, held or put in doubt in November 2026."""
    for counter, amount in amounts.items():
        bench.client.hset(account.scopes[scope].name, f"{counter}:2026-11", amount)


@pytest.mark.parametrize(
    ("balance", "nano_usd", "reason"),
    [
        ({"spent": 1000}, 1, "hard_limit_reached"),
        ({"spent": 1000}, 0, "hard_limit_reached"),
        ({"spent": 1001, "held": 5}, 1, "hard_limit_reached"),
        ({"spent": 900}, 101, "exceeds_remaining"),
        ({"spent": 900, "doubt": 50}, 51, "in_doubt"),
        ({"spent": 900, "doubt": 50, "held": 30}, 21, "budget_in_flight"),
        ({"spent": 900, "doubt": 100}, 1, "in_doubt"),
        ({"held": 1000}, 1, "budget_in_flight"),
    ],
)
def test_reason_is_the_first_that_waiting_cannot_mend(
    bench: Bench, balance: dict[str, int], nano_usd: int, reason: str
) -> None:
    account = bench.key(hard=1000)
    _set_balance(bench, account, 0, **balance)
    error = _refusal(bench, account, nano_usd)
    numbers = [balance.get(counter, 0) for counter in ("spent", "held", "doubt")]
    title = bench.client.hget(account.scopes[0].name, "name")
    assert bench.ledger.reply == ["refused", reason, 1, title, 1000, *numbers, nano_usd]
    assert error.details is not None
    assert error.details["reason"] == reason
    assert isinstance(error, BudgetInFlight if reason == "budget_in_flight" else InsufficientQuota)


@pytest.mark.parametrize(
    "balance", [{"spent": 999}, {"held": 999}, {"doubt": 999}, {"spent": 500, "held": 499}]
)
def test_last_nano_dollar_can_be_held(bench: Bench, balance: dict[str, int]) -> None:
    account = bench.key(hard=1000)
    _set_balance(bench, account, 0, **balance)
    assert bench.reserve(account, 1, now_us=NOON_US).remaining_nano_usd == 0


@pytest.mark.parametrize(
    ("of_key", "of_project", "reason", "scope"),
    [
        ({"held": 1000}, {"spent": 950}, "exceeds_remaining", 2),
        ({"held": 1000}, {"doubt": 950}, "in_doubt", 2),
        ({"doubt": 950}, {"spent": 1000}, "hard_limit_reached", 2),
        ({"spent": 1000}, {"spent": 1000}, "hard_limit_reached", 1),
        ({"held": 950}, {"held": 950}, "budget_in_flight", 1),
        ({}, {"held": 950}, "budget_in_flight", 2),
    ],
)
def test_of_two_scopes_the_graver_reason_is_told(
    bench: Bench, of_key: dict[str, int], of_project: dict[str, int], reason: str, scope: int
) -> None:
    bench.set_project(hard=1000)
    account = bench.key(hard=1000)
    _set_balance(bench, account, 0, **of_key)
    _set_balance(bench, account, 1, **of_project)
    _refusal(bench, account, 100)
    assert bench.ledger.reply[:3] == ["refused", reason, scope]


def test_limit_of_zero_refuses_even_what_is_free(bench: Bench) -> None:
    _refusal(bench, bench.key(hard=0), 0)
    assert bench.ledger.reply[1] == "hard_limit_reached"


def test_no_limit_refuses_nothing(bench: Bench) -> None:
    hold = bench.reserve(bench.key(), 9_000_000_000_000)
    assert hold.remaining_nano_usd is None


def test_rate_is_told_before_money_in_flight_and_after_money_that_is_gone(bench: Bench) -> None:
    account = bench.key(hard=1000, max_concurrency=1)
    bench.reserve(account, 1000, now_us=NOON_US)
    assert isinstance(_refusal(bench, account, 1), RateLimited)
    assert isinstance(_refusal(bench, account, 1001), InsufficientQuota)


def test_remaining_is_the_least_of_all_scopes(bench: Bench) -> None:
    bench.set_project(hard=700)
    account = bench.key(hard=1000)
    hold = bench.reserve(account, 100)
    assert hold.remaining_nano_usd == 600
    settled = bench.settle(hold, 150)
    assert settled is not None
    assert settled.remaining_nano_usd == 550


def test_remaining_is_never_below_nothing(bench: Bench) -> None:
    settled = bench.settle(bench.reserve(bench.key(hard=100), 100), 250)
    assert settled is not None
    assert settled.remaining_nano_usd == 0


def test_refusal_of_a_key_carries_its_figures(bench: Bench) -> None:
    account = bench.key(body={"name": "demo"}, hard=5_000_000_000)
    _set_balance(bench, account, 0, spent=5_000_000_000)
    error = _refusal(bench, account, 1_500_000)
    assert error.message == (
        "Key 'demo' reached its hard limit of $5.00 for 2026-11; it resets 2026-12-01T00:00:00Z."
    )
    assert error.details == {
        "reason": "hard_limit_reached",
        "scope": "key",
        "limit_usd": "5.000000000",
        "spent_usd": "5.000000000",
        "held_usd": "0.000000000",
        "in_doubt_usd": "0.000000000",
        "bound_usd": "0.001500000",
        "resets_at": "2026-12-01T00:00:00Z",
    }
    assert error.headers == {"x-should-retry": "false"}


def test_refusal_of_a_project_keeps_its_figures_to_itself(bench: Bench) -> None:
    bench.set_project(hard=7_770_000_000)
    account = bench.key(hard=9_000_000_000)
    _set_balance(bench, account, 1, spent=7_770_000_000)
    error = _refusal(bench, account, 1_500_000)
    assert error.details == {
        "reason": "hard_limit_reached",
        "scope": "project",
        "bound_usd": "0.001500000",
        "resets_at": "2026-12-01T00:00:00Z",
    }
    assert "7.77" not in error.message


def test_total_budget_never_resets(bench: Bench) -> None:
    account = bench.key(body={"name": "demo", "period": "total"}, hard=0)
    error = _refusal(bench, account, 1)
    assert error.message == "Key 'demo' reached its hard limit of $0.00."
    assert error.details is not None
    assert error.details["resets_at"] is None


def test_money_in_flight_is_worth_a_retry_in_some_seconds(bench: Bench) -> None:
    account = bench.key(hard=10)
    bench.reserve(account, 10, now_us=NOON_US)
    seconds = {int(_refusal(bench, account, 1).headers["Retry-After"]) for _ in range(20)}
    assert seconds <= {1, 2, 3, 4, 5}
    assert len(seconds) > 1  # jittered


@pytest.mark.parametrize(
    ("limits", "spent", "exceeded"),
    [
        ({"soft": 100}, 99, False),
        ({"soft": 100}, 100, True),
        ({"soft": 0}, 0, False),
        ({"hard": 100}, 99, False),
    ],
)
def test_soft_limit_lets_the_call_pass_and_says_so(
    bench: Bench, limits: dict[str, Any], spent: int, exceeded: bool
) -> None:
    account = bench.key(**limits)
    _set_balance(bench, account, 0, spent=spent)
    hold = bench.reserve(account, 1, now_us=NOON_US)
    assert hold.soft_limit_exceeded is exceeded
