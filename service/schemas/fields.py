"""Field types without coercion: "5" is no integer, true is no integer, 1.0 is no integer, 1 is a fine number.

Each is a marshmallow field, so apispec describes it; the first argument is its one-line description.
Unions (`OneOf`, `Tagged`) need `union2properties` added to apispec's converter.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from service.schemas.faults import (
    Choice,
    Code,
    Length,
    Pattern,
    Range,
    fault,
    listed,
    missing,
    shown,
    wrong_type,
)
from service.schemas.shape import Shape

MAX_TEXT_CHARACTERS = 10_485_760  # OpenAI's own limit for one string
MAX_INTEGER = 2**53 - 1  # what JSON readers agree on

# Keyword arguments that are marshmallow's own; any other describes the field in OpenAPI.
_OPTIONS = {"allow_none", "attribute", "cls_or_instance", "nested", "validate", "values"}


class Strict(fields.Field[Any]):
    """A field that takes exactly the JSON types it names, and is nullable unless required."""

    json_types: ClassVar[tuple[type, ...]]
    expected: ClassVar[str]

    def __init__(self, about: str = "", *, required: bool = False, **rest: Any) -> None:
        options: dict[str, Any] = {"required": required, "allow_none": not required}
        options |= {name: rest.pop(name) for name in _OPTIONS & rest.keys()}
        super().__init__(metadata=({"description": about} if about else {}) | rest, **options)

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **_: Any) -> Any:
        if type(value) not in self.json_types:
            if value is None and self.allow_none:
                return None
            raise wrong_type(self.expected, value)
        # Bounds come before the content: a list of a million items is refused unread.
        for validator in self.validators:
            validator(value)
        return self._deserialize(value, attr, data)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        return value


class Boolean(Strict, fields.Boolean):
    json_types = (bool,)
    expected = "a boolean"


class Integer(Strict, fields.Integer):
    json_types = (int,)
    expected = "an integer"

    def __init__(self, about: str = "", *, min: int = 0, max: int = MAX_INTEGER, **rest: Any) -> None:
        super().__init__(about, validate=Range(min, max), **rest)


class Number(Strict, fields.Float):
    json_types = (int, float, Decimal)
    expected = "a number"

    def __init__(self, about: str = "", *, min: float, max: float, **rest: Any) -> None:
        super().__init__(about, validate=Range(min, max), **rest)


class String(Strict, fields.String):
    """Length in characters; `pattern` is a regular expression for the whole text, and what it means."""

    json_types = (str,)
    expected = "a string"

    def __init__(
        self,
        about: str = "",
        *,
        min: int | None = None,
        max: int = MAX_TEXT_CHARACTERS,
        choices: Iterable[str] | None = None,
        pattern: tuple[str, str] | None = None,
        **rest: Any,
    ) -> None:
        checks: list[Any] = [Choice(tuple(choices))] if choices else [Length(min, max, "characters")]
        if pattern:
            checks.append(Pattern(*pattern))
        super().__init__(about, validate=checks + rest.pop("validate", []), **rest)


class ListOf(Strict, fields.List[Any]):
    """`unique` lists hold no value twice."""

    json_types = (list,)
    expected = "an array"

    def __init__(
        self,
        about: str,
        inner: Strict,
        *,
        max: int,
        min: int | None = None,
        unique: bool = False,
        **rest: Any,
    ) -> None:
        if unique:
            rest["uniqueItems"] = True
        checks = [Length(min, max, "items"), *([_unique] if unique else [])]
        super().__init__(about, cls_or_instance=_never_null(inner), validate=checks, **rest)

    def _deserialize(self, value: list[Any], attr: Any, data: Any, **_: Any) -> list[Any]:
        return [_read_member(self.inner, index, item) for index, item in enumerate(value)]


class MapOf(Strict, fields.Dict):
    """An object with free names, such as metadata."""

    json_types = (dict,)
    expected = "an object"

    def __init__(self, about: str, inner: Strict, *, max: int, max_name: int, **rest: Any) -> None:
        self.max_name = max_name
        rest |= {"values": _never_null(inner), "validate": Length(None, max, "pairs"), "maxProperties": max}
        super().__init__(about, **rest)

    def _deserialize(self, value: dict[str, Any], attr: Any, data: Any, **_: Any) -> dict[str, Any]:
        for name in value:
            if len(name) > self.max_name:
                raise fault("invalid_value", f"expected names of at most {self.max_name} characters")
        return {name: _read_member(self.value_field, name, item) for name, item in value.items()}


class AnyObject(Strict, fields.Dict):
    """An object nobody here looks into, such as a JSON schema."""

    json_types = (dict,)
    expected = "an object"


class Object(Strict, fields.Nested):
    json_types = (dict,)
    expected = "an object"

    def __init__(self, about: str, shape: Shape, **rest: Any) -> None:
        super().__init__(about, nested=shape, **rest)

    def _deserialize(self, value: Any, attr: Any, data: Any, partial: Any = None, **_: Any) -> Any:
        return self.schema.load(value)


class OneOf(Strict, fields.Raw):
    """A value of one of several JSON types, such as content: a string or an array of parts."""

    def __init__(self, about: str, *alternatives: Strict, **rest: Any) -> None:
        super().__init__(about, **rest)
        self.alternatives = [_never_null(alternative) for alternative in alternatives]
        self.by_type = {kind: field for field in alternatives for kind in field.json_types}
        self.expected = listed(field.expected for field in alternatives)  # type: ignore[misc]

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **_: Any) -> Any:
        field = self.by_type.get(type(value))
        if field:
            return field.deserialize(value)
        if value is None and self.allow_none:
            return None
        raise wrong_type(self.expected, value)


class Tagged(Strict, fields.Raw):
    """An object whose shape one of its own fields tells, such as a message and its role.

    `refusal` is the code for a tag that is none of the shapes'.
    """

    json_types = (dict,)
    expected = "an object"

    def __init__(
        self, about: str, tag: str, shapes: Mapping[str, Shape], refusal: Code = "invalid_value", **rest: Any
    ) -> None:
        super().__init__(about, **rest)
        self.tag, self.shapes, self.refusal = tag, shapes, refusal

    def _deserialize(self, value: dict[str, Any], attr: Any, data: Any, **_: Any) -> Any:
        kind = value.get(self.tag)
        if kind is None:
            raise missing(self.tag)
        if type(kind) is not str:
            raise ValidationError({self.tag: wrong_type("a string", kind).messages})
        shape = self.shapes.get(kind)
        if shape is None:
            choices = listed(repr(name) for name in self.shapes)
            raise fault(self.refusal, f"expected {choices}, but got {shown(kind)}", at=self.tag)
        return shape.load(value)


class Refused(Strict, fields.Raw):
    """A parameter that is known and not offered; `because` completes "Unsupported value for 'x': ...".

    Harmless values can be let through (`background: false`).
    """

    def __init__(self, because: str, *, harmless: tuple[Any, ...] = ()) -> None:
        self.because, self.harmless = because, harmless
        super().__init__(f"Not offered: {because}.", enum=[*harmless, None])

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **_: Any) -> Any:
        if any(value is each for each in self.harmless):
            return value
        raise fault("unsupported_value", self.because)


def union2properties(converter: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """Describe unions as `oneOf`: for apispec's `MarshmallowPlugin.converter.add_attribute_function`."""
    if isinstance(field, OneOf):
        options = [converter.field2property(alternative) for alternative in field.alternatives]
    elif isinstance(field, Tagged):
        options = [converter.resolve_nested_schema(shape) for shape in field.shapes.values()]
    else:
        return {}
    return {"oneOf": options + ([{"type": "null"}] if field.allow_none else [])}


def _never_null(inner: Strict) -> Strict:
    """Members of lists, maps and unions: there `null` would not mean absent."""
    inner.allow_none = False
    return inner


def _read_member(field: Any, place: int | str, value: Any) -> Any:
    try:
        return field.deserialize(value)
    except ValidationError as error:
        raise ValidationError({place: error.messages}) from None


def _unique(values: list[Any]) -> None:
    if len({repr(value) for value in values}) < len(values):
        raise fault("invalid_value", "expected no value twice")
