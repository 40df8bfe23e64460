"""/admin/holds: only what nobody runs any more is an operator's to decide."""

import pytest

from service.ledger.lease import sweep
from service.ledger.verify import verify
from service.wiring import Stores
from tests.admin.conftest import Operator
from tests.conftest import MakeKey, TakeHold

NO_FIELDS = ("0.000000000", "0.000000000", "0.000000000")


def money(operator: Operator, key_id: str) -> tuple[str, str, str]:
    shown = operator.get(f"/admin/keys/{key_id}")
    return shown["spent_usd"], shown["held_usd"], shown["in_doubt_usd"]


def test_holds_are_listed_with_their_call(
    operator: Operator, stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, secret = make_key()
    running, doubted = take_hold(secret, 48_300), take_hold(secret, 7, model="o4-mini")
    stores.ledger.doubt(doubted, "unanswered")
    found = {hold["id"]: hold for hold in operator.every("/admin/holds", limit=100)}
    shown = found[doubted.id]
    assert (shown["state"], shown["cause"], shown["bound_usd"]) == ("in_doubt", "unanswered", "0.000000007")
    assert (shown["key_id"], shown["model"], shown["object"]) == (key.id, "o4-mini", "hold")
    assert (found[running.id]["state"], found[running.id]["cause"]) == ("held", None)
    for hold in (running, doubted):
        stores.ledger.release(hold)


def test_holds_go_page_by_page_by_id(
    operator: Operator, stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    _, secret = make_key()
    taken = [take_hold(secret, 1) for _ in range(5)]
    ids = sorted(hold.id for hold in taken)
    paged = [hold["id"] for hold in operator.every("/admin/holds", limit=2) if hold["id"] in ids]
    assert paged == ids
    for hold in taken:
        stores.ledger.release(hold)


def test_running_hold_is_its_workers_alone(
    operator: Operator, stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, secret = make_key()
    hold = take_hold(secret, 500)
    for verb, body in (("settle", {"cost_usd": "0"}), ("release", None)):
        assert operator.error("POST", f"/admin/holds/{hold.id}/{verb}", body) == (409, "conflict", None)
    assert money(operator, key.id) == ("0.000000000", "0.000000500", "0.000000000")
    assert stores.ledger.release(hold)


@pytest.mark.parametrize("swept", [False, True])
def test_hold_of_a_lost_worker_is_settled_by_hand(
    operator: Operator,
    stores: Stores,
    lost_worker: Stores,
    make_key: MakeKey,
    take_hold: TakeHold,
    swept: bool,
) -> None:
    key, secret = make_key(hard_limit_usd="1")
    hold = take_hold(secret, 500, by=lost_worker)
    if swept:
        sweep(stores.client, stores.ledger, stores.ledger.now_ms())
        assert money(operator, key.id) == ("0.000000000", "0.000000000", "0.000000500")
    settled = operator.do("POST", f"/admin/holds/{hold.id}/settle", {"cost_usd": "0.000000321"})
    assert (settled["state"], settled["cost_usd"]) == ("settled", "0.000000321")
    assert money(operator, key.id) == ("0.000000321", "0.000000000", "0.000000000")
    [row] = operator.get("/admin/ledger", key=key.id)["data"]
    assert row["id"] == settled["row_id"]
    assert (row["usage_source"], row["cost_usd"], row["late"]) == ("operator", "0.000000321", swept)
    assert (row["bound_usd"], row["key_id"], row["model"]) == ("0.000000500", key.id, "gpt-4o-mini")
    again = operator.error("POST", f"/admin/holds/{hold.id}/settle", {"cost_usd": "1"})
    assert again == (404, "not_found", None)
    assert [problem for problem in verify(stores.client) if key.id in problem] == []


def test_hold_in_doubt_is_released_by_hand_without_a_row(
    operator: Operator, stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, secret = make_key()
    hold = take_hold(secret, 500)
    stores.ledger.doubt(hold, "unanswered")
    released = operator.do("POST", f"/admin/holds/{hold.id}/release")
    assert released == {"id": hold.id, "object": "hold", "state": "released"}
    assert money(operator, key.id) == NO_FIELDS
    assert operator.get("/admin/ledger", key=key.id)["data"] == []


def test_cost_above_the_bound_is_booked_as_an_overrun(
    operator: Operator, stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, secret = make_key(hard_limit_usd="0.000000600")
    hold = take_hold(secret, 500)
    stores.ledger.doubt(hold, "unanswered")
    operator.do("POST", f"/admin/holds/{hold.id}/settle", {"cost_usd": "0.000000900"})
    [row] = operator.get("/admin/ledger", key=key.id)["data"]
    assert row["overrun"] is True
    assert operator.get(f"/admin/keys/{key.id}")["remaining_usd"] == "0.000000000"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "cost_usd"),
        ({"cost_usd": None}, "missing_required_parameter", "cost_usd"),
        ({"cost_usd": "-1"}, "invalid_value", "cost_usd"),
        ({"cost_usd": "0.0000000001"}, "invalid_value", "cost_usd"),
        ({"cost_usd": "1", "cost": "2"}, "invalid_value", "cost"),
    ],
)
def test_wrong_cost_is_named(operator: Operator, body: dict[str, object], code: str, param: str) -> None:
    assert operator.error("POST", "/admin/holds/nobodys.0/settle", body) == (400, code, param)


def test_unknown_hold_is_not_found(operator: Operator) -> None:
    assert operator.error("POST", "/admin/holds/nobodys.0/release") == (404, "not_found", None)
