"""The bodies of the admin key API. Read them with `read_json_exact`: money is never a float.

Here an unknown field is an error: a misspelt limit must not be a missing one.
"""

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from marshmallow import RAISE, fields

from service.money import MoneyError, parse_usd
from service.schemas.check import load
from service.schemas.faults import fault
from service.schemas.fields import Integer, ListOf, MapOf, Refused, Strict, String
from service.schemas.shape import Shape

PERIODS = ["day", "week", "month", "total"]
MAX_PER_MINUTE = 10**12
MAX_CONCURRENCY = 10**6
MAX_OVERLAP_SECONDS = 2_592_000
MAX_GLOBS = 64
DEFAULT_THRESHOLDS = (50, 80, 100)

_NAME = (r"^\w(?:[\w .-]*\w)?$", "letters, digits and _, with spaces, . and - between")
_SLUG = (r"^[a-z0-9][a-z0-9-]{0,62}$", "lower-case letters, digits and inner dashes, 1 to 63 characters")
_GLOB = (
    r"^[A-Za-z0-9._:/?-]*(?:\*[A-Za-z0-9._:/?-]*){0,3}$",
    "a model's id of letters, digits and . _ : / -, with ? and at most three * as wildcards",
)
_RFC_3339 = (
    r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$",
    "a time with its offset, like 2027-01-31T18:00:00Z",
)


class Usd(Strict, fields.Raw):
    """Decimal dollars, as a string or a number, read exactly as nano-USD."""

    json_types = (str, int, Decimal)
    expected = "an amount in US dollars, as a decimal string or a number"

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> int:
        try:
            return parse_usd(value)
        except MoneyError as error:
            raise fault("invalid_value", str(error)) from None


class Instant(String):
    """An RFC 3339 time with an offset, read as an aware datetime in UTC."""

    def __init__(self, about: str) -> None:
        super().__init__(about, max=40, pattern=_RFC_3339, format="date-time")

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise fault("invalid_value", "expected a time that exists") from None


@cache
def _time_zones() -> frozenset[str]:
    # `localtime` is whatever the machine says; a period must mean the same everywhere.
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})


def _time_zone(name: str) -> None:
    if name not in _time_zones():
        raise fault("invalid_value", "expected an IANA time zone, like Europe/Zurich")


def _dollars(about: str, attribute: str) -> Usd:
    amount = [{"type": "string", "pattern": r"^\d+(\.\d{1,9})?$"}, {"type": "number", "minimum": 0}]
    return Usd(about, attribute=attribute, oneOf=[*amount, {"type": "null"}])


class AdminShape(Shape):
    class Meta:
        unknown = RAISE


class KeyLimits(AdminShape):
    """What a key is made with and may be changed to; null means none, or the default."""

    soft_limit_usd = _dollars("Above it calls pass and are told so.", "soft_limit_nano_usd")
    hard_limit_usd = _dollars("Above it calls are refused.", "hard_limit_nano_usd")
    alert_thresholds = ListOf(
        "Per cent of the soft limit, else of the hard one.",
        Integer("Per cent.", min=1, max=1000),
        max=10,
        unique=True,
    )
    models = ListOf(
        "Globs of the models the key may use.",
        String("A glob.", min=1, max=128, pattern=_GLOB),
        min=1,
        max=MAX_GLOBS,
    )
    default_max_output_tokens = Integer("The output cap of calls that name none.", min=1, max=2**31 - 1)
    requests_per_minute = Integer("Requests a minute.", min=1, max=MAX_PER_MINUTE)
    tokens_per_minute = Integer("Tokens a minute.", min=1, max=MAX_PER_MINUTE)
    max_concurrency = Integer("Calls at one time.", min=1, max=MAX_CONCURRENCY)
    expires_at = Instant("When the key stops working.")
    metadata = MapOf("Up to 16 pairs of your own.", String("A value.", max=512), max=16, max_name=64)


def _name(**rest: Any) -> String:
    return String("The key's name, unique in its project.", min=1, max=64, pattern=_NAME, **rest)


class KeyCreateSchema(KeyLimits):
    name = _name(required=True)
    project = String("The project the key belongs to.", max=63, pattern=_SLUG, default="default")
    period = String("How often the budget starts anew.", choices=PERIODS, default="month")
    timezone = String(
        "The IANA time zone the period begins in.", max=64, validate=[_time_zone], default="UTC"
    )


class KeyUpdateSchema(KeyLimits):
    """Only what is given changes; null clears."""

    null_is_absent = False

    name = _name(allow_none=False)
    project = Refused("it is fixed at creation")
    period = Refused("it is fixed at creation")
    timezone = Refused("it is fixed at creation")


class KeyRotateSchema(AdminShape):
    overlap_seconds = Integer(
        "How long the old secret still works.", min=0, max=MAX_OVERLAP_SECONDS, default=0
    )


@dataclass(frozen=True, kw_only=True)
class KeyCreate:
    """A key to be made: amounts in nano-USD, None for no limit; `models` None allows every priced model."""

    name: str
    project: str = "default"
    soft_limit_nano_usd: int | None = None
    hard_limit_nano_usd: int | None = None
    period: str = "month"
    timezone: str = "UTC"
    alert_thresholds: list[int] = field(default_factory=lambda: list(DEFAULT_THRESHOLDS))
    models: list[str] | None = None
    default_max_output_tokens: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None
    expires_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


KEY_CREATE = KeyCreateSchema()
KEY_UPDATE = KeyUpdateSchema()
KEY_ROTATE = KeyRotateSchema()


def load_key_create(body: dict[str, Any]) -> KeyCreate:
    """Raises InvalidRequest."""
    return KeyCreate(**load(KEY_CREATE, body))


def load_key_update(body: dict[str, Any]) -> dict[str, Any]:
    """The fields that change, under KeyCreate's names; None clears. Raises InvalidRequest."""
    return load(KEY_UPDATE, body)


def load_key_rotate(body: dict[str, Any]) -> int:
    """Seconds during which both secrets work. Raises InvalidRequest."""
    overlap_seconds: int = load(KEY_ROTATE, body).get("overlap_seconds", 0)
    return overlap_seconds
