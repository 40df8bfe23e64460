"""A worker's sign of life, and the sweeper of those that gave none.

Each worker keeps one lease in Redis and renews it at a third of its length. Holds of a worker whose
lease ran out are moved to in doubt: still counted, no longer running. One worker sweeps at a time.

Nothing is swept before this worker has seen Redis answer without a gap for a whole lease: after a
(re)start or a freeze of Redis the others have had no chance to renew.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from service.errors import LedgerUnavailable
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.fitness import unfit_reason
from service.ledger.holds import hold_from_record
from service.ledger.ledger import Ledger
from service.logs import log

BATCH = 100
FITNESS_SECONDS = 60
RETRY_SECONDS = 0.5


class Lease:
    """Keeps the worker's lease, checks Redis' fitness each minute, sweeps when it is its turn.

    `clock` gives seconds and never runs backwards (time.monotonic); tests give their own.
    """

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        length_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._length_seconds = length_seconds
        self._clock = clock
        self._renewed_at: float | None = None
        self._steady_since: float | None = None
        self._run_id: str | None = None
        self._unfit: str | None = None
        self._stopped = threading.Event()

    @property
    def round_seconds(self) -> float:
        """How often `tick` is due: well within the lease, and often enough to look at Redis each minute."""
        return min(self._length_seconds / 3, FITNESS_SECONDS)

    def start(self) -> None:
        threading.Thread(target=self._run, name="lease", daemon=True).start()

    def stop(self) -> None:
        """Stop renewing; give the lease up, so that whatever is left is in doubt at once."""
        self._stopped.set()
        try:
            self._client.zrem(names.LEASES, self._ledger.worker)
        except redis.RedisError:
            log.warning("lease_left_to_run_out")

    def trouble(self) -> str | None:
        """Why nothing may be admitted just now; None when all is well."""
        if self._unfit:
            return self._unfit
        if self._renewed_at is None or self._clock() - self._renewed_at > self._length_seconds:
            return "this worker's lease ran out"
        return None

    def tick(self) -> bool:
        """One round: renew, check, and sweep if it is this worker's turn. False: Redis did not answer."""
        now = self._clock()
        try:
            now_ms = self._ledger.renew_lease(int(self._length_seconds * 1000))
            self._look_at_redis(now)
        except (LedgerUnavailable, redis.RedisError):
            self._steady_since = None
            return False
        if self._renewed_at is None or now - self._renewed_at > self._length_seconds:
            self._steady_since = now
        self._renewed_at = now
        if self._steady_since is None:
            self._steady_since = now
        if now - self._steady_since >= self._length_seconds:
            self._sweep_in_turn(now_ms)
        return True

    def _run(self) -> None:
        # After a failure soon again, so that service resumes with Redis.
        pause_seconds = self.round_seconds
        while not self._stopped.wait(pause_seconds):
            pause_seconds = min(RETRY_SECONDS, self.round_seconds)
            try:
                if self.tick():
                    pause_seconds = self.round_seconds
            except Exception:  # noqa: BLE001 - one bad round must not be the last
                log.exception("lease_round_failed")

    def _look_at_redis(self, now: float) -> None:
        info = self._client.info()
        if self._run_id not in (None, info["run_id"]):
            self._steady_since = now
        self._run_id = info["run_id"]
        self._unfit = unfit_reason(info, self._client.get(names.LAYOUT))

    def _sweep_in_turn(self, now_ms: int) -> None:
        length_ms = int(self._length_seconds * 1000)
        try:
            if self._client.set(names.SWEEPER, self._ledger.worker, nx=True, px=length_ms // 2 + 1):
                sweep(self._client, self._ledger, now_ms)
        except (LedgerUnavailable, redis.RedisError):
            self._steady_since = None


def sweep(client: Client, ledger: Ledger, now_ms: int) -> int:
    """Move the holds of workers without a live lease to in doubt; gives how many were moved."""
    alive = set(client.zrangebyscore(names.LEASES, now_ms, "+inf"))
    moved = 0
    for shard in names.SHARDS:
        for worker in client.smembers(names.workers(shard)) - alive:
            moved += _sweep_worker(client, ledger, shard, worker)
            _forget_worker(client, shard, worker)
    client.zremrangebyscore(names.LEASES, "-inf", now_ms - 86_400_000)
    return moved


def _sweep_worker(client: Client, ledger: Ledger, shard: str, worker: str) -> int:
    held, moved = names.held(shard, worker), 0
    for field, _ in client.hscan_iter(held, count=BATCH):
        if field.endswith("#"):
            continue
        record, bound = client.hmget(held, field, field + "#")
        if record is None:
            continue  # settled since it was listed
        try:
            hold, _ = hold_from_record(field, shard, record, bound or "")
        except (ValueError, KeyError, TypeError):
            _set_aside(client, shard, worker, field, record, bound)
            continue
        moved += ledger.doubt(hold, "lease")
    if moved:
        log.warning("holds_in_doubt", worker=worker, shard=shard, holds=moved)
    return moved


def _forget_worker(client: Client, shard: str, worker: str) -> None:
    """Take a worker off the list, unless it has come back and holds something again."""
    held = names.held(shard, worker)

    def forget(pipe: Any) -> None:
        empty = not pipe.exists(held)
        pipe.multi()
        if empty:
            pipe.srem(names.workers(shard), worker)

    client.transaction(forget, held)


def _set_aside(client: Client, shard: str, worker: str, field: str, record: str, bound: str | None) -> None:
    """A hold that cannot be read: kept, still counted in its scopes' held, and out of the way."""
    log.error("hold_unreadable", worker=worker, hold=field)
    with client.pipeline(transaction=True) as pipe:
        pipe.hset(names.unreadable(shard), f"{worker}/{field}", record)
        if bound is not None:
            pipe.hset(names.unreadable(shard), f"{worker}/{field}#", bound)
        pipe.hdel(names.held(shard, worker), field, field + "#")
        pipe.execute()
