"""`GET /v1/models` and `GET /v1/models/{id}`: the models that genai-prices knows of OpenAI."""

import re
from typing import Any

from werkzeug import Response

from service.upstream.sandbox.bill import OPENAI, find_model
from service.upstream.sandbox.call import Call
from service.upstream.sandbox.refusal import Refusal

CREATED = 1_700_000_000

# Some ids there are families, like "ft:gpt-4o": those are no model anybody can call.
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]")


def list_models(call: Call) -> Response:
    """All models, by id."""
    ids = sorted(model.id for model in OPENAI.models if _PLAIN_NAME.fullmatch(model.id))
    return call.answer({"object": "list", "data": [_model(id) for id in ids]})


def get_model(call: Call, id: str) -> Response:
    """One model, by its id or another name it has, such as a dated one. Raises Refusal (404)."""
    if not _PLAIN_NAME.fullmatch(id) or find_model(id) is None:
        raise Refusal(
            f"The model '{id}' does not exist or you do not have access to it.",
            status=404,
            param="model",
            code="model_not_found",
        )
    return call.answer(_model(id))


def _model(id: str) -> dict[str, Any]:
    return {"id": id, "object": "model", "created": CREATED, "owned_by": "openai"}
