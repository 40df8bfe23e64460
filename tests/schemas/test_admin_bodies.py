"""The admin key API's bodies: exact money, nothing misspelt, null that clears."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from service.errors import InvalidRequest
from service.schemas.admin import KeyCreate, load_key_create, load_key_rotate, load_key_update
from service.schemas.json_body import read_json_exact


def exact(**body: Any) -> dict[str, Any]:
    """A body as it comes off the wire."""
    return read_json_exact(json.dumps(body).encode())


def test_key_needs_only_a_name() -> None:
    assert load_key_create(exact(name="demo")) == KeyCreate(
        name="demo",
        project="default",
        soft_limit_nano_usd=None,
        hard_limit_nano_usd=None,
        period="month",
        timezone="UTC",
        alert_thresholds=[50, 80, 100],
        models=None,
        default_max_output_tokens=None,
        requests_per_minute=None,
        tokens_per_minute=None,
        max_concurrency=None,
        expires_at=None,
        metadata={},
    )


def test_whole_key_is_read() -> None:
    key = load_key_create(
        read_json_exact(
            b'{"name": "Z\xc3\xbcrich 1", "project": "lab-2", "soft_limit_usd": 0.1, "hard_limit_usd": "5",'
            b'"period": "week", "timezone": "Europe/Zurich", "alert_thresholds": [100, 50],'
            b'"models": ["gpt-4o*", "ft:*:acme:*"], "default_max_output_tokens": 512,'
            b'"requests_per_minute": 60, "tokens_per_minute": 100000, "max_concurrency": 4,'
            b'"expires_at": "2027-01-31T18:00:00.5+02:00", "metadata": {"team": "a"}}'
        )
    )
    assert (key.name, key.project) == ("Zürich 1", "lab-2")
    assert (key.soft_limit_nano_usd, key.hard_limit_nano_usd) == (100_000_000, 5_000_000_000)
    assert (key.period, key.timezone, key.alert_thresholds) == ("week", "Europe/Zurich", [100, 50])
    assert key.models == ["gpt-4o*", "ft:*:acme:*"]
    assert key.expires_at == datetime(2027, 1, 31, 16, 0, 0, 500_000, tzinfo=UTC)
    assert key.expires_at.tzinfo is UTC
    assert key.metadata == {"team": "a"}


def test_key_to_be_made_is_frozen() -> None:
    key = load_key_create(exact(name="demo"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        key.name = "other"  # type: ignore[misc]


def test_two_keys_share_no_defaults() -> None:
    first, second = load_key_create(exact(name="a")), load_key_create(exact(name="b"))
    first.alert_thresholds.append(1)
    assert second.alert_thresholds == [50, 80, 100]


def test_zero_is_a_limit_and_null_is_none() -> None:
    key = load_key_create(exact(name="demo", hard_limit_usd=0, soft_limit_usd=None))
    assert (key.hard_limit_nano_usd, key.soft_limit_nano_usd) == (0, None)


@pytest.mark.parametrize(
    ("extra", "param", "code"),
    [
        ({"name": None}, "name", "missing_required_parameter"),
        ({"name": ""}, "name", "invalid_value"),
        ({"name": "x" * 65}, "name", "invalid_value"),
        ({"name": "line\nbreak"}, "name", "invalid_value"),
        ({"name": "demo\n"}, "name", "invalid_value"),
        ({"name": "=1+1"}, "name", "invalid_value"),
        ({"name": " padded"}, "name", "invalid_value"),
        ({"project": "Lab"}, "project", "invalid_value"),
        ({"project": "-lab"}, "project", "invalid_value"),
        ({"project": ""}, "project", "invalid_value"),
        ({"project": "x" * 64}, "project", "invalid_value"),
        ({"hard_limit_usd": "-1"}, "hard_limit_usd", "invalid_value"),
        ({"hard_limit_usd": "five"}, "hard_limit_usd", "invalid_value"),
        ({"hard_limit_usd": "0.0000000001"}, "hard_limit_usd", "invalid_value"),
        ({"hard_limit_usd": 10**16}, "hard_limit_usd", "invalid_value"),
        ({"hard_limit_usd": True}, "hard_limit_usd", "invalid_type"),
        ({"soft_limit_usd": []}, "soft_limit_usd", "invalid_type"),
        ({"period": "year"}, "period", "invalid_value"),
        ({"timezone": "Mars/Olympus"}, "timezone", "invalid_value"),
        ({"timezone": "../etc/passwd"}, "timezone", "invalid_value"),
        ({"timezone": "localtime"}, "timezone", "invalid_value"),
        ({"alert_thresholds": [0]}, "alert_thresholds[0]", "invalid_value"),
        ({"alert_thresholds": [50.0]}, "alert_thresholds[0]", "invalid_type"),
        ({"alert_thresholds": [50, 50]}, "alert_thresholds", "invalid_value"),
        ({"alert_thresholds": list(range(1, 12))}, "alert_thresholds", "invalid_value"),
        ({"models": []}, "models", "invalid_value"),
        ({"models": ["a"] * 65}, "models", "invalid_value"),
        ({"models": ["a", "b c"]}, "models[1]", "invalid_value"),
        ({"models": ["*a*b*c*"]}, "models[0]", "invalid_value"),
        ({"models": ["a" * 129]}, "models[0]", "invalid_value"),
        ({"models": [""]}, "models[0]", "invalid_value"),
        ({"default_max_output_tokens": 0}, "default_max_output_tokens", "invalid_value"),
        ({"requests_per_minute": 0}, "requests_per_minute", "invalid_value"),
        ({"max_concurrency": "4"}, "max_concurrency", "invalid_type"),
        ({"expires_at": "2027-01-31"}, "expires_at", "invalid_value"),
        ({"expires_at": "2027-01-31T18:00:00"}, "expires_at", "invalid_value"),
        ({"expires_at": "2027-02-30T18:00:00Z"}, "expires_at", "invalid_value"),
        ({"expires_at": "0001-01-01T00:00:00+01:00"}, "expires_at", "invalid_value"),
        ({"expires_at": 1_800_000_000}, "expires_at", "invalid_type"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ({"hard_limit": 5}, "hard_limit", "invalid_value"),
    ],
)
def test_wrong_key_is_refused(extra: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        load_key_create(exact(**({"name": "demo"} | extra)))
    assert (raised.value.param, raised.value.code) == (param, code)


def test_unknown_field_is_called_unknown() -> None:
    with pytest.raises(InvalidRequest, match="'hard_limit': is not a known field"):
        load_key_create(exact(name="demo", hard_limit=5))


def test_money_read_as_a_float_is_refused_not_rounded() -> None:
    with pytest.raises(InvalidRequest) as raised:
        load_key_create({"name": "demo", "hard_limit_usd": 0.1})
    assert raised.value.code == "invalid_type"


def test_update_holds_only_what_was_given() -> None:
    assert load_key_update({}) == {}
    assert load_key_update(exact(hard_limit_usd="2.5", name="new")) == {
        "hard_limit_nano_usd": 2_500_000_000,
        "name": "new",
    }


def test_null_clears_in_an_update() -> None:
    names = ["soft_limit_usd", "hard_limit_usd", "alert_thresholds", "models", "default_max_output_tokens"]
    names += ["requests_per_minute", "tokens_per_minute", "max_concurrency", "expires_at", "metadata"]
    changes = load_key_update(dict.fromkeys(names))
    assert changes == {name.replace("_usd", "_nano_usd"): None for name in names}


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"name": None}, "name", "invalid_type"),
        ({"period": "day"}, "period", "unsupported_value"),
        ({"timezone": "UTC"}, "timezone", "unsupported_value"),
        ({"project": None}, "project", "unsupported_value"),
        ({"models": [None]}, "models[0]", "invalid_type"),
        ({"hard_limit_usd": "-1"}, "hard_limit_usd", "invalid_value"),
        ({"limit": None}, "limit", "invalid_value"),
    ],
)
def test_wrong_update_is_refused(given: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        load_key_update(given)
    assert (raised.value.param, raised.value.code) == (param, code)


def test_overlap_of_a_rotation_is_bounded() -> None:
    assert load_key_rotate({}) == 0
    assert load_key_rotate({"overlap_seconds": None}) == 0
    assert load_key_rotate({"overlap_seconds": 2_592_000}) == 2_592_000
    with pytest.raises(InvalidRequest, match="between 0 and 2592000"):
        load_key_rotate({"overlap_seconds": 2_592_001})
