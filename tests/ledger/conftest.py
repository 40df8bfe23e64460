"""What the ledger's tests share: a bench to work a ledger at, and Redis servers of their own.

Tests that stop, fill or spoil a Redis, or look at all of it, have one to themselves.
"""

import secrets
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.keys import Keys
from service.ledger import names
from service.ledger.connection import connect
from service.ledger.holds import Account, Demand, Hold, Scope, Settled
from service.ledger.ledger import Ledger, new_worker_id
from service.ledger.rows import new_row
from service.projects import Projects
from service.schemas.admin import load_key_create
from service.serving.embedded_redis import EmbeddedRedis, start_embedded_redis

PATIENCE_SECONDS = 5

Balance = tuple[int, int, int, int]  # spent, held, in doubt (nano-USD), running
StartRedis = Callable[[Path], EmbeddedRedis]


class RecordingLedger(Ledger):
    """The ledger, with the raw reply of its last script."""

    reply: list[Any]

    def _run(self, verb: str, keys: list[str], args: list[Any]) -> Any:
        self.reply = super()._run(verb, keys, args)
        return self.reply


class Bench:
    """One worker's ledger and one project: keys with raw limits, calls of exact amounts, balances."""

    def __init__(self, client: Any, project: str | None = None) -> None:
        self.client = client
        self.project = project or f"p-{secrets.token_hex(6)}"
        self.shard = names.shard_of_project(self.project)
        self.ledger = RecordingLedger(client, worker=new_worker_id(), rows_kept=1_000_000)
        self.keys = Keys(client, self.ledger, Projects(client))
        self.scopes = {f"project:{self.project}"}

    def set_project(self, *, period: str = "month", timezone: str = "UTC", **limits: int | str) -> None:
        """Make the project; limits are the scope's fields (nano-USD)."""
        Projects(self.client).ensure(self.project)
        record = names.project(self.shard, self.project)
        self.client.hset(record, mapping={"period": period, "timezone": timezone, **limits})

    def key(self, *, body: dict[str, Any] | None = None, **limits: int | str) -> Account:
        """A new key; `body` as in POST /admin/keys, limits as the scope's fields (nano-USD)."""
        fields = {"name": f"k-{secrets.token_hex(4)}", "project": self.project, **(body or {})}
        _, secret = self.keys.create(load_key_create(fields))
        account = self.keys.authenticate(secret)
        self.scopes.add(account.scopes[0].label)
        self.amend(account.scopes[0], **limits)
        return account

    def amend(self, scope: Scope, **limits: int | str) -> None:
        assert self.ledger.amend(scope, limits, [])

    def reserve(self, account: Account, nano_usd: int, *, model: str = "gpt-4o-mini", **rest: Any) -> Hold:
        """Hold exactly so much."""
        return self.demand(account, Demand(0, nano_usd * 1_000, 0, 0, 0), model=model, **rest)

    def demand(
        self,
        account: Account,
        demand: Demand,
        *,
        model: str = "gpt-4o-mini",
        hold_id: str | None = None,
        now_us: int | None = None,
    ) -> Hold:
        return self.ledger.reserve(
            account,
            demand,
            hold_id=hold_id or self.ledger.new_hold_id(),
            model=model,
            meta=_meta(account.key_id, account.project, model),
            now_us=now_us,
        )

    def settle(self, hold: Hold, nano_usd: int, **classes: int) -> Settled | None:
        return self.ledger.settle(hold, nano_usd, **booking(hold, **classes))

    def balance(self, scope: Scope, period: str) -> Balance:
        found = self.client.hmget(
            scope.name, f"spent:{period}", f"held:{period}", f"doubt:{period}", "running"
        )
        spent, held, doubt, running = (int(value or 0) for value in found)
        return spent, held, doubt, running

    def events(self) -> list[dict[str, str]]:
        """The events of this project and its keys, the oldest first."""
        found = self.client.xrange(names.outbox(self.shard))
        return [fields for _, fields in found if fields["scope"] in self.scopes]

    def everything(self) -> dict[str, tuple[Any, bool]]:
        """All that is in the shard: name -> (value, whether it expires)."""
        return everything(self.client, f"{{sg{self.shard}}}:*")


def booking(hold: Hold, **classes: int) -> dict[str, Any]:
    """The row and the classes that a settle of this hold is told."""
    owners = dict(label.split(":", 1) for _, label, _ in hold.scopes)
    meta = _meta(owners["key"], owners["project"], "gpt-4o-mini")
    row = new_row(meta, counts=classes, usage_source="provider", status=200)
    return {"row": row, "classes": classes}


def _meta(key_id: str, project: str, model: str) -> dict[str, Any]:
    return {
        "request_id": "sgr_test",
        "endpoint": "chat.completions",
        "model": model,
        "key_id": key_id,
        "project": project,
    }


def everything(client: Any, pattern: str) -> dict[str, tuple[Any, bool]]:
    """All names of that pattern, with their values and whether they expire."""
    found = sorted(client.scan_iter(match=pattern, count=1000))
    pipe = client.pipeline(transaction=False)
    for name in found:
        pipe.type(name).pttl(name)
    replies = pipe.execute()
    readers = {
        "string": pipe.get,
        "hash": pipe.hgetall,
        "set": pipe.smembers,
        "zset": lambda name: pipe.zrange(name, 0, -1, withscores=True),
        "stream": pipe.xrange,
    }
    for name, kind in zip(found, replies[::2], strict=True):
        readers[kind](name)
    expires = [left_ms != -1 for left_ms in replies[1::2]]
    return dict(zip(found, zip(pipe.execute(), expires, strict=True), strict=True))


@pytest.fixture(scope="session")
def bench_client(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Redis for all benches: they set balances by hand, which nobody else's books would bear."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
        server = start_embedded_redis(tmp_path_factory.mktemp("bench"))
    with server:
        client = connect(server.url, timeout_seconds=PATIENCE_SECONDS)
        yield client
        client.connection_pool.disconnect()


@pytest.fixture
def bench(bench_client: Any, project: str) -> Bench:
    """A bench with a project of its own on the benches' Redis."""
    return Bench(bench_client, project)


@pytest.fixture
def start_redis(redis_url: str) -> Iterator[StartRedis]:
    """Starts Redis servers that end with the test (and skips where there is no server at all)."""
    running: list[EmbeddedRedis] = []

    def start(data_dir: Path) -> EmbeddedRedis:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
            running.append(start_embedded_redis(data_dir))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def own_redis(start_redis: StartRedis, tmp_path: Path) -> EmbeddedRedis:
    """A Redis that is this test's alone."""
    return start_redis(tmp_path)


@pytest.fixture
def own_bench(own_redis: EmbeddedRedis) -> Iterator[Bench]:
    """A bench on a Redis that is this test's alone."""
    client = connect(own_redis.url, timeout_seconds=PATIENCE_SECONDS)
    yield Bench(client)
    client.connection_pool.disconnect()
