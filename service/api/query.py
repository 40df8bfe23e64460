"""Query parameters of lists, and the page they ask for. Each fault names its parameter."""

from typing import Any

from flask import Response, jsonify, request

from service.errors import InvalidRequest

DEFAULT_LIMIT = 20


def parameter(name: str) -> str | None:
    """A query parameter; an empty one counts as absent."""
    return request.args.get(name) or None


def limit(*, most: int, default: int = DEFAULT_LIMIT) -> int:
    """How many to list. Raises InvalidRequest."""
    text = parameter("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise invalid("limit", f"expected a whole number between 1 and {most}")
    return int(text)


def choice(name: str, *choices: str) -> str:
    """One of the choices, the first if it is not given. Raises InvalidRequest."""
    value = parameter(name) or choices[0]
    if value not in choices:
        raise invalid(name, f"expected one of {', '.join(choices)}")
    return value


def page(records: list[dict[str, Any]], *, id: str, limit: int) -> Response:
    """At most `limit` of the records, those that follow the one whose `id` is `after`. Raises
    InvalidRequest for an `after` that none has."""
    after = parameter("after")
    ids = [record[id] for record in records]
    if after is not None and after not in ids:
        raise invalid("after", "nothing that is listed has this id")
    start = 0 if after is None else ids.index(after) + 1
    data = records[start : start + limit]
    return jsonify(
        {
            "object": "list",
            "data": data,
            "first_id": data[0][id] if data else None,
            "last_id": data[-1][id] if data else None,
            "has_more": start + limit < len(records),
        }
    )


def invalid(name: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{name}': {why}.", param=name)
