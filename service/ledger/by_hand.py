"""What an operator decides: a hold that nobody runs any more is settled, or given back.

A hold whose worker is alive is the worker's: it will settle it itself, so it is refused here. Both verbs
take effect once per hold id, so a worker that comes back just then cannot book the same call again.
"""

from dataclasses import dataclass

import redis

from service.errors import Conflict, NotFound
from service.ledger import names
from service.ledger.balances import OpenHold, find_hold
from service.ledger.connection import Client
from service.ledger.ledger import Ledger, unavailable
from service.ledger.rows import new_row, row_name


@dataclass(frozen=True)
class Resolved:
    """What became of a hold: `settled` with its row's id and its cost, or `released` without either."""

    hold_id: str
    state: str
    row_id: str | None = None
    cost_nano_usd: int | None = None


def settle_by_hand(client: Client, ledger: Ledger, hold_id: str, cost_nano_usd: int) -> Resolved:
    """Book what a call cost, with a row whose usage_source is `operator`. Raises NotFound, Conflict."""
    found = _abandoned(client, hold_id)
    row = new_row(found.meta, counts={}, usage_source="operator")
    settled = ledger.settle(found.hold, cost_nano_usd, row=row, classes={})
    if settled is None:
        raise _gone(hold_id)
    return Resolved(hold_id, "settled", row_name(found.hold.shard, settled.row_id), cost_nano_usd)


def release_by_hand(client: Client, ledger: Ledger, hold_id: str) -> Resolved:
    """Give a hold back: its call cost nothing. Raises NotFound, Conflict."""
    if not ledger.release(_abandoned(client, hold_id).hold):
        raise _gone(hold_id)
    return Resolved(hold_id, "released")


def _abandoned(client: Client, hold_id: str) -> OpenHold:
    found = find_hold(client, hold_id)
    if found is None:
        raise NotFound(f"There is no open hold '{hold_id}'.")
    if found.state == "held" and _is_alive(client, found.hold.worker):
        raise Conflict(f"The call of hold '{hold_id}' is still running; its worker will settle it.")
    return found


def _is_alive(client: Client, worker: str) -> bool:
    try:
        until_ms = client.zscore(names.LEASES, worker)
        seconds, microseconds = client.time()
    except redis.RedisError as error:
        raise unavailable() from error
    return until_ms is not None and until_ms > seconds * 1000 + microseconds // 1000


def _gone(hold_id: str) -> Conflict:
    return Conflict(f"Hold '{hold_id}' has just been settled or released by somebody else.")
