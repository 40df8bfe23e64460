"""What is wrong with one value: a phrase with a machine-readable code, and the validators that say so.

A `Fault` travels as the message of a marshmallow `ValidationError`; its place in the body is marshmallow's
own nesting of `messages` ({"messages": {1: {"role": [Fault]}}}). `check.py` makes the sentence and the path.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from types import NoneType
from typing import Any, Literal

from marshmallow import ValidationError, validate

Code = Literal[
    "invalid_type",
    "invalid_value",
    "missing_required_parameter",
    "unsupported_value",
    "invalid_parameter_combination",
]

JSON_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    Decimal: "a number",
    list: "an array",
    dict: "an object",
    NoneType: "null",
}

_SHOWN_CHARACTERS = 40


class Fault(str):
    """A phrase that completes "Invalid value for 'x': ...", with the code the caller gets."""

    __slots__ = ("code",)
    code: Code

    def __new__(cls, code: Code, phrase: str) -> "Fault":
        self = super().__new__(cls, phrase)
        self.code = code
        return self


def fault(code: Code, phrase: str, at: str | None = None) -> ValidationError:
    """The error to raise: for the value at hand, or for the field `at` of the object at hand."""
    found = [Fault(code, phrase)]
    return ValidationError({at: found} if at is not None else found)


def wrong_type(expected: str, value: Any) -> ValidationError:
    # What no JSON holds came as a part of a form.
    got = JSON_NAMES.get(type(value), "a file")
    return fault("invalid_type", f"expected {expected}, but got {got} instead")


def missing(name: str) -> ValidationError:
    return fault("missing_required_parameter", "is required", at=name)


def shown(value: str) -> str:
    """A caller's short text as an error may repeat it: quoted, cut, without control characters."""
    return repr(value if len(value) <= _SHOWN_CHARACTERS else value[: _SHOWN_CHARACTERS - 3] + "...")


def listed(words: Iterable[str], last: str = "or") -> str:
    """'a', 'a or b', 'a, b or c'."""
    *others, end = words
    return f"{', '.join(others)} {last} {end}" if others else end


# The validators are marshmallow's (so apispec can read their bounds), with our codes on what they say.


class Range(validate.Range):
    def _format_error(self, value: Any, message: str) -> str:
        # A number of thousands of digits would be no help in a message.
        got = f", but got {value}" if abs(value) < 10**18 else ""
        return Fault("invalid_value", f"expected {_bounds(self.min, self.max, 'a value')}{got}")


class Length(validate.Length):
    """`unit` is what is counted: characters, items or pairs."""

    def __init__(self, min: int | None, max: int | None, unit: str) -> None:
        super().__init__(min=min, max=max)
        self.unit = unit

    def _format_error(self, value: Any, message: str) -> str:
        bounds = _bounds(self.min, self.max, "")
        return Fault("invalid_value", f"expected {bounds.strip()} {self.unit}, but got {len(value)}")


class Choice(validate.OneOf):
    def _format_error(self, value: Any) -> str:
        choices = listed(repr(choice) for choice in self.choices)
        return Fault("invalid_value", f"expected {choices}, but got {shown(value)}")


class Pattern(validate.Validator):
    """The whole text must match; `expected` says in words what that means."""

    def __init__(self, regex: str, expected: str) -> None:
        self.regex = re.compile(regex)
        self.expected = expected

    def __call__(self, value: str) -> str:
        if not self.regex.fullmatch(value):
            raise fault("invalid_value", f"expected {self.expected}")
        return value


def _bounds(low: Any, high: Any, noun: str) -> str:
    if low is None:
        return f"{noun} at most {high}"
    if high is None:
        return f"{noun} at least {low}"
    return f"{noun} between {low} and {high}"
