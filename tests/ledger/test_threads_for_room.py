"""A hundred threads against room for five: exactly five pass, in every scope or in none."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.errors import BudgetInFlight, InsufficientQuota
from service.ledger.holds import Account, Hold
from tests.ledger.conftest import Bench

THREADS = 100
PRICE = 1_000


def _all_at_once(bench: Bench, account: Account) -> list[Hold | BudgetInFlight]:
    start = threading.Barrier(THREADS)

    def call(_: int) -> Hold | BudgetInFlight:
        start.wait()
        try:
            return bench.reserve(account, PRICE)
        except BudgetInFlight as refusal:
            return refusal

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))


@pytest.mark.parametrize(
    ("key_limits", "project_limits"),
    [
        ({"hard": 5 * PRICE}, {}),
        ({"hard": 6 * PRICE - 1}, {"hard": 100 * PRICE}),
        ({"hard": 50 * PRICE}, {"hard": 5 * PRICE}),
        ({}, {"hard": 6 * PRICE - 1}),
    ],
    ids=["key", "key is tighter", "project is tighter", "project alone"],
)
def test_of_a_hundred_threads_exactly_five_pass(
    bench: Bench, key_limits: dict[str, Any], project_limits: dict[str, Any]
) -> None:
    bench.set_project(**project_limits)
    account = bench.key(**key_limits)
    answers = _all_at_once(bench, account)
    passed = [answer for answer in answers if isinstance(answer, Hold)]
    assert len(passed) == 5
    for scope in account.scopes:
        period = scope.period_at(bench.ledger.now_ms()).name
        assert bench.balance(scope, period) == (0, 5 * PRICE, 0, 5)


def test_twenty_threads_spend_a_budget_to_its_last_call_and_no_further(bench: Bench) -> None:
    account = bench.key(hard=50 * PRICE)

    def spend_until_refused(_: int) -> int:
        calls = 0
        while True:
            try:
                hold = bench.reserve(account, PRICE)
            except BudgetInFlight:
                continue
            except InsufficientQuota:
                return calls
            assert bench.settle(hold, PRICE) is not None
            calls += 1

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(spend_until_refused, range(20))) == 50
    scope = account.scopes[0]
    assert bench.balance(scope, scope.period_at(bench.ledger.now_ms()).name) == (50 * PRICE, 0, 0, 0)
