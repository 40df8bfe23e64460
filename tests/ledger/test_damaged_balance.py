"""A balance that is no number stops a script before it has written anything, never half-way."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.errors import LedgerUnavailable
from service.ledger import names
from service.ledger.connection import connect
from service.ledger.holds import Hold
from service.serving.embedded_redis import start_embedded_redis
from tests.ledger.conftest import PATIENCE_SECONDS, Bench


# Damage is never left on the Redis that other tests use.
@pytest.fixture(scope="module")
def client(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with start_embedded_redis(tmp_path_factory.mktemp("damaged")) as server:
        client = connect(server.url, timeout_seconds=PATIENCE_SECONDS)
        yield client
        client.connection_pool.disconnect()


@pytest.fixture
def bench(client: Any) -> Bench:
    return Bench(client)


VERBS: dict[str, Callable[[Bench, Hold], Any]] = {
    "settle": lambda bench, hold: bench.settle(hold, 5, output_tokens=3),
    "release": lambda bench, hold: bench.ledger.release(hold),
    "doubt": lambda bench, hold: bench.ledger.doubt(hold, "lease"),
    "cancel": lambda bench, hold: bench.ledger.cancel(hold),
}


def _refuses_without_a_trace(bench: Bench, verb: Callable[[], Any]) -> None:
    before = bench.everything()
    with pytest.raises(LedgerUnavailable):
        verb()
    assert bench.everything() == before


@pytest.mark.parametrize("value", ["much", "1.5", "1e3", ""])
@pytest.mark.parametrize("scope", [0, 1], ids=["key", "project"])
@pytest.mark.parametrize(
    ("verb", "field"),
    [(verb, field) for verb in VERBS for field in ("held:{}", "running")] + [("settle", "spent:{}")],
)
def test_verb_on_a_damaged_counter_changes_nothing(
    bench: Bench, verb: str, field: str, scope: int, value: str
) -> None:
    hold = bench.reserve(bench.key(), 10)
    name, _, period = hold.scopes[scope]
    bench.client.hset(name, field.format(period), value)
    _refuses_without_a_trace(bench, lambda: VERBS[verb](bench, hold))


@pytest.mark.parametrize("verb", ["settle", "release", "cancel"])
def test_verb_on_a_damaged_doubt_changes_nothing(bench: Bench, verb: str) -> None:
    hold = bench.reserve(bench.key(), 10)
    bench.ledger.doubt(hold, "lease")
    bench.client.hset(hold.scopes[1][0], f"doubt:{hold.scopes[1][2]}", "much")
    _refuses_without_a_trace(bench, lambda: VERBS[verb](bench, hold))


def test_doubt_on_a_damaged_doubt_changes_nothing(bench: Bench) -> None:
    hold = bench.reserve(bench.key(), 10)
    bench.client.hset(hold.scopes[1][0], f"doubt:{hold.scopes[1][2]}", "much")
    _refuses_without_a_trace(bench, lambda: bench.ledger.doubt(hold, "lease"))


@pytest.mark.parametrize("limits", [{}, {"hard": 100}])
@pytest.mark.parametrize("field", ["spent:total", "held:total", "doubt:total", "running"])
def test_reserve_on_a_damaged_counter_changes_nothing(
    bench: Bench, field: str, limits: dict[str, int]
) -> None:
    account = bench.key(body={"period": "total"}, **limits)
    bench.client.hset(account.scopes[0].name, field, "much")
    _refuses_without_a_trace(bench, lambda: bench.reserve(account, 1))


def test_settle_on_damaged_books_changes_nothing(bench: Bench) -> None:
    hold = bench.reserve(bench.key(), 10)
    _, label, period = hold.scopes[0]
    bench.client.hset(names.books(bench.shard), f"spent:{label}:{period}", "much")
    _refuses_without_a_trace(bench, lambda: bench.settle(hold, 5))


def test_settle_on_a_damaged_rollup_changes_nothing(own_bench: Bench) -> None:
    account = own_bench.key()
    first, second = own_bench.reserve(account, 10), own_bench.reserve(account, 10)
    own_bench.settle(first, 5, output_tokens=3)
    [rollup] = own_bench.client.keys(names.rollup(own_bench.shard, "*"))
    [tokens] = [name for name in own_bench.client.hkeys(rollup) if name.endswith("|output_tokens")]
    own_bench.client.hset(rollup, tokens, "much")
    _refuses_without_a_trace(own_bench, lambda: own_bench.settle(second, 5, output_tokens=3))
