"""`POST /v1/moderations`: everything is harmless but what says `flagged`. Nothing is billed."""

import json
import uuid
from typing import Any

from werkzeug import Response

from service.upstream.sandbox.call import Call
from service.upstream.sandbox.refusal import Refusal

DEFAULT_MODEL = "omni-moderation-latest"
CATEGORIES = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")


def moderate(call: Call) -> Response:
    """Answer a moderation request. Raises Refusal (400)."""
    value = call.body.get("input")
    if not isinstance(value, str | list) or not value:
        raise Refusal("'input' must be a text or a list.", param="input", code="invalid_type")
    # Parts of text and images are one input; several texts are several.
    texts = value if isinstance(value, list) and all(isinstance(each, str) for each in value) else [value]
    return call.answer(
        {
            "id": f"modr-{uuid.uuid4().hex}",
            "model": call.knobs.model or call.body.get("model") or DEFAULT_MODEL,
            "results": [_judgement(text) for text in texts],
        }
    )


def _judgement(text: Any) -> dict[str, Any]:
    flagged = "flagged" in json.dumps(text)
    return {
        "flagged": flagged,
        "categories": dict.fromkeys(CATEGORIES, flagged),
        "category_scores": dict.fromkeys(CATEGORIES, 0.99 if flagged else 0.01),
    }
