"""`POST /v1/audio/speech`: a silence as long as the text, in pieces or as events."""

import base64
import math
import uuid
from collections.abc import Iterator
from typing import Any

from werkzeug import Response

from service.upstream.sandbox.bill import find_model, has_price
from service.upstream.sandbox.call import Call
from service.upstream.sandbox.chat import frame
from service.upstream.sandbox.pacing import paced
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.sound import silence
from service.upstream.sandbox.tokens import count_tokens

CHARACTERS_PER_SECOND = 15
TOKENS_PER_SECOND = 20
PIECE_BYTES = 4_096
TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


def speak(call: Call) -> Response:
    """Answer a request for speech. Raises Refusal (400)."""
    body = call.body
    has_input = isinstance(body.get("input"), str) and body["input"]
    if not has_input or find_model(str(body.get("model"))) is None:
        raise Refusal("you must provide an input and a model", param="input")
    if body.get("response_format", "mp3") not in TYPES:
        raise Refusal("'response_format' is none of ours.", param="response_format")
    speech = Speech(call)
    if body.get("stream_format") == "sse":
        if speech.is_by_character:
            raise Refusal("'sse' is not supported with this model.", param="stream_format")
        return Response(speech.events(), content_type="text/event-stream; charset=utf-8")
    return Response(speech.audio(), content_type=TYPES[body.get("response_format", "mp3")])


class Speech:
    """One answer: made once, billed once."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._model: str = call.body["model"]
        self._seconds = math.ceil(len(call.body["input"]) / CHARACTERS_PER_SECOND)
        sound = silence(self._seconds, call.body.get("response_format", "mp3"))
        self._pieces = [sound[at : at + PIECE_BYTES] for at in range(0, len(sound), PIECE_BYTES)]
        self._id = f"speech-{uuid.uuid4().hex}"

    @property
    def is_by_character(self) -> bool:
        return has_price(self._model, "input_mchars")

    def audio(self) -> Iterator[bytes]:
        yield from paced(self._call, self._pieces, self._break)
        self._bill(len(self._pieces))

    def events(self) -> Iterator[bytes]:
        deltas = (
            frame({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
            for piece in self._pieces
        )
        yield from paced(self._call, deltas, self._break)
        usage = self._bill(len(self._pieces))
        done: dict[str, Any] = {"type": "speech.audio.done"}
        if not self._call.knobs.no_usage:
            done["usage"] = {**usage, "output_tokens": -1} if self._call.knobs.bad_usage else usage
        yield frame(done)

    def _break(self, told: int, **marks: bool) -> None:
        self._bill(told, **marks)

    def _bill(self, told: int, **marks: bool) -> dict[str, Any]:
        """Text is paid when it is read; audio as far as it was made."""
        usage = self._usage(told)
        self._call.bill(self._id, self._call.knobs.model or self._model, "default", usage, **marks)
        return usage

    def _usage(self, told: int) -> dict[str, Any]:
        spoken = self._call.body["input"]
        if self.is_by_character:
            return {"characters": len(spoken)}
        text = count_tokens(spoken + (self._call.body.get("instructions") or ""), self._model)
        made = math.ceil(self._seconds * TOKENS_PER_SECOND * told / len(self._pieces))
        return {"input_tokens": text, "output_tokens": made, "total_tokens": text + made}
