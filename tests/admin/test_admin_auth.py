"""Who may use the control plane."""

import pytest

from service.wiring import Stores
from tests.admin.conftest import Operator
from tests.conftest import MakeKey

ROUTES = [
    ("GET", "/admin/keys"),
    ("POST", "/admin/keys"),
    ("GET", "/admin/keys/key_0"),
    ("PATCH", "/admin/keys/key_0"),
    ("DELETE", "/admin/keys/key_0"),
    ("POST", "/admin/keys/key_0/rotate"),
    ("GET", "/admin/holds"),
    ("POST", "/admin/holds/h/settle"),
    ("POST", "/admin/holds/h/release"),
    ("GET", "/admin/usage"),
    ("GET", "/admin/ledger"),
]


def as_other(operator: Operator, key: str | None) -> Operator:
    return Operator(operator.base_url, operator.http, key)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_asks_for_an_admin_key(
    operator: Operator, make_key: MakeKey, method: str, path: str
) -> None:
    for wrong in (None, "", "nonsense", "an-admin-key-of-testz", "sk-sg-admin-" + "0" * 38):
        assert as_other(operator, wrong).error(method, path) == (401, "invalid_api_key", None)
    _, api_key = make_key()
    assert as_other(operator, api_key).error(method, path) == (403, "wrong_key_kind", None)


def test_every_admin_route_is_in_this_test(operator: Operator, app: object) -> None:
    rules = app.url_map.iter_rules()  # type: ignore[attr-defined]
    served = {
        (method, rule.rule.replace("<key_id>", "key_0").replace("<hold_id>", "h"))
        for rule in rules
        if rule.rule.startswith("/admin")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert served == set(ROUTES)


def test_another_scheme_is_no_bearer(operator: Operator) -> None:
    headers = {"Authorization": f"Basic {operator.key}"}
    assert operator.error("GET", "/admin/keys", headers=headers) == (401, "invalid_api_key", None)


def test_made_admin_key_opens_the_control_plane(operator: Operator, stores: Stores) -> None:
    made = as_other(operator, stores.admins.create("tests"))
    assert made.get("/admin/keys")["object"] == "list"


def test_answers_are_kept_out_of_caches(operator: Operator) -> None:
    assert operator.request("GET", "/admin/keys").headers["Cache-Control"] == "no-store"
