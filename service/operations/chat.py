"""POST /v1/chat/completions."""

import json
from typing import Any

from service.ledger.holds import Demand
from service.operations.base import Body, Operation, Tally
from service.operations.chat_bound import chat_demand, has_media, own_cap
from service.operations.chat_tally import ChatTally
from service.operations.file_ids import file_ids
from service.pricing.catalog import Model
from service.pricing.tokens import COUNTING_ENCODING, count_tokens, counted_input_tokens, texts_of
from service.pricing.usage import Usage
from service.schemas.chat import CHAT_COMPLETION


def _outgoing(body: Body, model: Model, cap: int | None) -> bytes:
    """The caller's own bytes, unless usage has to be asked for or a cap to be added."""
    added: dict[str, Any] = {}
    if cap is not None:
        added[model.output_cap_field] = cap
    elif not model.takes_either_cap and (own := own_cap(body)):
        # An upstream that knows only one of the two fields must get the cap in that one.
        added[model.output_cap_field] = own
    if body.wants_stream and not asks_for_usage(body):
        added["stream_options"] = {**(body.fields.get("stream_options") or {}), "include_usage": True}
    return with_added(body, added)


def with_added(body: Body, added: dict[str, Any]) -> bytes:
    """The body with these fields; without any, the caller's own bytes."""
    if not added:
        return body.raw
    return json.dumps({**body.fields, **added}, separators=(",", ":")).encode()


def asks_for_usage(body: Body) -> bool:
    return (body.fields.get("stream_options") or {}).get("include_usage") is True


def _counted(body: Body, model: Model, demand: Demand, tally: Tally) -> Usage:
    """Text is counted; input that is not only text is taken at its bound."""
    encoding = model.encoding or COUNTING_ENCODING
    if has_media(body.fields):
        input_tokens = demand.input_tokens
    else:
        input_tokens = counted_input_tokens(body.fields, encoding)
        for name in body.unknown:
            input_tokens += sum(count_tokens(text, encoding) for text in texts_of(body.fields[name]))
    return Usage(input_tokens=input_tokens, output_tokens=tally.output_tokens(model.encoding))


CHAT = Operation(
    name="chat.completions",
    path="/v1/chat/completions",
    upstream_path="/chat/completions",
    schema=CHAT_COMPLETION,
    demand=chat_demand,
    outgoing=_outgoing,
    counted=_counted,
    new_tally=ChatTally,
    # Of sound only the provider knows how many tokens it was.
    is_opaque=lambda body: "audio" in (body.fields.get("modalities") or ()),
    file_ids=lambda body: file_ids(body.fields["messages"], "messages"),
)
