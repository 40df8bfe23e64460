"""The flow's tests: the service in a process of its own between real callers and a scripted upstream.

They have a Redis of their own, so that `verify` speaks of nothing but their calls. After each test
nothing is held any more and the books agree.
"""

import os
import secrets
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.app import create_app
from service.call import Incoming
from service.config import Settings
from service.ledger.rows import read_rows
from service.ledger.verify import verify
from service.services import Services
from service.serving.embedded_redis import EmbeddedRedisError, start_embedded_redis
from service.wiring import Stores, open_stores
from tests.flow.raw_upstream import RawUpstream
from tests.flow.scripts import answer, completion
from tests.harness import ADMIN_KEY, Caller, Service, eventually

PRICES = """
[models."cheap-local"]
input = "0.10"
output = "0.40"
context_window = 32768
max_output_tokens = 8192
output_cap_field = "max_tokens"
"""


@pytest.fixture(scope="session")
def flow_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            # Other tests' servers may have threads here; the child below only becomes Redis.
            warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
            server = start_embedded_redis(tmp_path_factory.mktemp("flow-redis"))
    except EmbeddedRedisError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with server:
        yield server.url


@pytest.fixture(scope="session")
def stores(flow_redis_url: str) -> Iterator[Stores]:
    stores = open_stores(Settings(redis_url=flow_redis_url), flow_redis_url, timeout_seconds=5)
    yield stores
    stores.client.connection_pool.disconnect()


@pytest.fixture(scope="session")
def running_upstream() -> Iterator[RawUpstream]:
    upstream = RawUpstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("prices") / "prices.toml"
    file.write_text(PRICES)
    return file


@pytest.fixture(scope="session")
def service(running_upstream: RawUpstream, flow_redis_url: str, prices: Path) -> Iterator[Service]:
    """gunicorn and all; an upstream that is silent for a second has timed out."""
    service = Service(
        running_upstream.url,
        workers=1,
        REDIS_URL=flow_redis_url,
        SPENDGATE_UPSTREAM_TIMEOUT_SECONDS=1,
        SPENDGATE_PRICES=prices,
        SPENDGATE_MAX_BODY_MB=1,
    )
    yield service
    service.http.clear()
    assert service.terminate() == 0


@pytest.fixture(scope="session")
def own(running_upstream: RawUpstream, flow_redis_url: str) -> Iterator[Services]:
    """The same service in this process, for what only its own hands can reach."""
    settings = Settings(
        redis_url=flow_redis_url,
        openai_base_url=running_upstream.url,
        openai_api_key="sk-upstream",
        admin_key=ADMIN_KEY,
        upstream_timeout_seconds=1,
    )
    app = create_app(settings)
    services: Services = app.extensions["spendgate"]
    yield services
    services.shut_down(5)
    services.stores.client.connection_pool.disconnect()


@pytest.fixture
def upstream(running_upstream: RawUpstream) -> RawUpstream:
    """Says the same to everybody until a test tells it otherwise."""
    running_upstream.plays(answer(completion()))
    return running_upstream


@pytest.fixture
def caller(service: Service, upstream: RawUpstream) -> Caller:
    return service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="5")


@dataclass(frozen=True)
class Entry:
    """What is left of a key's calls when none is running: nano-USD, and its rows."""

    spent: int
    in_doubt: int
    rows: list[dict[str, Any]]

    @property
    def row(self) -> dict[str, Any]:
        assert len(self.rows) == 1
        return self.rows[0]

    @property
    def is_untouched(self) -> bool:
        return (self.spent, self.in_doubt, self.rows) == (0, 0, [])


class Books:
    """What the ledger says, once nothing is held."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def of(self, caller: Caller) -> Entry:
        eventually(lambda: self.held(caller) == 0)
        balance = self._stores.keys.get(caller.id).balance
        rows = list(read_rows(self._stores.client, key_id=caller.id))
        return Entry(balance.spent, balance.doubt, rows)

    def held(self, caller: Caller) -> int:
        return self._stores.keys.get(caller.id).balance.held


@pytest.fixture
def books(stores: Stores) -> Books:
    return Books(stores)


@pytest.fixture(autouse=True)
def _nothing_is_held_and_the_books_agree(stores: Stores) -> Iterator[None]:
    yield
    eventually(lambda: not any(key.balance.held for key in stores.keys.all()))
    assert verify(stores.client) == []


def incoming(caller: Caller, raw: bytes) -> Incoming:
    """A request as the flow takes it, without HTTP in front of it."""
    return Incoming(secret=caller.secret, raw=raw, request_id=f"sgr_{secrets.token_hex(12)}", headers={})
