"""Server-sent events as bytes: cut a stream into events without changing any of them."""

import json
import re
from dataclasses import dataclass
from typing import Any

DONE = b"[DONE]"
# An event longer than this is no chat chunk; without a bound a broken upstream could fill the memory.
MOST_EVENT_BYTES = 32 * 1024 * 1024
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")


class EventTooLong(ValueError):
    """The upstream sent more than MOST_EVENT_BYTES without ending an event."""


@dataclass(frozen=True)
class Event:
    """One event: its bytes as they came, blank line included, and its data."""

    raw: bytes
    data: bytes

    @property
    def is_done(self) -> bool:
        return self.data == DONE

    def json(self) -> dict[str, Any] | None:
        """The data as an object; None if it is none."""
        try:
            value = json.loads(self.data)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


class Splitter:
    """Feed it bytes, take whole events; `rest` is what has not ended yet."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, piece: bytes) -> list[Event]:
        pending = self.rest + piece
        events, start = [], 0
        # Only the new bytes (and a blank line's length before them) can end an event.
        search_from = max(0, len(self.rest) - 3)
        for match in _END.finditer(pending, search_from):
            events.append(_event(pending[start : match.end()]))
            start = match.end()
        self.rest = pending[start:]
        if len(self.rest) > MOST_EVENT_BYTES:
            raise EventTooLong
        return events


def _event(raw: bytes) -> Event:
    lines = [line[5:].removeprefix(b" ") for line in raw.splitlines() if line.startswith(b"data:")]
    return Event(raw, b"\n".join(lines))
