"""POST /v1/chat/completions."""

import json
from typing import Any

from service.ledger.holds import Demand
from service.operations.base import Body, Operation
from service.operations.chat_bound import chat_demand, has_media
from service.operations.chat_tally import ChatTally
from service.pricing.catalog import Model
from service.pricing.tokens import COUNTING_ENCODING, counted_input_tokens
from service.schemas.chat import CHAT_COMPLETION


def _outgoing(body: Body, model: Model, cap: int | None) -> bytes:
    """The caller's own bytes, unless usage has to be asked for or a cap to be added."""
    added: dict[str, Any] = {}
    if cap is not None:
        added[model.output_cap_field] = cap
    if body.wants_stream and not asks_for_usage(body):
        added["stream_options"] = {**(body.fields.get("stream_options") or {}), "include_usage": True}
    if not added:
        return body.raw
    return json.dumps({**body.fields, **added}, separators=(",", ":")).encode()


def asks_for_usage(body: Body) -> bool:
    return (body.fields.get("stream_options") or {}).get("include_usage") is True


def _charged_input_tokens(body: Body, model: Model, demand: Demand) -> int:
    if has_media(body.fields):
        return demand.input_tokens
    return counted_input_tokens(body.fields, model.encoding or COUNTING_ENCODING)


CHAT = Operation(
    name="chat.completions",
    path="/v1/chat/completions",
    upstream_path="/chat/completions",
    schema=CHAT_COMPLETION,
    demand=chat_demand,
    outgoing=_outgoing,
    charged_input_tokens=_charged_input_tokens,
    new_tally=ChatTally,
)
