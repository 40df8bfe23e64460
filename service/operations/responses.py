"""POST /v1/responses, and POST /v1/responses/input_tokens, which is free."""

import json
from typing import Any

from service.ledger.holds import Demand
from service.operations.base import Body, FreeOperation, Operation, StoredResponse, Tally
from service.operations.chat import with_added
from service.operations.response_bound import response_demand
from service.operations.response_context import file_ids_of, response_ids, stored_of
from service.operations.response_tally import ResponseTally
from service.pricing.catalog import Model
from service.pricing.tokens import (
    COUNTING_ENCODING,
    TOKENS_FOR_REPLY,
    TOKENS_PER_MESSAGE,
    count_tokens,
)
from service.pricing.usage import Usage
from service.schemas.response_items import has_media, input_items
from service.schemas.responses import INPUT_TOKENS, RESPONSE


def _outgoing(body: Body, model: Model, cap: int | None) -> bytes:
    """The caller's own bytes, unless a cap is to be added. Usage comes unasked."""
    return with_added(body, {} if cap is None else {"max_output_tokens": cap})


def _counted(body: Body, model: Model, demand: Demand, tally: Tally) -> Usage:
    """Text is counted; input that is not only text, or not only in the body, is taken at its bound."""
    if has_media(body.fields) or body.stored:
        input_tokens = demand.input_tokens
    else:
        input_tokens = _counted_input(body.fields, model.encoding or COUNTING_ENCODING)
    return Usage(input_tokens=input_tokens, output_tokens=tally.output_tokens(model.encoding))


def _counted_input(fields: dict[str, Any], encoding: str) -> int:
    """By OpenAI's recipe for chats, with instructions and items for messages."""
    items: list[Any] = [*input_items(fields)] or [fields["input"]]
    if fields.get("instructions"):
        items.insert(0, fields["instructions"])
    texts = [each if isinstance(each, str) else _compact(each) for each in items]
    texts += [_compact(fields[name]) for name in ("tools", "text") if fields.get(name)]
    total = sum(count_tokens(text, encoding) for text in texts)
    return total + TOKENS_PER_MESSAGE * len(items) + TOKENS_FOR_REPLY


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _stream_cut(error: dict[str, Any]) -> bytes:
    """An event of its own kind; with `error` in it, too, which is where SDKs look for one to raise."""
    data = {"type": "error", **{name: error[name] for name in ("code", "message", "param")}, "error": error}
    return b"event: error\ndata: " + json.dumps(data).encode() + b"\n\n"


def _keeps(body: Body, model: Model, tally: Tally) -> dict[str, StoredResponse]:
    """A response that came to its end, unless it was not to be stored."""
    assert isinstance(tally, ResponseTally)
    if tally.id is None or body.fields.get("store") is False:
        return {}
    return stored_of(body, model, tally.usage, tally.id, tally.reasoning_ids)


RESPONSES = Operation(
    name="responses",
    path="/v1/responses",
    upstream_path="/responses",
    schema=RESPONSE,
    demand=response_demand,
    outgoing=_outgoing,
    counted=_counted,
    new_tally=ResponseTally,
    stream_cut=_stream_cut,
    file_ids=file_ids_of,
    response_ids=response_ids,
    keeps=_keeps,
)

# Counting is free: https://developers.openai.com/api/docs/guides/token-counting
RESPONSE_INPUT_TOKENS = FreeOperation(
    name="responses.input_tokens",
    path="/v1/responses/input_tokens",
    upstream_path="/responses/input_tokens",
    schema=INPUT_TOKENS,
    default_model="",
    file_ids=file_ids_of,
    response_ids=response_ids,
)
