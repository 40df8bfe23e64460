"""The ledger's verbs over one Redis: reserve, settle, release, cancel, doubt, amend.

Every method is one script call. Redis that does not answer raises LedgerUnavailable; whether the
script ran is then unknown, which is why each verb but reserve may be said twice without harm; an
unanswered reserve is cancelled. How an undone verb is repeated until it lands is the business of
`landing.py`.
"""

import itertools
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import redis

from service.errors import LedgerUnavailable
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import Account, Demand, Hold, Scope, Settled, hold_record
from service.ledger.periods import Period
from service.ledger.refusals import raise_refusal
from service.ledger.scripts import Scripts

CANCEL_MEMORY_MS = 3_600_000
# In place of a hold's id: decide, and write nothing.
LOOK_ONLY = ""


def new_worker_id() -> str:
    return secrets.token_hex(6)


class ReserveUnanswered(LedgerUnavailable):
    """A reserve whose answer did not come: it may land yet. `hold` is what must be cancelled."""

    def __init__(self, hold: Hold) -> None:
        cause = unavailable()
        super().__init__(cause.message, headers=cause.headers)
        self.hold = hold


def unavailable() -> LedgerUnavailable:
    """The one answer to any trouble with Redis: fail closed."""
    return LedgerUnavailable(
        "The ledger does not answer, so nothing was sent to the upstream. Try again shortly.",
        headers={"Retry-After": "1"},
    )


