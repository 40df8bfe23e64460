"""The knobs a request can turn (the table is in the package's docstring)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from service.upstream.sandbox.refusal import Refusal

PREFIX = "sandbox_"
MAX_INTEGER = 1_000_000


@dataclass(frozen=True)
class Knobs:
    """One field a knob, named without the prefix. Built by `read_knobs`."""

    delay_ms: int = 0
    status: int | None = None
    body: str | None = None
    reset: bool = False
    hang: bool = False
    tokens: int | None = None
    token_delay_ms: int = 0
    cut_after: int | None = None
    no_usage: bool = False
    bad_usage: bool = False
    cached_tokens: int = 0
    cache_write_tokens: int | None = None
    reasoning_tokens: int = 0
    service_tier: str | None = None
    model: str | None = None
    ignore_cap: bool = False
    finish_reason: str | None = None


_TYPES = {PREFIX + field.name: str(field.type) for field in fields(Knobs)}


def read_knobs(metadata: Mapping[str, Any]) -> Knobs:
    """The knobs in a metadata map; its other names are left alone. Raises Refusal (400)."""
    turned = {name: text for name, text in metadata.items() if name.startswith(PREFIX)}
    values = {name.removeprefix(PREFIX): _read(name, text) for name, text in turned.items()}
    status, body = values.get("status"), values.get("body")
    if status is not None and not 400 <= status <= 599:
        raise _bad_knob(PREFIX + "status")
    if body not in (None, "html"):
        raise _bad_knob(PREFIX + "body")
    return Knobs(**values)


def _read(name: str, text: object) -> Any:
    if name not in _TYPES or not isinstance(text, str):
        raise _bad_knob(name)
    if _TYPES[name].startswith("str"):
        return text
    # Read strictly: a mistyped number must not silently test something else.
    if not (text.isascii() and text.isdigit() and len(text) < 8) or int(text) > MAX_INTEGER:
        raise _bad_knob(name)
    return text != "0" if _TYPES[name] == "bool" else int(text)


def _bad_knob(name: str) -> Refusal:
    return Refusal(
        f"'{name}' is no knob of the sandbox, or has a value it does not take.",
        param=f"metadata.{name}",
        code="invalid_value",
    )
