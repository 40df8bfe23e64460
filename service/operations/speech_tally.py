"""What speech says of its own cost: the usage in its last event, or else how long it is.

Event: {"type": "speech.audio.done", "usage": {"input_tokens", "output_tokens", "total_tokens"}}.
"""

import base64
import binascii
import tempfile
from typing import Any, BinaryIO

from service.errors import InvalidRequest
from service.operations.usage_object import count, possible
from service.pricing.audio import PCM_BYTES_PER_SECOND
from service.pricing.usage import Usage
from service.uploads.audio import audio_length_ms


def read_usage(reported: Any) -> Usage | None:
    """None if missing or impossible."""
    if not isinstance(reported, dict):
        return None
    try:
        output_tokens = count(reported["output_tokens"])
        return possible(
            Usage(
                input_tokens=count(reported["input_tokens"]),
                output_tokens=output_tokens,
                audio_output_tokens=output_tokens,
            )
        )
    except (KeyError, TypeError):
        return None


class SpeechTally:
    """See `BytesTally`. The audio is kept on disk, so that its length can be found out."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.service_tier: str | None = None
        self._audio: BinaryIO | None = None
        self._size = 0

    def add_final(self, body: dict[str, Any]) -> None:
        self.add_chunk(body)

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        self.usage = read_usage(chunk.get("usage")) or self.usage
        if isinstance(chunk.get("audio"), str):
            try:
                self.add_bytes(base64.b64decode(chunk["audio"], validate=True))
            except binascii.Error:
                return  # no audio; what is not understood is not cut off

    def add_bytes(self, piece: bytes) -> None:
        if self._audio is None:
            self._audio = tempfile.TemporaryFile()  # noqa: SIM115 - ends with the call
        self._audio.write(piece)
        self._size += len(piece)

    def is_usage_only(self, chunk: dict[str, Any]) -> bool:
        return False

    def is_last(self, chunk: dict[str, Any]) -> bool:
        return chunk.get("type") == "speech.audio.done"

    def output_tokens(self, encoding: str | None) -> int:
        """Nothing but audio is put out."""
        return 0

    def cap_passed(self, cap_tokens: int, encoding: str | None) -> bool:
        return False

    def spoken_ms(self, audio_format: str) -> int | None:
        """How long it is, in milliseconds; None if that cannot be found out."""
        if self._audio is None:
            return 0
        if audio_format == "pcm":
            return -(-self._size * 1000 // PCM_BYTES_PER_SECOND)
        try:
            return audio_length_ms(self._audio, "input")
        except InvalidRequest:
            return None
