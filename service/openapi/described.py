"""What is said of an endpoint besides its route, and the small change that entries are made of."""

from dataclasses import dataclass
from typing import Any

from service.openapi.objects import ref
from service.schemas.shape import Shape

Json = dict[str, Any]

KEYED = (401, 403, 500, 503)  # with a key, and answered from Redis
WITH_BODY = (400, 413)


@dataclass(frozen=True)
class Described:
    """`content`: the schema of a success by media type. `more` says what the summary does not.
    `passes_errors_on`: of a free route, whose faults can be the upstream's as well; paid ones' can."""

    content: dict[str, Json]
    faults: tuple[int, ...] = ()
    body: Shape | None = None
    body_required: bool = True
    body_type: str = "application/json"
    parameters: tuple[Json, ...] = ()
    status: int = 200
    headers: tuple[str, ...] = ()
    more: str = ""
    passes_errors_on: bool = False


def json_of(name: str) -> dict[str, Json]:
    return {"application/json": ref(name)}


def query(name: str, about: str, **schema: Any) -> Json:
    return {"name": name, "in": "query", "description": about, "schema": {"type": "string"} | schema}


def page(most: int, default: int = 20) -> tuple[Json, Json]:
    limit = query("limit", "How many to list.", type="integer", minimum=1, maximum=most, default=default)
    return limit, query("after", "The last id of the page before.")
