"""/admin/keys over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from service.wiring import Stores
from tests.admin.conftest import Operator
from tests.conftest import MakeKey, Spend, TakeHold, oldest_first


def parsed(moment: str) -> datetime:
    assert moment.endswith("Z")
    return datetime.fromisoformat(moment)


def test_created_key_shows_all_that_was_set(operator: Operator, project: str) -> None:
    body = {
        "name": "demo",
        "project": project,
        "soft_limit_usd": "4",
        "hard_limit_usd": 5.5,
        "period": "day",
        "timezone": "Europe/Zurich",
        "alert_thresholds": [90],
        "models": ["gpt-4o*"],
        "default_max_output_tokens": 256,
        "requests_per_minute": 60,
        "tokens_per_minute": 90_000,
        "max_concurrency": 3,
        "expires_at": "2099-01-31T18:00:00+02:00",
        "metadata": {"team": "a"},
    }
    made = operator.do("POST", "/admin/keys", body, status=201)
    secret = made.pop("key")
    times = {name: parsed(made.pop(name)) for name in ("created_at", "period_start", "resets_at")}
    assert made == {
        **body,
        "id": made["id"],
        "object": "key",
        "status": "active",
        "secrets": [{"hint": f"{secret[:7]}...{secret[-4:]}", "expires_at": None}],
        "soft_limit_usd": "4.000000000",
        "hard_limit_usd": "5.500000000",
        "expires_at": "2099-01-31T16:00:00Z",
        "last_used_at": None,
        "spent_usd": "0.000000000",
        "held_usd": "0.000000000",
        "in_doubt_usd": "0.000000000",
        "remaining_usd": "5.500000000",
        "soft_limit_exceeded": False,
    }
    assert abs(times["created_at"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert times["period_start"] <= datetime.now(UTC) < times["resets_at"]
    assert times["period_start"].hour in (22, 23)


def test_secret_is_shown_this_once(operator: Operator, project: str) -> None:
    made = operator.do("POST", "/admin/keys", {"name": "demo", "project": project}, status=201)
    secret = made.pop("key")
    again = operator.get(f"/admin/keys/{made['id']}")
    assert again == made
    assert secret not in json.dumps(again) + json.dumps(operator.every("/admin/keys", limit=100))


def test_key_without_limits_says_null(operator: Operator, make_key: MakeKey) -> None:
    key, _ = make_key(period="total")
    shown = operator.get(f"/admin/keys/{key.id}")
    nulls = {name for name, value in shown.items() if value is None}
    assert nulls == {
        *("soft_limit_usd", "hard_limit_usd", "remaining_usd", "models", "default_max_output_tokens"),
        *("requests_per_minute", "tokens_per_minute", "max_concurrency", "expires_at", "last_used_at"),
        *("period_start", "resets_at"),
    }
    assert (shown["alert_thresholds"], shown["metadata"]) == ([50, 80, 100], {})


def test_money_of_a_key_moves_with_its_calls(
    operator: Operator, stores: Stores, make_key: MakeKey, take_hold: TakeHold, spend: Spend
) -> None:
    key, secret = make_key(hard_limit_usd="1", soft_limit_usd="0.0000483")
    spend(secret, 48_300)
    held, doubted = take_hold(secret, 700), take_hold(secret, 11)
    stores.ledger.doubt(doubted, "unanswered")
    shown = operator.get(f"/admin/keys/{key.id}")
    assert (shown["spent_usd"], shown["held_usd"], shown["in_doubt_usd"], shown["remaining_usd"]) == (
        *("0.000048300", "0.000000700", "0.000000011"),
        "0.999950989",
    )
    assert shown["soft_limit_exceeded"] is True
    assert parsed(shown["last_used_at"]) >= parsed(shown["created_at"])
    stores.ledger.release(held)
    assert operator.get(f"/admin/keys/{key.id}")["held_usd"] == "0.000000000"


def test_limit_is_read_to_the_nano_dollar(operator: Operator, project: str) -> None:
    raw = f'{{"name": "n", "project": "{project}", "hard_limit_usd": 0.123456789}}'
    headers = {"Authorization": f"Bearer {operator.key}"}
    url = f"{operator.base_url}/admin/keys"
    made = operator.http.request("POST", url, body=raw, headers=headers).json()
    assert made["hard_limit_usd"] == "0.123456789"
    assert Decimal(made["remaining_usd"]) == Decimal("0.123456789")


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"hard_limit_usd": "-1"}, "invalid_value", "hard_limit_usd"),
        ({"hard_limit_usd": True}, "invalid_type", "hard_limit_usd"),
        ({"hard_limit": "5"}, "invalid_value", "hard_limit"),
        ({"name": None}, "missing_required_parameter", "name"),
        ({"period": "year"}, "invalid_value", "period"),
        ({"timezone": "Mars/Olympus"}, "invalid_value", "timezone"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "invalid_value", "expires_at"),
        ({"models": [1]}, "invalid_type", "models[0]"),
    ],
)
def test_wrong_field_is_named_and_no_key_is_made(
    operator: Operator, stores: Stores, project: str, change: dict[str, Any], code: str, param: str
) -> None:
    body = {"name": "demo", "project": project, **change}
    assert operator.error("POST", "/admin/keys", body) == (400, code, param)
    assert [key for key in stores.keys.all() if key.record["project"] == project] == []


def test_name_that_is_taken_is_a_conflict(operator: Operator, make_key: MakeKey, project: str) -> None:
    make_key(name="demo")
    body = {"name": "demo", "project": project}
    assert operator.error("POST", "/admin/keys", body) == (409, "conflict", "name")
    other, _ = make_key(name="other")
    assert operator.error("PATCH", f"/admin/keys/{other.id}", {"name": "demo"}) == (409, "conflict", "name")


def test_list_goes_page_by_page_the_oldest_first(operator: Operator, make_key: MakeKey) -> None:
    made = oldest_first([make_key()[0] for _ in range(5)])
    first = operator.get("/admin/keys", limit=100)
    everything = operator.every("/admin/keys", limit=100)
    assert first["object"] == "list"
    assert first["last_id"] == first["data"][-1]["id"]
    assert [key["id"] for key in everything if key["id"] in made] == made
    behind = operator.get("/admin/keys", limit=2, after=made[0])
    assert [key["id"] for key in behind["data"]] == made[1:3]
    assert behind["has_more"] is True
    last = operator.get("/admin/keys", limit=2, after=made[3])
    assert ([key["id"] for key in last["data"]], last["has_more"]) == (made[4:], False)
    end = operator.get("/admin/keys", after=made[4])
    assert (end["data"], end["has_more"], end["last_id"]) == ([], False, None)


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.0", "²", "9" * 50])
def test_limit_out_of_range_is_named(operator: Operator, limit: str) -> None:
    error = operator.error("GET", "/admin/keys", fields={"limit": limit})
    assert error == (400, "invalid_value", "limit")


def test_unknown_after_is_named(operator: Operator) -> None:
    error = operator.error("GET", "/admin/keys", fields={"after": "key_0nobody"})
    assert error == (400, "invalid_value", "after")


def test_patch_changes_what_is_given_and_null_clears(
    operator: Operator, make_key: MakeKey, spend: Spend
) -> None:
    key, secret = make_key(hard_limit_usd="1", soft_limit_usd="0.5", metadata={"a": "b"})
    spend(secret, 1_000)
    before = operator.get(f"/admin/keys/{key.id}")
    body = {"hard_limit_usd": "0.000000900", "soft_limit_usd": None, "name": "new", "models": ["o4-*"]}
    after = operator.do("PATCH", f"/admin/keys/{key.id}", body)
    assert after == {**before, **body, "remaining_usd": "0.000000000"}
    assert after["spent_usd"] == "0.000001000"


@pytest.mark.parametrize("field", ["project", "period", "timezone"])
def test_what_is_fixed_at_creation_cannot_change(operator: Operator, make_key: MakeKey, field: str) -> None:
    key, _ = make_key()
    error = operator.error("PATCH", f"/admin/keys/{key.id}", {field: "day"})
    assert error == (400, "unsupported_value", field)


def test_delete_revokes_and_may_be_repeated(operator: Operator, make_key: MakeKey) -> None:
    key, _ = make_key()
    for _ in range(2):
        assert operator.do("DELETE", f"/admin/keys/{key.id}")["status"] == "revoked"
    assert operator.get(f"/admin/keys/{key.id}")["status"] == "revoked"
    assert operator.error("PATCH", f"/admin/keys/{key.id}", {"name": "x"}) == (409, "conflict", None)
    assert operator.error("POST", f"/admin/keys/{key.id}/rotate") == (409, "conflict", None)


@pytest.mark.parametrize("body", [None, {}, {"overlap_seconds": 0}])
def test_rotation_gives_a_new_secret_of_the_same_key(
    operator: Operator, stores: Stores, make_key: MakeKey, body: Any
) -> None:
    key, old = make_key()
    rotated = operator.do("POST", f"/admin/keys/{key.id}/rotate", body)
    assert rotated["id"] == key.id
    assert rotated["key"] not in (old, None)
    assert [secret["expires_at"] for secret in rotated["secrets"]] == [None]
    assert stores.keys.authenticate(rotated["key"]).key_id == key.id


def test_overlap_shows_when_the_old_secret_ends(operator: Operator, make_key: MakeKey) -> None:
    key, old = make_key()
    rotated = operator.do("POST", f"/admin/keys/{key.id}/rotate", {"overlap_seconds": 3600})
    newest, running_out = rotated["secrets"]
    assert newest["expires_at"] is None
    assert running_out["hint"] == f"{old[:7]}...{old[-4:]}"
    left = parsed(running_out["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    error = operator.error("POST", f"/admin/keys/{key.id}/rotate", {"overlap_seconds": -1})
    assert error == (400, "invalid_value", "overlap_seconds")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")]
)
def test_unknown_key_is_not_found(operator: Operator, method: str, path: str) -> None:
    body = {"name": "x"} if method == "PATCH" else None
    assert operator.error(method, f"/admin/keys/key_0nobody{path}", body) == (404, "not_found", None)


def test_unknown_url_and_method_are_told(operator: Operator) -> None:
    assert operator.error("GET", "/admin/nothing") == (404, "unknown_url", None)
    assert operator.error("PUT", "/admin/keys") == (405, "method_not_allowed", None)


def test_body_that_is_no_json_is_told(operator: Operator) -> None:
    headers = {"Authorization": f"Bearer {operator.key}"}
    url = f"{operator.base_url}/admin/keys"
    for raw in (b"", b"{", b"[]", b'{"name": "a", "name": "b"}'):
        response = operator.http.request("POST", url, body=raw, headers=headers)
        assert (response.status, response.json()["error"]["code"]) == (400, "invalid_json")
