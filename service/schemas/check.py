"""From a body and its schema to OpenAI's kind of error: one sentence, the path, the code."""

from typing import Any

from marshmallow import ValidationError

from service.errors import InvalidRequest
from service.schemas.faults import Code, Fault
from service.schemas.shape import Shape

_SHOWN_CHARACTERS = 64

_SENTENCES: dict[Code, str] = {
    "invalid_type": "Invalid type for '{path}': {phrase}.",
    "invalid_value": "Invalid value for '{path}': {phrase}.",
    "missing_required_parameter": "Missing required parameter: '{path}'.",
    "unsupported_value": "Unsupported value for '{path}': {phrase}.",
    "invalid_parameter_combination": "Invalid combination of parameters at '{path}': {phrase}.",
}


def check(schema: Shape, body: dict[str, Any]) -> None:
    """Raise InvalidRequest for the first fault of the body, in its own order. The body stays as it is."""
    load(schema, body)


def load(schema: Shape, body: dict[str, Any]) -> dict[str, Any]:
    """As `check`, and give the values as the fields read them (the admin API's money and times)."""
    try:
        return schema.load(body)
    except ValidationError as error:
        place, found = _first(error.messages)
        path = _path(place)
        message = _SENTENCES[found.code].format(path=path or "body", phrase=found)
        raise InvalidRequest(message, code=found.code, param=path or None) from None


def unknown_fields(schema: Shape, body: dict[str, Any]) -> list[str]:
    """Top-level names the schema does not know; with any of them the request is bounded at the maxima."""
    return [name for name, value in body.items() if value is not None and name not in schema.load_fields]


def _first(messages: Any) -> tuple[list[str | int], Fault]:
    """Walk down marshmallow's nested messages to the one fault there is."""
    place: list[str | int] = []
    while isinstance(messages, dict):
        step, messages = next(iter(messages.items()))
        place.append(step)
    return place, messages[0]


def _path(place: list[str | int]) -> str:
    """["messages", 1, "role"] -> "messages[1].role"; a caller's own long names are cut."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step[:_SHOWN_CHARACTERS]}" for step in place)
    return "".join(steps).removeprefix(".")
