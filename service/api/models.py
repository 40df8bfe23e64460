"""GET /v1/models and GET /v1/models/{id}: the upstream's, of those that are priced and allowed."""

import json
from typing import Any, cast

from flask import Blueprint, Response, jsonify

from service.api.http import caller, services
from service.api.metering import free
from service.errors import NotFound, UpstreamError
from service.keys import Key
from service.upstream.answer import Answer
from service.upstream.errors import auth_failed, in_openai_shape

blueprint = Blueprint("models", __name__)


@blueprint.get("/v1/models")
@free
def list_models() -> Response:
    """List the models this key may use."""
    key = services().stores.keys.current(caller())
    listed = _ask("/models")
    listed["data"] = [model for model in listed["data"] if _may_use(key, model.get("id"))]
    return jsonify(listed)


@blueprint.get("/v1/models/<path:model_id>")
@free
def show_model(model_id: str) -> Response:
    """Show one model."""
    key = services().stores.keys.current(caller())
    if not _may_use(key, model_id):
        raise _unknown(model_id)
    for model in _ask("/models")["data"]:
        if model.get("id") == model_id:
            return jsonify(model)
    raise _unknown(model_id)


def _may_use(key: Key, model_id: Any) -> bool:
    return isinstance(model_id, str) and key.may_use(model_id) and services().catalog.is_priced(model_id)


def _unknown(model_id: str) -> NotFound:
    return NotFound(
        f"The model '{model_id[:200]}' does not exist or this key may not use it.",
        code="model_not_found",
        param="model",
    )


def _ask(path: str) -> dict[str, Any]:
    """A list from the upstream that costs nothing; its `data` are objects. Raises UpstreamError."""
    answer: Answer = services().upstream.get(path)
    body = answer.read()
    if answer.status in (401, 403):
        raise auth_failed()
    if answer.status != 200:
        error = in_openai_shape(body) or {}
        raise UpstreamError(
            f"The upstream answered {answer.status}: {error.get('message', 'no reason given')}"
        )
    try:
        listed = json.loads(body)
        listed["data"] = [entry for entry in listed["data"] if isinstance(entry, dict)]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UpstreamError("The upstream's list of models cannot be read.") from None
    return cast(dict[str, Any], listed)
