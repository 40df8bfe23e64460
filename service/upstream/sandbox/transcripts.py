"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: verse, as long as the recording allows."""

import math
import uuid
from collections.abc import Iterator
from typing import Any

import av
import gevent
from werkzeug import Response

from service.upstream.sandbox.bill import find_model, has_price
from service.upstream.sandbox.call import Call
from service.upstream.sandbox.chat import frame
from service.upstream.sandbox.pacing import paced
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.sound import recording_seconds
from service.upstream.sandbox.tokens import count_tokens, split_tokens
from service.upstream.sandbox.words import seed_of, verse

TOKENS_PER_SECOND = 10
WORDS_PER_SECOND = 2
PLAIN_TYPES = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}


def transcribe(call: Call) -> Response:
    """Answer a request for a transcript or a translation. Raises Refusal (400)."""
    file, model = call.request.files.get("file"), call.body.get("model")
    if file is None or not isinstance(model, str) or find_model(model) is None:
        raise Refusal("you must provide a file and a model", param="file" if file is None else "model")
    content = file.read()
    try:
        # Decoding takes a while, in a thread: other calls go on.
        seconds = float(gevent.get_hub().threadpool.apply(recording_seconds, (content,)))
    except (av.FFmpegError, ValueError):
        raise Refusal("Audio file might be corrupted or unsupported", param="file") from None
    return Transcript(call, seconds).told()


class Transcript:
    """One answer: made once, billed once, told in the format asked for."""

    def __init__(self, call: Call, seconds: float) -> None:
        self._call = call
        self._seconds = seconds
        self._model = str(call.body["model"])
        wanted = math.ceil(seconds * WORDS_PER_SECOND) if call.knobs.tokens is None else call.knobs.tokens
        self._text = verse(seed_of(seconds), wanted)
        self._pieces = list(split_tokens(self._text, self._model))
        self._id = f"transcript-{uuid.uuid4().hex}"

    def told(self) -> Response:
        if self._call.body.get("stream") == "true" and not self._is_by_second:
            return Response(self._stream(), content_type="text/event-stream; charset=utf-8")
        usage = self._bill(sum(piece.tokens for piece in self._pieces))
        wanted = self._call.body.get("response_format", "json")
        if wanted in PLAIN_TYPES:
            return Response(self._text + "\n", content_type=f"{PLAIN_TYPES[wanted]}; charset=utf-8")
        answer: dict[str, Any] = {"text": self._text}
        if wanted != "json":
            segment = {"id": 0, "start": 0.0, "end": self._seconds, "text": self._text}
            answer |= {"task": "transcribe", "duration": self._seconds, "segments": [segment]}
        return self._call.answer(answer | self._shown(usage))

    @property
    def _is_by_second(self) -> bool:
        return has_price(self._model, "audio_hours")

    def _stream(self) -> Iterator[bytes]:
        deltas = (frame({"type": "transcript.text.delta", "delta": piece.text}) for piece in self._pieces)
        yield from paced(self._call, deltas, self._break)
        usage = self._bill(sum(piece.tokens for piece in self._pieces))
        yield frame({"type": "transcript.text.done", "text": self._text, **self._shown(usage)})
        yield b"data: [DONE]\n\n"

    def _break(self, told: int, **marks: bool) -> None:
        self._bill(sum(piece.tokens for piece in self._pieces[:told]), **marks)

    def _bill(self, written: int, **marks: bool) -> dict[str, Any]:
        usage = self._usage(written)
        self._call.bill(self._id, self._call.knobs.model or self._model, "default", usage, **marks)
        return usage

    def _usage(self, written: int) -> dict[str, Any]:
        if self._is_by_second:
            return {"type": "duration", "seconds": math.ceil(self._seconds)}
        heard = math.ceil(self._seconds * TOKENS_PER_SECOND)
        text = count_tokens(self._call.body.get("prompt", ""), self._model)
        return {
            "type": "tokens",
            "input_tokens": heard + text,
            "input_token_details": {"text_tokens": text, "audio_tokens": heard},
            "output_tokens": written,
            "total_tokens": heard + text + written,
        }

    def _shown(self, usage: dict[str, Any]) -> dict[str, Any]:
        if self._call.knobs.no_usage:
            return {}
        field = "seconds" if self._is_by_second else "output_tokens"
        return {"usage": {**usage, field: -1} if self._call.knobs.bad_usage else usage}
