"""What a transcript says of its own cost: tokens or seconds, or else the text to be counted.

Shapes: {"type": "tokens", "input_tokens", "input_token_details": {"text_tokens", "audio_tokens"},
"output_tokens"} and {"type": "duration", "seconds"}.
"""

import math
from typing import Any

from service.operations.usage_object import count, detail, possible
from service.pricing.tokens import COUNTING_ENCODING, count_tokens
from service.pricing.usage import Usage


def read_usage(reported: Any) -> Usage | None:
    """None if missing or impossible."""
    if not isinstance(reported, dict):
        return None
    try:
        if reported.get("type") == "duration":
            return possible(Usage(seconds=_seconds(reported["seconds"])))
        input_tokens = count(reported["input_tokens"])
        details = reported.get("input_token_details")
        audio, text = detail(details, "audio_tokens"), detail(details, "text_tokens")
        if audio is None:
            # Not told apart: what is not text is the recording.
            audio = input_tokens - (text or 0)
        usage = Usage(
            input_tokens=input_tokens,
            audio_input_tokens=audio,
            output_tokens=count(reported["output_tokens"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return possible(usage)


def _seconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("seconds are a number")
    return math.ceil(value)


class TranscriptionTally:
    """See `Tally`. Of a stream it keeps the text."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.service_tier: str | None = None
        self._text = ""
        self._deltas: list[str] = []

    def add_final(self, body: dict[str, Any]) -> None:
        self._add(body)

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        self._add(chunk)
        if isinstance(chunk.get("delta"), str):
            self._deltas.append(chunk["delta"])

    def is_usage_only(self, chunk: dict[str, Any]) -> bool:
        return False

    def is_last(self, chunk: dict[str, Any]) -> bool:
        return chunk.get("type") == "transcript.text.done"

    def output_tokens(self, encoding: str | None) -> int:
        # A piece of a stream holds a token or more, however short its text.
        text = self._text or "".join(self._deltas)
        return max(count_tokens(text, encoding or COUNTING_ENCODING), len(self._deltas))

    def cap_passed(self, cap_tokens: int, encoding: str | None) -> bool:
        return False

    def _add(self, body: dict[str, Any]) -> None:
        if isinstance(body.get("text"), str) and not str(body.get("type")).endswith(".segment"):
            self._text = body["text"]
        self.usage = read_usage(body.get("usage")) or self.usage
