"""`spendgate usage`, `ledger` and `holds`."""

import csv
import io
import json

from service.ledger import names
from service.ledger.rows import COLUMNS
from service.wiring import Stores
from tests.cli.conftest import Run
from tests.conftest import MakeKey, Spend, TakeHold


def test_usage_reports_what_was_booked(run: Run, make_key: MakeKey, spend: Spend) -> None:
    key, secret = make_key()
    spend(secret, 48_300, counts={"input_tokens": 12})
    report = run("usage", "--group-by", "key", "--json").json
    [mine] = [row for row in report if row["groups"] == {"key": key.id}]
    assert (mine["requests"], mine["input_tokens"], mine["cost_usd"]) == (1, 12, "0.000048300")
    table = run("usage", "--group-by", "key,model").stdout
    [line] = [line for line in table.splitlines() if key.id in line]
    assert line.split()[2:] == [key.id, "gpt-4o-mini", "1", "12", "0", "0.000048300"]


def test_wrong_span_of_usage_is_one_line(run: Run) -> None:
    ran = run("usage", "--from", "yesterday", status=1)
    assert ran.stderr.startswith("Error: Invalid value for 'from'")
    assert len(ran.stderr.splitlines()) == 1


def test_export_prints_each_row_once(run: Run, make_key: MakeKey, spend: Spend) -> None:
    key, secret = make_key()
    written = [spend(secret, n) for n in (1, 2, 3)]
    lines = run("ledger", "export", "--key", key.id).stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == written
    by_name = run("ledger", "export", "--key", key.record["name"], "--format", "csv").stdout
    table = list(csv.DictReader(io.StringIO(by_name)))
    assert [row["cost_usd"] for row in table] == ["0.000000001", "0.000000002", "0.000000003"]
    assert tuple(table[0]) == COLUMNS
    assert set(run("ledger", "export").stdout.splitlines()) >= set(lines)


def test_right_books_verify_in_one_line(run: Run, make_key: MakeKey, spend: Spend) -> None:
    _, secret = make_key()
    spend(secret, 48_300)
    assert run("ledger", "verify").stdout == "The books are right.\n"
    assert run("ledger", "verify", "--json").json == {"ok": True, "problems": []}


def test_one_nano_dollar_too_many_fails_the_books(
    run: Run, stores: Stores, make_key: MakeKey, spend: Spend
) -> None:
    key, secret = make_key()
    spend(secret, 48_300)
    record, counter = names.key(key.shard, key.id), f"spent:{key.period.name}"
    stores.client.hincrby(record, counter, 1)
    try:
        lines = run("ledger", "verify", status=1).stdout.splitlines()
        assert run("ledger", "verify", "--json", status=1).json == {"ok": False, "problems": lines}
    finally:
        stores.client.hincrby(record, counter, -1)
    assert f"key:{key.id} {counter} is 48301, the books say 48300: off by 1" in lines
    assert all(key.id in line for line in lines)


def test_holds_in_doubt_are_listed_settled_and_released(
    run: Run, stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, secret = make_key()
    first, second = take_hold(secret, 500), take_hold(secret, 70)
    for hold in (first, second):
        stores.ledger.doubt(hold, "unanswered")
    mine = [hold for hold in run("holds", "list", "--json").json if hold["key_id"] == key.id]
    assert {hold["bound_usd"] for hold in mine} == {"0.000000500", "0.000000070"}
    assert first.id in run("holds", "list").stdout
    settled = run("holds", "settle", first.id, "--cost-usd", "0.0000003", "--json").json
    assert (settled["state"], settled["cost_usd"]) == ("settled", "0.000000300")
    assert run("holds", "release", second.id).stdout == f"{second.id} is released.\n"
    balance = stores.keys.get(key.id).balance
    assert (balance.spent, balance.held, balance.doubt) == (300, 0, 0)
    [row] = map(json.loads, run("ledger", "export", "--key", key.id).stdout.splitlines())
    assert (row["id"], row["usage_source"]) == (settled["row_id"], "operator")


def test_running_hold_is_left_to_its_worker(
    run: Run, stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    _, secret = make_key()
    hold = take_hold(secret, 500)
    assert "still running" in run("holds", "settle", hold.id, "--cost-usd", "1", status=1).stderr
    assert "still running" in run("holds", "release", hold.id, status=1).stderr
    assert stores.ledger.release(hold)
    assert "no open hold" in run("holds", "release", hold.id, status=1).stderr
    assert "'cost_usd'" in run("holds", "settle", hold.id, "--cost-usd", "1e3", status=1).stderr
