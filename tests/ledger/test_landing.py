"""Redis goes away in the middle: what must be written is written later, once; what must not be is not."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.errors import LedgerUnavailable
from service.ledger import names
from service.ledger.connection import connect
from service.ledger.holds import Hold, Scope
from service.ledger.landing import Landing
from service.ledger.ledger import ReserveUnanswered
from service.ledger.verify import verify
from service.serving.embedded_redis import EmbeddedRedis
from tests.ledger.conftest import Balance, Bench, StartRedis, booking

FLUSH_SECONDS = 10


@pytest.fixture
def hasty_bench(own_redis: EmbeddedRedis) -> Iterator[Bench]:
    """A bench that waits for Redis no longer than a worker does."""
    client = connect(own_redis.url)
    yield Bench(client)
    client.connection_pool.disconnect()


@pytest.fixture
def landing(hasty_bench: Bench) -> Iterator[Landing]:
    landing = Landing(hasty_bench.ledger)
    yield landing
    landing.stop()


@contextmanager
def _frozen(server: EmbeddedRedis) -> Iterator[None]:
    """Redis takes bytes in but does nothing: it looks alive to everybody but the waiting."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def _balance(bench: Bench, hold: Hold) -> Balance:
    """Of the key that the hold is of."""
    scope = Scope("key", hold.scopes[0][1].removeprefix("key:"), hold.shard, "month", "UTC")
    return bench.balance(scope, hold.scopes[0][2])


def test_settle_lands_later_and_once(own_redis: EmbeddedRedis, hasty_bench: Bench, landing: Landing) -> None:
    hold = hasty_bench.reserve(hasty_bench.key(), 1000)
    with _frozen(own_redis):
        assert landing.settle(hold, 700, **booking(hold, output_tokens=5)) is None
        assert not landing.flush(0)
    assert landing.flush(FLUSH_SECONDS)
    assert _balance(hasty_bench, hold) == (700, 0, 0, 0)
    assert hasty_bench.client.xlen(names.ledger(hasty_bench.shard)) == 1
    assert verify(hasty_bench.client) == []


def test_settle_lands_after_redis_was_killed_and_started_again(
    own_redis: EmbeddedRedis, hasty_bench: Bench, landing: Landing, start_redis: StartRedis, tmp_path: Path
) -> None:
    hold = hasty_bench.reserve(hasty_bench.key(), 1000)
    # While a sync of the file is under way Redis puts off writing to it, for up to two seconds.
    with connect(own_redis.url, timeout_seconds=5) as patient:
        assert patient.execute_command("WAITAOF", 1, 0, 0) == [1, 0]
    os.kill(own_redis.pid, signal.SIGKILL)
    own_redis.stop()
    assert landing.settle(hold, 700, **booking(hold)) is None
    start_redis(tmp_path)
    assert landing.flush(FLUSH_SECONDS)
    assert _balance(hasty_bench, hold) == (700, 0, 0, 0)
    assert verify(hasty_bench.client) == []


@pytest.mark.parametrize(("verb", "left"), [("release", (0, 0, 0, 0)), ("doubt", (0, 0, 1000, 0))])
def test_release_and_doubt_land_later(
    own_redis: EmbeddedRedis, hasty_bench: Bench, landing: Landing, verb: str, left: tuple[int, ...]
) -> None:
    hold = hasty_bench.reserve(hasty_bench.key(), 1000)
    with _frozen(own_redis):
        getattr(landing, verb)(hold, *(["unanswered"] if verb == "doubt" else []))
    assert landing.flush(FLUSH_SECONDS)
    assert _balance(hasty_bench, hold) == left


def test_reserve_without_an_answer_leaves_nothing_held(
    own_redis: EmbeddedRedis, hasty_bench: Bench, landing: Landing
) -> None:
    account = hasty_bench.key(hard=1000)
    with _frozen(own_redis):
        with pytest.raises(ReserveUnanswered) as caught:
            hasty_bench.reserve(account, 1000)
        landing.cancel(caught.value.hold)
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "1"})
    assert landing.flush(FLUSH_SECONDS)
    assert _balance(hasty_bench, caught.value.hold) == (0, 0, 0, 0)
    assert verify(hasty_bench.client) == []
    assert hasty_bench.reserve(account, 1000).remaining_nano_usd == 0


def test_reserve_that_arrives_after_its_cancel_takes_nothing(hasty_bench: Bench, landing: Landing) -> None:
    account = hasty_bench.key()
    hold = hasty_bench.reserve(account, 0)
    hasty_bench.ledger.release(hold)
    landing.cancel(hold)
    assert landing.flush(FLUSH_SECONDS)
    with pytest.raises(LedgerUnavailable):
        hasty_bench.reserve(account, 1000, hold_id=hold.id)
    assert _balance(hasty_bench, hold) == (0, 0, 0, 0)


def test_damaged_balance_keeps_no_other_verb_from_landing(
    hasty_bench: Bench, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged, sound = hasty_bench.key(), Bench(hasty_bench.client).key()
    stuck, free = hasty_bench.reserve(damaged, 10), hasty_bench.reserve(sound, 10)
    spent = f"spent:{stuck.scopes[0][2]}"
    hasty_bench.client.hset(damaged.scopes[0].name, spent, "much")
    landed, cancel = threading.Event(), hasty_bench.ledger.cancel
    monkeypatch.setattr(hasty_bench.ledger, "cancel", lambda hold: (cancel(hold), landed.set()))
    assert landing.settle(stuck, 5, **booking(stuck)) is None
    landing.cancel(free)
    assert landed.wait(FLUSH_SECONDS)
    # It is not given up either: once the balance is mended, it lands.
    hasty_bench.client.hset(damaged.scopes[0].name, spent, 0)
    assert landing.flush(FLUSH_SECONDS)
    assert hasty_bench.client.hget(damaged.scopes[0].name, spent) == "5"


def test_interrupted_settle_lands_all_the_same(
    hasty_bench: Bench, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is told to exit while it waits for Redis must not lose the settle."""
    hold = hasty_bench.reserve(hasty_bench.key(), 10)
    run, calls = hasty_bench.ledger._run, []

    def interrupted_once(verb: str, keys: list[str], args: list[Any]) -> Any:
        calls.append(verb)
        if len(calls) == 1:
            raise SystemExit
        return run(verb, keys, args)

    monkeypatch.setattr(hasty_bench.ledger, "_run", interrupted_once)
    with pytest.raises(SystemExit):
        landing.settle(hold, 7, **booking(hold))
    assert landing.flush(FLUSH_SECONDS)
    assert _balance(hasty_bench, hold) == (7, 0, 0, 0)


def test_flush_does_not_overlook_what_came_at_the_last_moment(hasty_bench: Bench) -> None:
    """Something is queued just when the thread, having seen an empty queue, says that it is idle."""
    landing = Landing(hasty_bench.ledger)
    hold = hasty_bench.reserve(hasty_bench.key(), 10)
    refused = threading.Event()

    def never() -> None:
        refused.set()
        raise LedgerUnavailable("no")

    class Idle(threading.Event):
        queued = False

        def set(self) -> None:
            if not self.queued:
                self.queued = True
                landing._later("cancel", hold, never)
            super().set()

    landing._idle = Idle()
    landing.release(hold)
    landing._later("cancel", hold, lambda: None)
    assert refused.wait(FLUSH_SECONDS)
    assert not landing.flush(0)
    landing.stop()
