"""/admin/usage and /admin/ledger: what was booked is what is reported, in every format."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.ledger.rows import COLUMNS, TOKEN_CLASSES, row_place
from tests.admin.conftest import Operator
from tests.conftest import MakeKey, Spend

HOUR_US = 3_600_000_000
COUNTS = {"input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 3}


def hour_us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def of_key(rows: list[Any], key_id: str) -> list[Any]:
    return [row for row in rows if row["groups"]["key"] == key_id]


def lines_of(operator: Operator, path: str, form: str, **fields: str) -> list[str]:
    response = operator.request("GET", path, fields={**fields, "format": form})
    assert response.status == 200
    expected = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}[form]
    assert response.headers["Content-Type"] == expected
    return response.data.decode().splitlines()


def test_usage_adds_up_by_bucket_and_group(
    operator: Operator, make_key: MakeKey, spend: Spend, project: str
) -> None:
    key, secret = make_key(period="total")
    at = hour_us("2026-03-31T22:30:00Z")
    spend(secret, 100, counts=COUNTS, now_us=at)
    spend(secret, 20, counts=COUNTS, now_us=at + HOUR_US)
    spend(secret, 3, counts=COUNTS, now_us=at + 2 * HOUR_US, model="o4-mini", endpoint="responses")
    span = {"from": "2026-03-31", "to": "2026-04-02", "group_by": "key"}
    by_day = of_key(operator.get("/admin/usage", **span)["data"], key.id)
    assert by_day[0] == {
        "object": "usage",
        "start": "2026-03-31T00:00:00Z",
        "end": "2026-04-01T00:00:00Z",
        "groups": {"key": key.id},
        "requests": 2,
        "input_tokens": 20,
        "cached_input_tokens": 8,
        "cache_write_tokens": 0,
        "audio_input_tokens": 0,
        "output_tokens": 6,
        "reasoning_tokens": 0,
        "audio_output_tokens": 0,
        "image_input_tokens": 0,
        "image_output_tokens": 0,
        "seconds": 0,
        "characters": 0,
        "cost_usd": "0.000000120",
    }
    assert [(row["start"], row["cost_usd"]) for row in by_day[1:]] == [
        ("2026-04-01T00:00:00Z", "0.000000003")
    ]
    by_hour = of_key(operator.get("/admin/usage", bucket="hour", **span)["data"], key.id)
    assert [(row["start"][11:16], row["end"][11:16], row["requests"]) for row in by_hour] == [
        *[("22:00", "23:00", 1), ("23:00", "00:00", 1)],
        ("00:00", "01:00", 1),
    ]
    by_all = of_key(
        operator.get("/admin/usage", **{**span, "group_by": "key,model,endpoint,project", "bucket": "month"})[
            "data"
        ],
        key.id,
    )
    assert [(row["start"], row["groups"], row["cost_usd"]) for row in by_all] == [
        (
            "2026-03-01T00:00:00Z",
            {"key": key.id, "model": "gpt-4o-mini", "endpoint": "chat.completions", "project": project},
            "0.000000120",
        ),
        (
            "2026-04-01T00:00:00Z",
            {"key": key.id, "model": "o4-mini", "endpoint": "responses", "project": project},
            "0.000000003",
        ),
    ]


def test_span_is_widened_to_whole_buckets_and_its_end_is_exclusive(
    operator: Operator, make_key: MakeKey, spend: Spend
) -> None:
    key, secret = make_key(period="total")
    for hour in (0, 12, 23, 24):
        spend(secret, 1, now_us=hour_us("2026-02-01T00:00:00Z") + hour * HOUR_US)

    def calls(start: str, end: str, bucket: str) -> int:
        report = operator.get("/admin/usage", **{"from": start, "to": end}, bucket=bucket, group_by="key")
        return sum(row["requests"] for row in of_key(report["data"], key.id))

    assert calls("2026-02-01T12:59:00Z", "2026-02-01T13:00:00Z", "hour") == 1
    assert calls("2026-02-01T13:00:00Z", "2026-02-01T23:00:00Z", "hour") == 0
    assert calls("2026-02-01T13:00:00Z", "2026-02-01T23:00:00.5Z", "hour") == 1
    assert calls("2026-02-01T13:00:00Z", "2026-02-01T14:00:00Z", "day") == 3
    assert calls("2026-02-01", "2026-02-02", "day") == 3
    assert calls("2026-01-15", "2026-02-10", "month") == 4


def test_usage_of_now_is_in_the_default_span(operator: Operator, make_key: MakeKey, spend: Spend) -> None:
    key, secret = make_key()
    spend(secret, 48_300)
    [row] = of_key(operator.get("/admin/usage", group_by="key")["data"], key.id)
    assert (row["cost_usd"], row["requests"]) == ("0.000048300", 1)
    total = operator.get("/admin/usage", **{"from": datetime.now(UTC).date().isoformat()})["data"]
    assert total[-1]["groups"] == {}
    assert float(total[-1]["cost_usd"]) >= 0.0000483


def test_usage_as_csv_and_jsonl_says_the_same(operator: Operator, make_key: MakeKey, spend: Spend) -> None:
    key, secret = make_key()
    spend(secret, 5, counts=COUNTS)
    lines = lines_of(operator, "/admin/usage", "csv", group_by="key,model")
    table = list(csv.DictReader(io.StringIO("\n".join(lines))))
    [in_csv] = [row for row in table if row["key"] == key.id]
    assert list(in_csv)[:5] == ["start", "end", "key", "model", "requests"]
    rows = map(json.loads, lines_of(operator, "/admin/usage", "jsonl", group_by="key,model"))
    [in_jsonl] = [row for row in rows if row["key"] == key.id]
    assert {name: str(value) for name, value in in_jsonl.items()} == in_csv
    assert (in_csv["cost_usd"], in_csv["cached_input_tokens"]) == ("0.000000005", "4")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"bucket": "week"}, "bucket"),
        ({"group_by": "user"}, "group_by"),
        ({"group_by": "key,key"}, "group_by"),
        ({"group_by": "key,"}, "group_by"),
        ({"format": "xml"}, "format"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-22T18:00:00"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"from": "2026-11-02", "to": "2026-11-02"}, "from"),
        ({"from": "2026-01-01", "to": "2026-11-02", "bucket": "hour"}, "from"),
    ],
)
def test_wrong_parameter_of_usage_is_named(operator: Operator, fields: dict[str, str], param: str) -> None:
    assert operator.error("GET", "/admin/usage", fields=fields) == (400, "invalid_value", param)


# The ledger


def test_row_shows_what_was_booked(operator: Operator, make_key: MakeKey, spend: Spend, project: str) -> None:
    key, secret = make_key()
    row_id = spend(secret, 48_300, counts=COUNTS)
    [row] = operator.get("/admin/ledger", key=key.id)["data"]
    assert tuple(row) == COLUMNS
    at = row.pop("at")
    assert abs(datetime.fromisoformat(at) - datetime.now(UTC)) < timedelta(minutes=1)
    assert row == {
        **dict.fromkeys(COLUMNS[2:]),
        **dict.fromkeys(TOKEN_CLASSES, 0),
        "id": row_id,
        "request_id": "sgr_test",
        "key_id": key.id,
        "project": project,
        "endpoint": "chat.completions",
        "model": "gpt-4o-mini",
        "status": 200,
        **COUNTS,
        "cost_usd": "0.000048300",
        "bound_usd": "0.000048300",
        "usage_source": "provider",
        "overrun": False,
        "late": False,
    }


def test_rows_of_all_shards_are_paged_in_the_order_they_were_written(
    operator: Operator, make_key: MakeKey, spend: Spend, project: str
) -> None:
    secrets_ = [make_key(project=f"{project}-{n}")[1] for n in range(8)]
    assert len({secret[6] for secret in secrets_}) > 1
    written = [spend(secrets_[n % 8], n + 1, model=f"m-{project}") for n in range(24)]
    # Nobody can tell the order of rows that two shards wrote in the same millisecond.
    written.sort(key=row_place)
    paged = operator.every("/admin/ledger", model=f"m-{project}", limit=5)
    assert [row["id"] for row in paged] == written
    assert sorted(row["cost_usd"] for row in paged) == [f"0.0000000{n:02d}" for n in range(1, 25)]
    after = operator.get("/admin/ledger", model=f"m-{project}", after=written[9], limit=3)
    assert [row["id"] for row in after["data"]] == written[10:13]


def test_rows_are_chosen_by_key_model_and_time(operator: Operator, make_key: MakeKey, spend: Spend) -> None:
    key, secret = make_key()
    _, other = make_key()
    mine = [spend(secret, 1), spend(secret, 2, model="o4-mini")]
    spend(other, 3)
    assert [row["id"] for row in operator.every("/admin/ledger", key=key.id)] == mine
    assert [row["id"] for row in operator.every("/admin/ledger", key=key.id, model="o4-mini")] == mine[1:]
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    assert operator.every("/admin/ledger", key=key.id, **{"from": soon}) == []
    today = datetime.now(UTC).date() - timedelta(days=1)
    assert len(operator.every("/admin/ledger", key=key.id, **{"from": today.isoformat()})) == 2


def test_ledger_as_csv_and_jsonl_has_every_row(operator: Operator, make_key: MakeKey, spend: Spend) -> None:
    key, secret = make_key()
    written = [spend(secret, n, model='=cmd("x")') for n in range(1, 31)]
    rows = [json.loads(line) for line in lines_of(operator, "/admin/ledger", "jsonl", key=key.id)]
    assert [row["id"] for row in rows] == written
    lines = lines_of(operator, "/admin/ledger", "csv", key=key.id)
    table = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert tuple(table[0]) == COLUMNS
    assert [row["id"] for row in table] == written
    assert (table[0]["model"], table[0]["ttft_ms"], table[0]["late"]) == ('\'=cmd("x")', "", "false")
    assert len(lines_of(operator, "/admin/ledger", "jsonl", key=key.id, limit="4")) == 4


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"after": "row_"}, "after"),
        ({"after": "row_g1-0", "format": "csv"}, "after"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "0", "format": "csv"}, "limit"),
        ({"from": "now"}, "from"),
        ({"format": "yaml"}, "format"),
    ],
)
def test_wrong_parameter_of_the_ledger_is_named(
    operator: Operator, fields: dict[str, str], param: str
) -> None:
    assert operator.error("GET", "/admin/ledger", fields=fields) == (400, "invalid_value", param)


def test_rows_of_an_unknown_key_are_not_found(operator: Operator) -> None:
    error = operator.error("GET", "/admin/ledger", fields={"key": "key_0nobody"})
    assert error == (404, "not_found", None)
