"""Reading the `usage` objects of the image and audio endpoints, strictly: an impossible one is none."""

from typing import Any

from service.pricing.usage import Usage


def count(value: Any) -> int:
    """Raises TypeError for anything but a whole number."""
    if type(value) is not int:
        raise TypeError("a token count is an integer")
    return value


def detail(details: Any, name: str) -> int | None:
    """One of the details; None where it is not told."""
    value = details.get(name) if isinstance(details, dict) else None
    return None if value is None else count(value)


def possible(usage: Usage) -> Usage | None:
    return usage if usage.is_possible() else None
