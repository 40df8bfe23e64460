"""Sees to it that what must be written is written: verbs that Redis did not take are said again.

A paid reply is delivered at once even if Redis is away just then; its settle waits here until it
lands. Every verb is harmless when said twice, so an answer that was lost costs nothing. What is
still waiting when the process is killed shows up as holds in doubt: counted, never lost.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from service.errors import LedgerUnavailable
from service.ledger.holds import Hold, Settled
from service.ledger.ledger import Ledger
from service.logs import log

MOST_WAITING = 100_000
PAUSE_SECONDS = 0.2


class Landing:
    """Says settle, release, cancel and doubt until they land. One background thread a worker."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[tuple[str, Hold, Callable[[], Any]]] = deque()
        self._work = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="landing", daemon=True)
        self._thread.start()

    def settle(self, hold: Hold, cost_nano_usd: int, **rest: Any) -> Settled | None:
        """Book a cost now, or as soon as Redis is back (then None)."""
        try:
            settled = self._ledger.settle(hold, cost_nano_usd, **rest)
        except LedgerUnavailable:
            self._later("settle", hold, lambda: self._ledger.settle(hold, cost_nano_usd, **rest))
            return None
        except BaseException:
            # Killed in the middle of the call (a drain that ran out): it may or may not have landed.
            self._later("settle", hold, lambda: self._ledger.settle(hold, cost_nano_usd, **rest))
            raise
        if settled is None:
            log.error("settle_found_no_hold", hold=hold.id, cost_nano_usd=cost_nano_usd)
        elif settled.overrun:
            log.error(
                "overrun", hold=hold.id, cost_nano_usd=cost_nano_usd, bound_nano_usd=hold.bound_nano_usd
            )
        return settled

    def release(self, hold: Hold) -> None:
        self._now_or_later("release", hold, lambda: self._ledger.release(hold))

    def doubt(self, hold: Hold, cause: str) -> None:
        self._now_or_later("doubt", hold, lambda: self._ledger.doubt(hold, cause))

    def cancel(self, hold: Hold) -> None:
        """Cancel in the background: its caller has already waited for Redis in vain."""
        self._later("cancel", hold, lambda: self._ledger.cancel(hold))

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing is waiting; False if the time ran out first."""
        landed = self._idle.wait(timeout_seconds)
        if not landed:
            log.error("left_unlanded", verbs=len(self._waiting))
        return landed

    def stop(self) -> None:
        self._stopped.set()
        self._work.set()

    def _now_or_later(self, verb: str, hold: Hold, say: Callable[[], Any]) -> None:
        try:
            say()
        except LedgerUnavailable:
            self._later(verb, hold, say)
        except BaseException:
            self._later(verb, hold, say)
            raise

    def _later(self, verb: str, hold: Hold, say: Callable[[], Any]) -> None:
        if len(self._waiting) >= MOST_WAITING:
            log.error("landing_full", verb=verb, hold=hold.id, consequence="the hold will be in doubt")
            return
        self._waiting.append((verb, hold, say))
        self._idle.clear()
        self._work.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._work.wait()
            self._work.clear()
            while self._waiting and not self._stopped.is_set():
                self._land(*self._waiting[0])
            self._idle.set()
            if self._waiting:  # queued since they were last looked at
                self._idle.clear()

    def _land(self, verb: str, hold: Hold, say: Callable[[], Any]) -> None:
        try:
            say()
        except LedgerUnavailable:
            # To the back: one that Redis refuses (a damaged balance, say) must not keep others from landing.
            self._waiting.rotate(-1)
            self._stopped.wait(PAUSE_SECONDS)
            return
        except Exception:  # noqa: BLE001 - a fault of ours: the hold stays counted, the others go on
            log.exception("cannot_land", verb=verb, hold=hold.id)
        self._waiting.popleft()
