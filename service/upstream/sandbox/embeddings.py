"""`POST /v1/embeddings`: a direction of its own for each text, the same each time."""

import base64
import math
import struct
from random import Random
from typing import Any

from werkzeug import Response

from service.upstream.sandbox.call import Call
from service.upstream.sandbox.prompts import Prompt, read_prompts
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.words import seed_of

DIMENSIONS = {"text-embedding-3-large": 3072}
DEFAULT_DIMENSIONS = 1536


def embed(call: Call) -> Response:
    """Answer an embedding request. Raises Refusal (400)."""
    body = call.body
    if not isinstance(body.get("model"), str):
        raise Refusal("you must provide a model parameter")
    prompts = read_prompts(body.get("input"), body["model"], "input")
    model = call.knobs.model or body["model"]
    data = [
        {"object": "embedding", "index": index, "embedding": _embedding(prompt, body)}
        for index, prompt in enumerate(prompts)
    ]
    tokens = sum(prompt.tokens for prompt in prompts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    # The answer has no id.
    call.bill("", model, call.knobs.service_tier or "default", usage)
    answer = {"object": "list", "data": data, "model": model}
    if call.knobs.no_usage:
        return call.answer(answer)
    return call.answer({**answer, "usage": {**usage, "prompt_tokens": -1} if call.knobs.bad_usage else usage})


def _embedding(prompt: Prompt, body: dict[str, Any]) -> list[float] | str:
    length = body.get("dimensions")
    if length is None:
        length = DIMENSIONS.get(body["model"], DEFAULT_DIMENSIONS)
    if type(length) is not int or not 1 <= length <= max(DIMENSIONS.values()):
        raise Refusal("'dimensions' is not in its range.", param="dimensions", code="invalid_value")
    rng = Random(seed_of(prompt.text))
    values = [rng.uniform(-1, 1) for _ in range(length)]
    norm = math.hypot(*values)
    values = [value / norm for value in values]
    if body.get("encoding_format") != "base64":
        return values
    return base64.b64encode(struct.pack(f"<{length}f", *values)).decode()
