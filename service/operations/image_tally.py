"""What an image answer says of its own cost, whole or in its events.

Shape: {"input_tokens", "input_tokens_details": {"text_tokens", "image_tokens"}, "output_tokens",
"output_tokens_details"?: {"text_tokens", "image_tokens"}}; in a stream it is part of the last event.
"""

from typing import Any

from service.operations.usage_object import count, detail, possible
from service.pricing.usage import Usage


def read_usage(reported: Any) -> Usage | None:
    """None if missing or impossible. Output that is not told apart is image."""
    if not isinstance(reported, dict):
        return None
    try:
        output_tokens = count(reported["output_tokens"])
        drawn = detail(reported.get("output_tokens_details"), "image_tokens")
        usage = Usage(
            input_tokens=count(reported["input_tokens"]),
            image_input_tokens=detail(reported.get("input_tokens_details"), "image_tokens") or 0,
            output_tokens=output_tokens,
            image_output_tokens=output_tokens if drawn is None else drawn,
        )
    except (KeyError, TypeError):
        return None
    return possible(usage)


class ImageTally:
    """See `Tally`."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.service_tier: str | None = None

    def add_final(self, body: dict[str, Any]) -> None:
        self.usage = read_usage(body.get("usage"))

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        self.usage = read_usage(chunk.get("usage")) or self.usage

    def is_usage_only(self, chunk: dict[str, Any]) -> bool:
        return False

    def is_last(self, chunk: dict[str, Any]) -> bool:
        return str(chunk.get("type")).endswith(".completed")

    def output_tokens(self, encoding: str | None) -> int:
        """Nothing that could be counted."""
        return 0

    def cap_passed(self, cap_tokens: int, encoding: str | None) -> bool:
        return False
