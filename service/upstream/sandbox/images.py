"""`POST /v1/images/generations` and `/v1/images/edits`: always the same pixel, at the price of an image."""

import math
import time
import uuid
from collections.abc import Iterator
from typing import Any

from werkzeug import Response

from service.upstream.sandbox.bill import find_model
from service.upstream.sandbox.call import Call
from service.upstream.sandbox.chat import frame
from service.upstream.sandbox.pacing import paced
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.tokens import count_tokens

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
OLDER = {
    "1024x1024": {"low": 272, "medium": 1056, "high": 4160},
    "1024x1536": {"low": 408, "medium": 1584, "high": 6240},
    "1536x1024": {"low": 400, "medium": 1568, "high": 6208},
}
BASES = {"low": 16, "medium": 48, "high": 96}
BASES_2_5 = {"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96}
PARTIAL_TOKENS = 100
SHOWN_TOKENS = 194  # one tile
SHOWN_PATCHES = 1024  # 1024 x 1024 in patches of 32
FIDELITY_TOKENS = 4160
THOUGHT_TOKENS = 21  # text that comes with an image of 1.5


def draw(call: Call) -> Response:
    """Answer a request for images. Raises Refusal (400)."""
    if not call.body.get("prompt") or find_model(str(call.body.get("model"))) is None:
        raise Refusal("you must provide a prompt and a model", param="prompt")
    drawing = Drawing(call)
    if str(call.body.get("stream")).lower() == "true":
        return Response(drawing.stream(), content_type="text/event-stream; charset=utf-8")
    return drawing.plain()


class Drawing:
    """One answer: made once, billed once. Forms carry numbers as texts."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._model: str = call.body["model"]
        self._id = f"image-{uuid.uuid4().hex}"
        self._size = self._option("size", "1024x1024")
        self._quality = self._option("quality", "medium")
        self._partial_images = int(call.body.get("partial_images") or 0)
        self._kind = "image_edit" if call.request.path.endswith("edits") else "image_generation"

    def plain(self) -> Response:
        images = [{"b64_json": PIXEL} for _ in range(int(self._call.body.get("n") or 1))]
        usage = self._bill(len(images), 0)
        answer = {"created": int(time.time()), **self._about(), "data": images}
        return self._call.answer(answer | self._shown(usage))

    def stream(self) -> Iterator[bytes]:
        numbers = range(self._partial_images)
        partials = (self._event("partial_image", {"partial_image_index": number}) for number in numbers)
        yield from paced(self._call, partials, self._break)
        usage = self._bill(1, self._partial_images)
        yield self._event("completed", self._shown(usage))

    def _break(self, told: int, **marks: bool) -> None:
        """An image that was begun is finished, whoever looks."""
        self._bill(1, self._partial_images, **marks)

    def _option(self, name: str, default: str) -> str:
        value = self._call.body.get(name) or "auto"
        return default if value == "auto" else str(value)

    def _about(self) -> dict[str, Any]:
        return {"background": "opaque", "output_format": "png", "quality": self._quality, "size": self._size}

    def _event(self, name: str, more: dict[str, Any]) -> bytes:
        kind = f"{self._kind}.{name}"
        data = {"type": kind, "b64_json": PIXEL, "created_at": int(time.time()), **self._about(), **more}
        return f"event: {kind}\n".encode() + frame(data)

    def _bill(self, images: int, partials: int, **marks: bool) -> dict[str, Any]:
        usage = self._usage(images, partials)
        self._call.bill(self._id, self._call.knobs.model or self._model, "default", usage, **marks)
        return usage

    def _usage(self, images: int, partials: int) -> dict[str, Any]:
        text, shown = count_tokens(str(self._call.body["prompt"]), self._model), self._shown_tokens()
        drawn = images * self._drawn_tokens() + partials * PARTIAL_TOKENS
        thoughts = images * THOUGHT_TOKENS if "1.5" in self._model else 0
        usage = {
            "input_tokens": text + shown,
            "input_tokens_details": {"text_tokens": text, "image_tokens": shown},
            "output_tokens": drawn + thoughts,
            "total_tokens": text + shown + drawn + thoughts,
        }
        if thoughts:
            usage["output_tokens_details"] = {"text_tokens": thoughts, "image_tokens": drawn}
        return usage

    def _shown_tokens(self) -> int:
        count = sum(len(files) for _, files in self._call.request.files.lists())
        if not self._is_older:
            return count * SHOWN_PATCHES
        more = FIDELITY_TOKENS if self._option("input_fidelity", "low") == "high" else 0
        return count * (SHOWN_TOKENS + more)

    def _drawn_tokens(self) -> int:
        if self._is_older:
            return OLDER.get(self._size, OLDER["1024x1024"]).get(self._quality, 1056)
        bases = BASES_2_5 if "2.5" in self._model else BASES
        base = bases.get(self._quality, bases["medium"])
        width, height = (int(edge) for edge in self._size.split("x"))
        short = round(base * min(width, height) / max(width, height))
        return math.ceil(base * short * (2_000_000 + width * height) / 4_000_000)

    @property
    def _is_older(self) -> bool:
        return "image-1" in self._model or self._model.startswith("chatgpt")

    def _shown(self, usage: dict[str, Any]) -> dict[str, Any]:
        if self._call.knobs.no_usage:
            return {}
        return {"usage": {**usage, "output_tokens": -1} if self._call.knobs.bad_usage else usage}