class Ledger:
    """Money in Redis. One instance a worker; `worker` names its lease and its holds."""

    def __init__(self, client: Client, *, worker: str, rows_kept: int) -> None:
        self.worker = worker
        self._client = client
        self._scripts = Scripts(client)
        self._rows_kept = rows_kept
        self._numbers = itertools.count()
        # Redis' clock less ours; learnt from each stale period, needed only to guess the right one.
        self._clock_offset_ms = 0

    def new_hold_id(self) -> str:
        return f"{self.worker}.{next(self._numbers):x}"

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self._clock_offset_ms

    def reserve(
        self,
        account: Account,
        demand: Demand,
        *,
        hold_id: str,
        model: str,
        meta: Mapping[str, Any],
        now_us: int | None = None,
    ) -> Hold:
        """Take a hold in every scope of the account, or none.

        `meta` (request id, endpoint, ...) is kept with the hold. `now_us` replaces Redis' clock in
        tests. Raises the refusals of service.errors, and ReserveUnanswered, whose hold the caller
        must `cancel`.
        """
        for _ in range(3):
            at_ms = now_us // 1000 if now_us is not None else self.now_ms()
            periods = [(scope, scope.period_at(at_ms)) for scope in account.scopes]
            try:
                reply = self._reserve(account, demand, periods, hold_id, model, meta, at_ms, now_us)
            except LedgerUnavailable as error:
                raise ReserveUnanswered(self._hold(account, periods, hold_id, at_ms)) from error
            if reply[0] != "stale_period":
                return self._admitted(reply, account, periods, hold_id)
            self._clock_offset_ms += reply[1] // 1000 - self.now_ms()
        raise LedgerUnavailable(
            "The ledger's clock and time zones do not agree.", headers={"Retry-After": "1"}
        )

    def look(self, account: Account, demand: Demand, *, model: str, now_us: int | None = None) -> Hold:
        """The hold a reserve would take now; it is not taken, and nothing changes. Raises what it would."""
        try:
            return self.reserve(account, demand, hold_id=LOOK_ONLY, model=model, meta={}, now_us=now_us)
        except ReserveUnanswered as error:
            raise unavailable() from error

    def _reserve(
        self,
        account: Account,
        demand: Demand,
        periods: list[tuple[Scope, Period]],
        hold_id: str,
        model: str,
        meta: Mapping[str, Any],
        at_ms: int,
        now_us: int | None,
    ) -> Any:
        scopes = [(scope.name, scope.label, period.name) for scope, period in periods]
        keys = [
            names.held(account.shard, self.worker),
            names.workers(account.shard),
            names.cancelled(account.shard, hold_id),
            *(name for name, _, _ in scopes),
        ]
        args: list[Any] = [
            hold_id,
            self.worker,
            f"secret:{account.secret_hash}",
            model,
            hold_record({**meta, "worker": self.worker, "at": at_ms}, scopes),
            demand.input_pico_usd,
            demand.output_pico_usd,
            demand.cap_tokens,
            demand.floor_tokens,
            demand.input_tokens,
            "" if now_us is None else now_us,
        ]
        for _, period in periods:
            args += (period.name, period.start_ms, period.end_ms)
        return self._run("reserve", keys, args)

    def _admitted(
        self, reply: list[Any], account: Account, periods: list[tuple[Scope, Period]], hold_id: str
    ) -> Hold:
        if reply[0] != "admitted":
            raise_refusal(reply, periods)
        _, bound, cap, remaining, soft, now_us = reply
        return replace(
            self._hold(account, periods, hold_id, now_us // 1000),
            bound_nano_usd=bound,
            cap_tokens=cap,
            remaining_nano_usd=None if remaining < 0 else remaining,
            soft_limit_exceeded=bool(soft),
        )

    def _hold(self, account: Account, periods: list[tuple[Scope, Period]], hold_id: str, at_ms: int) -> Hold:
        return Hold(
            id=hold_id,
            worker=self.worker,
            shard=account.shard,
            scopes=tuple((s.name, s.label, p.name) for s, p in periods),
            bound_nano_usd=0,
            cap_tokens=0,
            remaining_nano_usd=None,
            soft_limit_exceeded=False,
            admitted_at_ms=at_ms,
        )

    def settle(
        self, hold: Hold, cost_nano_usd: int, *, row: Mapping[str, Any], classes: Mapping[str, int]
    ) -> Settled | None:
        """Book what the call cost, with its row. None: the hold is gone (settled or released before).

        `row` is kept as it is (see `rows.py`); `classes` are the counts for the hourly rollup.
        """
        shard = hold.shard
        hour_s = hold.admitted_at_ms // 3_600_000 * 3600
        hour = datetime.fromtimestamp(hour_s, UTC).strftime("%Y-%m-%dT%H")
        counts = {"requests": 1, "cost": cost_nano_usd, **classes}
        increments: list[Any] = []
        # `|` parts the names; a model's name may hold anything.
        model = str(row["model"]).replace("|", "_")
        prefix = f"{row['key_id']}|{row['project']}|{model}|{row['endpoint']}|"
        for name, count in counts.items():
            if count:
                increments += (prefix + name, count)
        keys = [
            names.held(shard, hold.worker),
            names.doubt(shard),
            names.ledger(shard),
            names.outbox(shard),
            names.books(shard),
            names.rollup(shard, hour),
            names.hours(shard),
            *(name for name, _, _ in hold.scopes),
        ]
        args: list[Any] = [
            hold.id,
            cost_nano_usd,
            json.dumps(row, separators=(",", ":")),
            self._rows_kept,
            hour_s,
            hour,
            classes.get("output_tokens", 0),
            len(increments) // 2,
            *increments,
        ]
        for _, label, period in hold.scopes:
            args += (label, period)
        reply = self._run("settle", keys, args)
        if reply[0] == "gone":
            return None
        _, row_id, remaining, soft, overrun, late, _ = reply
        return Settled(
            row_id=row_id,
            cost_nano_usd=cost_nano_usd,
            remaining_nano_usd=None if remaining < 0 else remaining,
            soft_limit_exceeded=bool(soft),
            overrun=bool(overrun),
            late=bool(late),
        )

    def release(self, hold: Hold) -> bool:
        """Give a hold back; False if it was gone."""
        keys = [names.held(hold.shard, hold.worker), names.doubt(hold.shard)]
        return bool(self._run_on(hold, "release", keys, [hold.id])[0] == "released")

    def doubt(self, hold: Hold, cause: str) -> bool:
        """Count a hold on while nobody knows its cost; cause is `unanswered` or `lease`."""
        keys = [names.held(hold.shard, hold.worker), names.doubt(hold.shard)]
        return bool(self._run_on(hold, "doubt", keys, [hold.id, cause])[0] == "in_doubt")

    def cancel(self, hold: Hold) -> None:
        """Make sure that the hold of an unanswered reserve does not exist, now or later."""
        keys = [
            names.held(hold.shard, hold.worker),
            names.doubt(hold.shard),
            names.cancelled(hold.shard, hold.id),
        ]
        self._run_on(hold, "cancel", keys, [hold.id, CANCEL_MEMORY_MS])

    def ping(self) -> None:
        """Raise LedgerUnavailable if Redis does not answer."""
        try:
            self._client.ping()
        except redis.RedisError as error:
            raise unavailable() from error

    def renew_lease(self, lease_ms: int) -> int:
        """Renew this worker's lease; gives Redis' time (epoch ms)."""
        now_ms: int = self._run("lease", [names.LEASES], [self.worker, lease_ms])
        return now_ms

    def amend(self, scope: Scope, changes: Mapping[str, str | int], removals: list[str]) -> bool:
        """Change a scope's record; a limit set below what was spent is told at once. False: no such scope."""
        pairs = [part for pair in changes.items() for part in pair]
        args = [scope.label, scope.period_at(self.now_ms()).name, len(changes), *pairs, *removals]
        return bool(self._run("amend", [scope.name, names.outbox(scope.shard)], args)[0] == "amended")

    def _run_on(self, hold: Hold, verb: str, keys: list[str], args: list[Any]) -> Any:
        keys = keys + [name for name, _, _ in hold.scopes]
        return self._run(verb, keys, args + [period for _, _, period in hold.scopes])

    def _run(self, verb: str, keys: list[str], args: list[Any]) -> Any:
        try:
            return self._scripts.run(verb, keys, args)
        except redis.RedisError as error:
            raise unavailable() from error
