"""The body with which an operator settles a hold. Read it with `read_json_exact`: money is never a float."""

from typing import Any

from service.schemas.admin import AdminShape, Usd
from service.schemas.check import load


class HoldSettleSchema(AdminShape):
    cost_usd = Usd("What the call did cost.", required=True, attribute="cost_nano_usd")


HOLD_SETTLE = HoldSettleSchema()


def load_hold_settle(body: dict[str, Any]) -> int:
    """What the call cost, in nano-USD. Raises InvalidRequest."""
    cost_nano_usd: int = load(HOLD_SETTLE, body)["cost_nano_usd"]
    return cost_nano_usd
