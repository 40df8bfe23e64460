"""`Operation`: everything the gateway needs to know of one OpenAI endpoint.

There is no other way to the upstream than through the gateway with an Operation, so an endpoint cannot
be unmetered.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from service.ledger.holds import Demand
from service.pricing.catalog import Model
from service.pricing.usage import Usage
from service.schemas.shape import Shape


@dataclass(frozen=True)
class Body:
    """A request's body after validation: as it came, as it reads, and what in it is unknown to us."""

    raw: bytes
    fields: dict[str, Any]
    unknown: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        name: str = self.fields["model"]
        return name

    @property
    def wants_stream(self) -> bool:
        return self.fields.get("stream") is True


class Tally(Protocol):
    """What an answer says of its own cost, gathered from a whole body or chunk by chunk."""

    usage: Usage | None
    model: str | None
    service_tier: str | None

    def add_final(self, body: dict[str, Any]) -> None:
        """Take in a whole answer."""

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        """Take in one event of a stream."""

    def is_usage_only(self, chunk: dict[str, Any]) -> bool:
        """Whether this event is there only because usage was asked for."""

    def output_tokens(self, encoding: str | None) -> int:
        """The output tokens that were seen, counted."""

    def is_last(self, chunk: dict[str, Any]) -> bool:
        """Whether this event ends the stream (besides `[DONE]`, which always does)."""

    def cap_passed(self, cap_tokens: int, encoding: str | None) -> bool:
        """Whether more output was seen than any of the choices may have."""


def error_as_data(error: dict[str, Any]) -> bytes:
    """An error as a stream of completions has it."""
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"


@dataclass(frozen=True)
class Operation:
    """One endpoint.

    `demand` bounds a body's cost; `outgoing` makes the bytes that go up, given the cap to add (None:
    none); `counted` is the usage of an answer that came without one; `stream_cut` is the event that
    tells a caller of a stream that broke.
    """

    name: str
    path: str
    upstream_path: str
    schema: Shape
    demand: Callable[[Body, Model], Demand]
    outgoing: Callable[[Body, Model, int | None], bytes]
    counted: Callable[[Body, Model, Demand, Tally], Usage]
    new_tally: Callable[[], Tally]
    stream_cut: Callable[[dict[str, Any]], bytes] = error_as_data
