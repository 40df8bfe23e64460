"""POST /v1/tokens: how a text is split into tokens, and what it would cost as input."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify

from service.api.http import incoming, services
from service.api.metering import free
from service.money import ceil_nano_usd, format_usd
from service.pricing.catalog import Model
from service.pricing.tokens import COUNTING_ENCODING, counted_input_tokens, token_pieces
from service.schemas.check import check
from service.schemas.json_body import read_json
from service.schemas.tokens import TOKENS

blueprint = Blueprint("tokens", __name__)


@blueprint.post("/v1/tokens")
@free
def count_tokens() -> Response:
    """Count the tokens of a text or of messages."""
    request = incoming()
    keys = services().stores.keys
    keys.current(keys.authenticate(request.secret))
    fields = read_json(request.raw)
    check(TOKENS, fields)
    model = services().catalog.model(fields["model"], None, datetime.now(UTC))
    return jsonify(_counted(fields, model))


def _counted(fields: dict[str, Any], model: Model) -> dict[str, Any]:
    encoding = model.encoding or COUNTING_ENCODING
    counted: dict[str, Any] = {"object": "token_count", "model": model.name, "encoding": encoding}
    if fields.get("input") is not None:
        tokens = [_token(number, piece) for number, piece in token_pieces(fields["input"], encoding)]
        count = len(tokens)
        counted |= {"count": count, "tokens": tokens}
    else:
        count = counted_input_tokens(fields, encoding)
        counted["count"] = count
    cost = ceil_nano_usd(count * (model.rates.at(count).input or 0))
    return counted | {"input_cost_usd": format_usd(cost)}


def _token(number: int, piece: bytes) -> dict[str, Any]:
    """A token; one that is no whole UTF-8 by itself has its bytes, too."""
    try:
        return {"id": number, "text": piece.decode()}
    except UnicodeDecodeError:
        return {"id": number, "text": piece.decode(errors="replace"), "bytes": list(piece)}
