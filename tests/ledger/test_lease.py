"""Leases and the sweeper: whose holds go to in doubt, when, and what is left alone. Tests hold the clock."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from service.errors import LedgerUnavailable
from service.ledger import names
from service.ledger.connection import connect
from service.ledger.holds import Account, Hold
from service.ledger.lease import FITNESS_SECONDS, Lease, sweep
from service.ledger.ledger import new_worker_id
from service.ledger.verify import verify
from service.serving.embedded_redis import EmbeddedRedis
from tests.ledger.conftest import Balance, Bench, RecordingLedger, StartRedis

LENGTH = 60


class Worker:
    """A worker with a lease and a clock that only the test moves."""

    def __init__(self, client: Any, length: float = LENGTH) -> None:
        self.now = 1000.0
        self.client = client
        self.ledger = RecordingLedger(client, worker=new_worker_id(), rows_kept=100)
        self.lease = Lease(client, self.ledger, length, clock=lambda: self.now)

    def tick(self, seconds_later: float = 0) -> None:
        self.now += seconds_later
        self.lease.tick()

    def be_steady(self) -> None:
        """See Redis answer for all but a second of a whole lease."""
        for _ in range(4):
            self.tick(LENGTH / 4 - 0.25)


@pytest.fixture
def worker(own_bench: Bench) -> Worker:
    return Worker(own_bench.client)


@pytest.fixture
def account(own_bench: Bench) -> Account:
    return own_bench.key()


@pytest.fixture
def orphan(own_bench: Bench, account: Account) -> Hold:
    """A hold whose worker never had a lease."""
    return own_bench.reserve(account, 500)


def _balance(bench: Bench, account: Account) -> Balance:
    scope = account.scopes[0]
    return bench.balance(scope, scope.period_at(bench.ledger.now_ms()).name)


HELD, IN_DOUBT = (0, 500, 0, 1), (0, 0, 500, 0)


def test_holds_of_a_dead_worker_go_to_in_doubt(
    own_bench: Bench, account: Account, orphan: Hold, worker: Worker
) -> None:
    worker.tick()
    worker.be_steady()
    worker.tick(1)
    assert _balance(own_bench, account) == IN_DOUBT
    cause = own_bench.client.hget(names.doubt(own_bench.shard), f"{orphan.id}@")
    assert cause == "lease"
    assert own_bench.client.smembers(names.workers(own_bench.shard)) == set()
    assert verify(own_bench.client) == []


def test_nothing_is_swept_before_a_whole_lease_was_steady(
    own_bench: Bench, account: Account, orphan: Hold, worker: Worker
) -> None:
    worker.tick()
    worker.be_steady()
    assert _balance(own_bench, account) == HELD


def test_holds_of_a_living_worker_are_left_alone(own_bench: Bench, account: Account, worker: Worker) -> None:
    own_bench.reserve(account, 500)
    own_bench.ledger.renew_lease(LENGTH * 1000)
    worker.tick()
    worker.be_steady()
    worker.tick(1)
    assert _balance(own_bench, account) == HELD


def test_worker_that_gave_its_lease_up_is_swept(own_bench: Bench, account: Account, worker: Worker) -> None:
    own_bench.reserve(account, 500)
    leaving = Lease(own_bench.client, own_bench.ledger, LENGTH)
    leaving.tick()
    leaving.stop()
    worker.tick()
    worker.be_steady()
    worker.tick(1)
    assert _balance(own_bench, account) == IN_DOUBT


def test_silence_of_redis_begins_the_wait_anew(
    own_redis: EmbeddedRedis, own_bench: Bench, account: Account, orphan: Hold
) -> None:
    worker = Worker(connect(own_redis.url))
    worker.tick()
    worker.be_steady()
    os.kill(own_redis.pid, signal.SIGSTOP)
    worker.tick(1)
    os.kill(own_redis.pid, signal.SIGCONT)
    worker.tick(1)
    worker.be_steady()
    assert _balance(own_bench, account) == HELD
    worker.tick(1)
    assert _balance(own_bench, account) == IN_DOUBT
    worker.client.connection_pool.disconnect()


def test_worker_that_slept_over_its_own_lease_waits_anew(
    own_bench: Bench, account: Account, orphan: Hold, worker: Worker
) -> None:
    worker.tick()
    worker.tick(LENGTH * 10)
    assert _balance(own_bench, account) == HELD


def test_restart_of_redis_begins_the_wait_anew(
    own_redis: EmbeddedRedis, own_bench: Bench, account: Account, start_redis: StartRedis, tmp_path: Path
) -> None:
    """Even one so short that no renewal failed."""
    worker = Worker(own_bench.client)
    worker.tick()
    worker.be_steady()
    worker.tick(2)
    own_redis.stop()
    start_redis(tmp_path)
    own_bench.client.connection_pool.disconnect()
    own_bench.client.delete(names.SWEEPER)
    own_bench.reserve(account, 500)
    worker.tick(1)
    worker.be_steady()
    assert _balance(own_bench, account) == HELD
    worker.tick(1)
    assert _balance(own_bench, account) == IN_DOUBT


def test_late_settle_books_once_and_is_marked(
    own_bench: Bench, account: Account, orphan: Hold, worker: Worker
) -> None:
    assert sweep(own_bench.client, worker.ledger, worker.ledger.renew_lease(1000)) == 1
    settled = own_bench.settle(orphan, 300)
    assert settled is not None
    assert (settled.late, settled.overrun) == (True, False)
    assert own_bench.settle(orphan, 300) is None
    assert _balance(own_bench, account) == (300, 0, 0, 0)
    [(_, row)] = own_bench.client.xrange(names.ledger(own_bench.shard))
    assert (row["late"], row["cost"], row["bound"]) == ("1", "300", "500")
    assert verify(own_bench.client) == []


def test_only_one_worker_sweeps_at_a_time(
    own_bench: Bench, account: Account, orphan: Hold, worker: Worker
) -> None:
    assert own_bench.client.set(names.SWEEPER, "another", px=60_000)
    worker.tick()
    worker.be_steady()
    worker.tick(1)
    assert _balance(own_bench, account) == HELD
    own_bench.client.delete(names.SWEEPER)
    worker.tick(1)
    assert _balance(own_bench, account) == IN_DOUBT
    assert own_bench.client.get(names.SWEEPER) == worker.ledger.worker
    assert 0 < own_bench.client.pttl(names.SWEEPER) <= LENGTH * 1000


@pytest.mark.parametrize(
    ("field", "value"),
    [("", "{not json"), ("", "{}"), ("", '{"scopes": 5, "worker": "w", "at": 1}'), ("#", "many")],
)
def test_unreadable_hold_is_set_aside_and_stops_nothing(
    own_bench: Bench, account: Account, orphan: Hold, worker: Worker, field: str, value: str
) -> None:
    own_bench.reserve(account, 40)
    held = names.held(own_bench.shard, own_bench.ledger.worker)
    own_bench.client.hset(held, orphan.id + field, value)
    assert sweep(own_bench.client, worker.ledger, worker.ledger.renew_lease(1000)) == 1
    assert _balance(own_bench, account) == (0, 500, 40, 1)  # still counted
    aside = own_bench.client.hgetall(names.unreadable(own_bench.shard))
    name = f"{own_bench.ledger.worker}/{orphan.id}"
    assert set(aside) == {name, f"{name}#"}
    assert aside[name + field] == value
    assert not own_bench.client.exists(held)
    assert f"hold {name} cannot be read; it is still counted and must be resolved by hand" in verify(
        own_bench.client
    )


class Meddler(RecordingLedger):
    """Something else happens while the first hold is being moved."""

    meddle: Any

    def doubt(self, hold: Hold, cause: str) -> bool:
        meddle, self.meddle = self.meddle, lambda: None
        meddle()
        return super().doubt(hold, cause)


@pytest.fixture
def meddler(own_bench: Bench) -> Meddler:
    return Meddler(own_bench.client, worker=new_worker_id(), rows_kept=100)


def test_hold_that_is_settled_during_the_sweep_is_not_taken_for_an_unreadable_one(
    own_bench: Bench, account: Account, meddler: Meddler
) -> None:
    holds = [own_bench.reserve(account, 500) for _ in range(3)]
    meddler.meddle = lambda: [own_bench.settle(hold, 100) for hold in holds]
    assert sweep(own_bench.client, meddler, meddler.renew_lease(60_000)) == 0
    assert own_bench.client.hgetall(names.unreadable(own_bench.shard)) == {}
    assert _balance(own_bench, account) == (300, 0, 0, 0)


def test_worker_that_takes_a_hold_during_the_sweep_is_swept_again(
    own_bench: Bench, account: Account, orphan: Hold, meddler: Meddler
) -> None:
    meddler.meddle = lambda: own_bench.reserve(account, 20)
    assert sweep(own_bench.client, meddler, meddler.renew_lease(60_000)) == 1
    assert verify(own_bench.client) == []
    assert sweep(own_bench.client, meddler, meddler.renew_lease(60_000)) == 1
    assert _balance(own_bench, account) == (0, 0, 520, 0)


def test_lease_that_ran_out_is_trouble(own_bench: Bench, worker: Worker) -> None:
    assert worker.lease.trouble() == "this worker's lease ran out"
    worker.tick()
    assert worker.lease.trouble() is None
    worker.now += LENGTH
    assert worker.lease.trouble() is None
    worker.now += 0.1
    assert worker.lease.trouble() == "this worker's lease ran out"
    worker.tick()
    assert worker.lease.trouble() is None


def test_redis_that_may_throw_money_away_is_trouble(own_bench: Bench, worker: Worker) -> None:
    worker.tick()
    own_bench.client.config_set("maxmemory-policy", "allkeys-lru")
    worker.tick(FITNESS_SECONDS)
    assert "maxmemory-policy is allkeys-lru" in str(worker.lease.trouble())
    own_bench.client.config_set("maxmemory-policy", "noeviction")
    worker.tick(FITNESS_SECONDS)
    assert worker.lease.trouble() is None


@pytest.mark.parametrize("length", [1, 60, 600, 86_400])
def test_redis_is_looked_at_each_minute_and_the_lease_renewed_in_time(own_bench: Bench, length: int) -> None:
    lease = Lease(own_bench.client, own_bench.ledger, length)
    assert lease.round_seconds <= min(60, length / 3)


def test_lease_is_kept_by_the_clock_of_redis(own_bench: Bench) -> None:
    now_ms = own_bench.ledger.renew_lease(5_000)
    until_ms = own_bench.client.zscore(names.LEASES, own_bench.ledger.worker)
    assert until_ms == now_ms + 5_000
    assert abs(now_ms - own_bench.client.time()[0] * 1000) < 2_000


def test_old_leases_are_forgotten_after_a_day(own_bench: Bench, worker: Worker) -> None:
    now_ms = worker.ledger.renew_lease(60_000)
    day_ms = 86_400_000
    own_bench.client.zadd(names.LEASES, {"old": now_ms - day_ms - 1, "late": now_ms - day_ms + 60_000})
    sweep(own_bench.client, worker.ledger, now_ms)
    assert own_bench.client.zrange(names.LEASES, 0, -1) == ["late", worker.ledger.worker]


def test_full_redis_admits_nothing_but_settles_everything(
    own_bench: Bench, account: Account, worker: Worker
) -> None:
    holds = [own_bench.reserve(account, 100) for _ in range(4)]
    own_bench.client.config_set("maxmemory", 1)
    with pytest.raises(LedgerUnavailable):
        own_bench.reserve(account, 1)
    assert own_bench.settle(holds[0], 90) is not None
    own_bench.ledger.release(holds[1])
    own_bench.ledger.doubt(holds[2], "unanswered")
    own_bench.ledger.cancel(holds[3])
    own_bench.ledger.renew_lease(1000)
    assert _balance(own_bench, account) == (90, 0, 100, 0)
    own_bench.client.config_set("maxmemory", 0)
    assert verify(own_bench.client) == []
    assert own_bench.reserve(account, 1).bound_nano_usd == 1
