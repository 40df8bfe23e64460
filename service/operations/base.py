"""`Operation`: everything the gateway needs to know of one OpenAI endpoint.

There is no other way to the upstream than through the gateway with an Operation, so an endpoint cannot
be unmetered.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.ledger.holds import Demand
from service.operations.file_ids import Named
from service.pricing.catalog import Model
from service.pricing.usage import Usage
from service.schemas.shape import Shape
from service.uploads.spool import Upload


@dataclass(frozen=True)
class StoredResponse:
    """What is known of something the upstream keeps for a project, and a body can name by its id.

    `tokens`: the most it counts as input, by the vocabulary named in `counted_by` (empty: nobody knows).
    `hidden_tokens`: those of them that were reasoned, which a model may be shown again in any later turn.
    """

    tokens: int
    hidden_tokens: int
    counted_by: str


@dataclass(frozen=True)
class Body:
    """A request's body after validation: as it came, as it reads, and what in it is unknown to us.

    `stored` are the responses it names, by id, once they are found to be of the caller's project. A form
    lies on disk (`upload`, and `raw` is empty); `audio_ms` is the true length of the recording in it.
    """

    raw: bytes
    fields: dict[str, Any]
    unknown: tuple[str, ...] = ()
    stored: Mapping[str, StoredResponse] = field(default_factory=dict)
    upload: Upload | None = None
    audio_ms: int = 0

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


class BytesTally(Tally, Protocol):
    """As `Tally`, of answers that are neither JSON nor events."""

    def add_bytes(self, piece: bytes) -> None:
        """Take in some of the answer."""


def error_as_data(error: dict[str, Any]) -> bytes:
    """An error as a stream of completions has it."""
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"


def read_object(body: Body, answer: bytes) -> dict[str, Any] | None:
    """A whole answer that is a JSON object; None for anything else."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def as_it_came(body: Body, model: Model, cap: int | None) -> bytes | Upload:
    """The caller's own bytes."""
    return body.raw if body.upload is None else body.upload


def never(model: Model) -> bool:
    return False


def no_files(body: Body) -> Iterable[Named]:
    """The body cannot name stored files."""
    return ()


def no_responses(body: Body) -> Iterable[Named]:
    """The body cannot name stored responses."""
    return ()


def keeps_nothing(body: Body, model: Model, tally: Tally) -> dict[str, StoredResponse]:
    """The answer cannot be named later."""
    return {}


def only_the_cap(body: Body, model: Model, cap_tokens: int) -> int:
    """A choice shows no more than it may put out."""
    return cap_tokens


@dataclass(frozen=True)
class Operation:
    """One endpoint.

    `demand` bounds a body's cost; `outgoing` makes the bytes that go up, given the cap to add (None:
    none); `counted` is the usage of an answer that came without one; `stream_cut` is the event that
    tells a caller of a stream that broke; `visible_cap` is what a choice of a stream may come to, given
    its cap; `file_ids` are the stored files a body names, each with its path, and `response_ids` the stored
    responses; `keeps` is what the upstream has stored of an answer, by id.

    `recording` is the file of a form whose true length is the price; `read` makes an object of a whole
    answer (None: it makes no sense); with `sends_bytes` an answer that is no event stream is passed on
    unread, to a `BytesTally`; `is_fixed`: the request alone says what the call costs; `is_opaque`: a part
    of the answer does not show what was used, as with models that reason.
    """

    name: str
    path: str
    upstream_path: str
    schema: Shape
    demand: Callable[[Body, Model], Demand]
    outgoing: Callable[[Body, Model, int | None], bytes | Upload]
    counted: Callable[[Body, Model, Demand, Tally], Usage]
    new_tally: Callable[[], Tally]
    stream_cut: Callable[[dict[str, Any]], bytes] = error_as_data
    visible_cap: Callable[[Body, Model, int], int] = only_the_cap
    file_ids: Callable[[Body], Iterable[Named]] = no_files
    response_ids: Callable[[Body], Iterable[Named]] = no_responses
    keeps: Callable[[Body, Model, Tally], dict[str, StoredResponse]] = keeps_nothing
    recording: str | None = None
    read: Callable[[Body, bytes], dict[str, Any] | None] = read_object
    sends_bytes: bool = False
    is_fixed: Callable[[Model], bool] = never
    is_opaque: Callable[[Body], bool] = lambda body: False


@dataclass(frozen=True)
class FreeOperation:
    """One endpoint that costs nothing, whatever a valid body says.

    `default_model` is the one that the upstream takes where the body names none (None: no model has to do
    with it); `file_ids` and `response_ids` are as an Operation's.
    """

    name: str
    path: str
    upstream_path: str
    schema: Shape
    default_model: str | None
    file_ids: Callable[[Body], Iterable[Named]] = no_files
    response_ids: Callable[[Body], Iterable[Named]] = no_responses
