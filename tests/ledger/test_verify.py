"""`ledger verify`: nothing to say of sound books, and one nano-dollar is never overlooked."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from service.ledger import names
from service.ledger.holds import Account, Hold
from service.ledger.verify import verify
from tests.ledger.conftest import Bench


@pytest.fixture
def account(own_bench: Bench) -> Account:
    """A key with 300 spent in two rows, 40 held and 7 in doubt."""
    own_bench.set_project()
    account = own_bench.key(body={"name": "demo"})
    for nano_usd in (100, 200):
        own_bench.settle(own_bench.reserve(account, nano_usd), nano_usd)
    own_bench.reserve(account, 40)
    own_bench.ledger.doubt(own_bench.reserve(account, 7), "unanswered")
    return account


def _period(bench: Bench, account: Account) -> str:
    return account.scopes[0].period_at(bench.ledger.now_ms()).name


def test_sound_books_have_nothing_to_say_of(own_bench: Bench, account: Account) -> None:
    assert verify(own_bench.client) == []


def test_empty_redis_has_nothing_to_say_of(own_bench: Bench) -> None:
    assert verify(own_bench.client) == []


@pytest.mark.parametrize("scope", [0, 1], ids=["key", "project"])
@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize(
    ("counter", "was", "others"),
    [
        ("spent", 300, ["the books", "the hourly rollups"]),
        ("held", 40, ["its holds"]),
        ("doubt", 7, ["its holds"]),
    ],
)
def test_counter_of_a_scope_that_is_off_by_one_is_named(
    own_bench: Bench, account: Account, scope: int, by: int, counter: str, was: int, others: list[str]
) -> None:
    name, period = account.scopes[scope], _period(own_bench, account)
    own_bench.client.hincrby(name.name, f"{counter}:{period}", by)
    what = [f"{name.label} {counter}:{period}", f"{name.label} spent in all periods"]
    assert verify(own_bench.client) == [
        f"{each} is {was + by}, {other} say {was}: off by {by}"
        for each, other in zip(what, others, strict=False)
    ]


def test_calls_that_run_are_counted(own_bench: Bench, account: Account) -> None:
    own_bench.client.hincrby(account.scopes[0].name, "running", 1)
    label = account.scopes[0].label
    assert verify(own_bench.client) == [f"{label} running is 2, its holds say 1: off by 1"]


def test_books_that_are_off_by_one_are_named(own_bench: Bench, account: Account) -> None:
    label, period = account.scopes[0].label, _period(own_bench, account)
    own_bench.client.hincrby(names.books(own_bench.shard), f"spent:{label}:{period}", 1)
    assert verify(own_bench.client) == [
        f"{label} spent:{period} is 300, the books say 301: off by -1",
        f"last row of {label}:{period} is 300, the books say 301: off by -1",
    ]


def _rollup_field(bench: Bench) -> tuple[str, str]:
    [rollup] = bench.client.keys(names.rollup(bench.shard, "*"))
    [cost] = [name for name in bench.client.hkeys(rollup) if name.endswith("|cost")]
    return rollup, cost


def test_rollup_that_is_off_by_one_is_named(own_bench: Bench, account: Account) -> None:
    own_bench.client.hincrby(*_rollup_field(own_bench), 1)
    assert verify(own_bench.client) == [
        f"{scope.label} spent in all periods is 300, the hourly rollups say 301: off by -1"
        for scope in account.scopes
    ]


@pytest.mark.parametrize("field", ["cost", "spent"])
def test_row_that_does_not_add_up_is_named(own_bench: Bench, account: Account, field: str) -> None:
    """Written anew as the last row, with one number changed."""
    ledger, label = names.ledger(own_bench.shard), account.scopes[0].label
    row_id, row = own_bench.client.xrange(ledger)[-1]
    name = "cost" if field == "cost" else f"spent:{label}:{_period(own_bench, account)}"
    own_bench.client.xdel(ledger, row_id)
    # A stream takes no id twice or out of order, so the last row is written under the next one.
    next_id = f"{row_id.split('-')[0]}-{int(row_id.split('-')[1]) + 1}"
    own_bench.client.xadd(ledger, {**row, name: int(row[name]) + 1}, id=next_id)
    for scope in account.scopes:
        period = scope.period_at(own_bench.ledger.now_ms()).name
        own_bench.client.hset(names.books(own_bench.shard), f"row:{scope.label}:{period}", next_id)
    assert any(f"row {next_id} of {label}" in sentence for sentence in verify(own_bench.client))


def test_counter_of_a_scope_that_the_books_know_and_it_does_not_is_named(
    own_bench: Bench, account: Account
) -> None:
    period = _period(own_bench, account)
    own_bench.client.hdel(account.scopes[0].name, f"spent:{period}", f"held:{period}")
    sentences = verify(own_bench.client)
    label = account.scopes[0].label
    assert f"the books' spent:{label}:{period} is 300, its scope's counter say 0: off by 300" in sentences
    assert f"{label} held:{period} is 0, its holds say 40: off by -40" in sentences


def _damage_spent(bench: Bench, account: Account) -> str:
    bench.client.hset(account.scopes[0].name, f"spent:{_period(bench, account)}", "much")
    counter = f"{account.scopes[0].label} spent:{_period(bench, account)}"
    return f"{counter} is 'much', the books say '300': not both are numbers"


def _damage_books(bench: Bench, account: Account) -> str:
    field = f"spent:{account.scopes[0].label}:{_period(bench, account)}"
    bench.client.hset(names.books(bench.shard), field, "1.5")
    return "is '300', the books say '1.5': not both are numbers"


def _damage_rollup(bench: Bench, account: Account) -> str:
    bench.client.hset(*_rollup_field(bench), "much")
    return "'much', which is no number"


def _damage_hold(bench: Bench, account: Account) -> str:
    held = names.held(bench.shard, bench.ledger.worker)
    [hold_id] = [field for field in bench.client.hkeys(held) if not field.endswith("#")]
    bench.client.hset(held, hold_id, "{")
    return f"hold {hold_id} cannot be read"


@pytest.mark.parametrize("damage", [_damage_spent, _damage_books, _damage_rollup, _damage_hold])
def test_number_that_is_none_is_named_and_stops_nothing(
    own_bench: Bench, account: Account, damage: Callable[[Bench, Account], str]
) -> None:
    sentence = damage(own_bench, account)
    other = Bench(own_bench.client).key().scopes[0]
    own_bench.client.hincrby(other.name, "running", 1)
    sentences = verify(own_bench.client)
    assert any(sentence in each for each in sentences), sentences
    assert f"{other.label} running is 1, its holds say 0: off by 1" in sentences


def test_trimming_rows_takes_nothing_with_it(own_bench: Bench, account: Account) -> None:
    own_bench.ledger._rows_kept = 10
    other = own_bench.key()
    own_bench.settle(own_bench.reserve(other, 1), 1)
    for _ in range(250):  # Redis trims whole nodes of a hundred
        own_bench.settle(own_bench.reserve(account, 3), 2)
    assert own_bench.client.xlen(names.ledger(own_bench.shard)) < 250
    assert verify(own_bench.client) == []


def test_verify_is_exact_under_traffic(own_bench: Bench, account: Account) -> None:
    stop = threading.Event()

    def traffic() -> None:
        while not stop.is_set():
            hold: Hold = own_bench.reserve(account, 10)
            own_bench.settle(hold, 9)

    threads = [threading.Thread(target=traffic) for _ in range(4)]
    for thread in threads:
        thread.start()
    found: list[Any] = [verify(own_bench.client) for _ in range(30)]
    stop.set()
    for thread in threads:
        thread.join()
    assert found == [[]] * 30


def test_a_newest_row_that_is_gone_is_named(own_bench: Bench, account: Account) -> None:
    stream = names.ledger(account.shard)
    newest = own_bench.client.xrevrange(stream, count=1)[0][0]
    own_bench.client.xdel(stream, newest)
    assert any(newest in problem and "is gone" in problem for problem in verify(own_bench.client))


def test_rows_that_are_all_gone_are_named(own_bench: Bench, account: Account) -> None:
    own_bench.client.delete(names.ledger(account.shard))
    assert any("is gone" in problem for problem in verify(own_bench.client))


def test_books_that_forgot_their_last_row_are_named(own_bench: Bench, account: Account) -> None:
    books = names.books(account.shard)
    anchor = next(field for field in own_bench.client.hkeys(books) if field.startswith("row:"))
    own_bench.client.hdel(books, anchor)
    assert any("do not say which is the last row" in problem for problem in verify(own_bench.client))
