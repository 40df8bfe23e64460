"""What comes in: query parameters and bodies of the control plane. Each fault names its parameter."""

from typing import Any

from flask import request

from service.api.http import read_body
from service.schemas.json_body import read_json_exact
from service.usage.query import invalid

DEFAULT_LIMIT = 20
FORMATS = ("json", "csv", "jsonl")


def parameter(name: str) -> str | None:
    """A query parameter; an empty one counts as absent."""
    return request.args.get(name) or None


def limit(most: int = 100) -> int:
    """How many to list. Raises InvalidRequest."""
    text = parameter("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise invalid("limit", f"expected a whole number between 1 and {most}")
    return int(text)


def output_format() -> str:
    """json, csv or jsonl. Raises InvalidRequest."""
    form = parameter("format") or "json"
    if form not in FORMATS:
        raise invalid("format", f"expected one of {', '.join(FORMATS)}")
    return form


def body() -> dict[str, Any]:
    """The JSON body, money as Decimals. Raises InvalidRequest."""
    return read_json_exact(read_body())


def body_or_nothing() -> dict[str, Any]:
    """As `body`, for calls that need none."""
    raw = read_body()
    return read_json_exact(raw) if raw.strip() else {}
