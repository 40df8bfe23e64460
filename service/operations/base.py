"""`Operation`: everything the gateway needs to know of one OpenAI endpoint.

There is no other way to the upstream than through the gateway with an Operation, so an endpoint cannot
be unmetered.
"""

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

    def cap_passed(self, cap_tokens: int, encoding: str | None) -> bool:
        """Whether more output was seen than any of the choices may have."""


@dataclass(frozen=True)
class Operation:
    """One endpoint.

    `demand` bounds a body's cost; `outgoing` makes the bytes that go up, given the cap to add (None:
    none); `charged_input_tokens` is the input of an answer that came without usage.
    """

    name: str
    path: str
    upstream_path: str
    schema: Shape
    demand: Callable[[Body, Model], Demand]
    outgoing: Callable[[Body, Model, int | None], bytes]
    charged_input_tokens: Callable[[Body, Model, Demand], int]
    new_tally: Callable[[], Tally]
