"""`Shape`: a marshmallow schema that stops at the first fault, in the order of the document.

marshmallow's own `load` asks every declared field about every body (45 for a chat call that uses five) and
collects all faults. Bodies are checked on the hot path and one fault is reported, so `load` walks what came.
"""

from typing import Any, ClassVar

from marshmallow import INCLUDE, RAISE, Schema, ValidationError

from service.schemas.faults import fault, missing, wrong_type


class Shape(Schema):
    """What an object may hold. Unknown fields pass untouched; `null` means absent."""

    class Meta:
        unknown = INCLUDE

    null_is_absent: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._required = tuple(name for name, field in self.load_fields.items() if field.required)

    def load(self, data: Any, **_options: Any) -> dict[str, Any]:
        """The values as the fields read them, in a new dict; `data` stays as it came.

        Raises ValidationError with the first fault: of the fields that are there, in their order, then of
        the required ones that are not, then of the rules across fields.
        """
        if type(data) is not dict:
            raise wrong_type("an object", data)
        loaded = {}
        for name, value in data.items():
            if value is None and self.null_is_absent:
                continue
            field = self.load_fields.get(name)
            if field is None:
                loaded[name] = self._unknown(name, value)
                continue
            try:
                loaded[field.attribute or name] = field.deserialize(value)
            except ValidationError as error:
                raise ValidationError({name: error.messages}) from None
        for name in self._required:
            if data.get(name) is None:
                raise missing(name)
        self.check_together(data)
        return loaded

    def check_together(self, data: dict[str, Any]) -> None:
        """Rules across fields; each field by itself is valid by now. Raises `fault(..., at=name)`."""

    def _unknown(self, name: str, value: Any) -> Any:
        if self.unknown == RAISE:
            raise fault("invalid_value", "is not a known field", at=name)
        return value
