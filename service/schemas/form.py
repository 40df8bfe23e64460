"""multipart/form-data as fields: texts become what the schema says their field holds, strictly.

Names are OpenAI's: `n` once, `image[]` as often as there are members, `chunking_strategy[type]` for a member
of an object. A name that comes twice without brackets is refused: readers differ in which one they take.
"""

import re
from dataclasses import dataclass
from typing import Any, BinaryIO

from marshmallow import fields

from service.errors import InvalidRequest
from service.schemas.fields import Boolean, Integer, ListOf, Number, Strict
from service.schemas.shape import Shape


@dataclass(frozen=True)
class FilePart:
    """An uploaded file. `content` is a copy on disk where an endpoint must look inside, else None."""

    filename: str
    size: int
    content: BinaryIO | None = None


# Names and values in the order of the body.
Parts = list[tuple[str, str | FilePart]]

_NAME = re.compile(r"([A-Za-z0-9_-]+)(?:\[([A-Za-z0-9_-]*)\])?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_TRUTH = {"true": True, "false": False}


class File(Strict, fields.Raw):
    """A part with a filename."""

    json_types = (FilePart,)
    expected = "a file"

    def __init__(self, about: str = "", **rest: Any) -> None:
        super().__init__(about, type="string", format="binary", **rest)


def is_form(schema: Shape) -> bool:
    """Whether bodies of this shape hold files, and so come as forms."""
    return any(_holds_files(field) for field in schema.load_fields.values())


def _holds_files(field: Any) -> bool:
    members = [*getattr(field, "alternatives", ()), *filter(None, [getattr(field, "inner", None)])]
    return isinstance(field, File) or any(_holds_files(member) for member in members)


def read_form(schema: Shape, parts: Parts) -> dict[str, Any]:
    """The fields that a body's parts make. Raises InvalidRequest; what they hold is the schema's business."""
    found: dict[str, Any] = {}
    for name, value in parts:
        match = _NAME.fullmatch(name)
        if match is None:
            raise InvalidRequest(f"'{name[:64]}' is no name of a field.", param=name[:64])
        field, key = schema.load_fields.get(match[1]), match[2]
        if key is None:
            fits = match[1] not in found
            found.setdefault(match[1], _typed(field, value))
        elif key == "":
            members = found.setdefault(match[1], [])
            fits = isinstance(members, list)
            if fits:
                members.append(_typed(field.inner if isinstance(field, ListOf) else None, value))
        else:
            members = found.setdefault(match[1], {})
            fits = isinstance(members, dict) and key not in members
            if fits:
                members[key] = value
        if not fits:
            raise InvalidRequest(f"The field '{name}' is there more than once.", param=match[1])
    return found


def _typed(field: Any, value: str | FilePart) -> Any:
    """A text as the number or the truth value its field wants; as it is where it is neither."""
    if isinstance(value, FilePart):
        return value
    if isinstance(field, Boolean):
        return _TRUTH.get(value, value)
    if isinstance(field, Integer) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(field, Number) and _NUMBER.fullmatch(value):
        return float(value)
    return value
