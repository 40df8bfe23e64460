"""What tests share: one real Redis for the whole run, and stores on it.

Nothing is ever flushed. Each test has a project of a name of its own, and its keys in it.
"""

import os
import secrets
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.config import Settings
from service.keys import Key
from service.ledger.fitness import check_redis
from service.ledger.holds import Demand, Hold
from service.ledger.rows import new_row
from service.schemas.admin import load_key_create
from service.serving.embedded_redis import EmbeddedRedisError, start_embedded_redis
from service.wiring import Stores, open_stores

MakeKey = Callable[..., tuple[Key, str]]
TakeHold = Callable[..., Hold]
Spend = Callable[..., str]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of this run's own. Without a server: skipped on a laptop, an error in CI."""
    try:
        with warnings.catch_warnings():
            # Other tests' servers may have threads here; the child below only becomes Redis.
            warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
            server = start_embedded_redis(tmp_path_factory.mktemp("redis"))
    except EmbeddedRedisError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with server:
        yield server.url


@pytest.fixture(scope="session")
def stores(redis_url: str) -> Iterator[Stores]:
    """The stores of one worker, with patience for a busy test machine."""
    stores = open_stores(Settings(redis_url=redis_url), redis_url, timeout_seconds=5)
    check_redis(stores.client)
    # A lease for the whole run: the sweeper of a service under test must leave the tests' holds alone.
    stores.ledger.renew_lease(86_400_000)
    yield stores
    stores.client.connection_pool.disconnect()


@pytest.fixture
def lost_worker(redis_url: str) -> Iterator[Stores]:
    """The stores of a worker that has no lease: as if it had been killed long ago."""
    lost = open_stores(Settings(redis_url=redis_url), redis_url, timeout_seconds=5)
    yield lost
    lost.client.connection_pool.disconnect()


@pytest.fixture
def project() -> str:
    return f"p-{secrets.token_hex(6)}"


@pytest.fixture
def make_key(stores: Stores, project: str) -> MakeKey:
    """Makes a key in the test's project; fields as in POST /admin/keys. Gives it and its secret."""

    def make(**fields: Any) -> tuple[Key, str]:
        body = {"name": f"k-{secrets.token_hex(4)}", "project": project, **fields}
        return stores.keys.create(load_key_create(body))

    return make


def oldest_first(keys: list[Key]) -> list[str]:
    """The keys' ids in the order of a list; those made in one millisecond go by their ids."""
    return [key.id for key in sorted(keys, key=lambda key: (int(key.record["created_at"]), key.id))]


@pytest.fixture
def take_hold(stores: Stores) -> TakeHold:
    """Reserves exactly `nano_usd` for the owner of a secret."""

    def take(
        secret: str,
        nano_usd: int = 1_000,
        *,
        model: str = "gpt-4o-mini",
        endpoint: str = "chat.completions",
        now_us: int | None = None,
        by: Stores = stores,
    ) -> Hold:
        account = by.keys.authenticate(secret)
        meta = {
            "request_id": f"sgr_{secrets.token_hex(4)}",
            "endpoint": endpoint,
            "model": model,
            "key_id": account.key_id,
            "project": account.project,
        }
        demand = Demand(0, nano_usd * 1_000, 0, 0, 0)
        return by.ledger.reserve(
            account, demand, hold_id=by.ledger.new_hold_id(), model=model, meta=meta, now_us=now_us
        )

    return take


@pytest.fixture
def spend(stores: Stores, take_hold: TakeHold) -> Spend:
    """Books a call of `nano_usd` and gives its row's id; tokens by class as keywords of `counts`."""

    def book(secret: str, nano_usd: int, *, counts: dict[str, int] | None = None, **hold_options: Any) -> str:
        hold = take_hold(secret, nano_usd, **hold_options)
        account = stores.keys.authenticate(secret)
        meta = {
            "request_id": "sgr_test",
            "endpoint": hold_options.get("endpoint", "chat.completions"),
            "model": hold_options.get("model", "gpt-4o-mini"),
            "key_id": account.key_id,
            "project": account.project,
        }
        row = new_row(meta, counts=counts or {}, usage_source="provider", status=200)
        settled = stores.ledger.settle(hold, nano_usd, row=row, classes=counts or {})
        assert settled is not None
        return f"row_{hold.shard}{settled.row_id}"

    return book
