"""How an open hold is shown to operators."""

from typing import Any

from service.ledger.balances import OpenHold
from service.ledger.by_hand import Resolved
from service.money import format_usd
from service.times import rfc3339_ms


def hold_object(found: OpenHold) -> dict[str, Any]:
    """A hold as the API shows it. `state`: held or in_doubt; `cause`: lease or unanswered, if in doubt."""
    hold, meta = found.hold, found.meta
    return {
        "id": hold.id,
        "object": "hold",
        "state": found.state,
        "cause": found.cause,
        "bound_usd": format_usd(hold.bound_nano_usd),
        "admitted_at": rfc3339_ms(hold.admitted_at_ms),
        "worker": hold.worker,
        "key_id": meta.get("key_id"),
        "project": meta.get("project"),
        "endpoint": meta.get("endpoint"),
        "model": meta.get("model"),
        "request_id": meta.get("request_id"),
    }


def resolved_object(resolved: Resolved) -> dict[str, Any]:
    """What an operator's settle or release answers. `state`: settled or released."""
    shown: dict[str, Any] = {"id": resolved.hold_id, "object": "hold", "state": resolved.state}
    if resolved.cost_nano_usd is not None:
        shown |= {"cost_usd": format_usd(resolved.cost_nano_usd), "row_id": resolved.row_id}
    return shown
