"""The sandbox's own bill: literal prices, exact totals, and what a hang-up costs."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from service.upstream.sandbox.bill import cost_usd
from tests.sandbox.conftest import Sandbox


def usage(prompt: int, completion: int, cached: int = 0, written: int = 0) -> dict[str, Any]:
    details = {"cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": 0}
    return {"prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": details}


@pytest.mark.parametrize(
    ("model", "tier", "used", "cost"),
    [
        ("gpt-4o-mini", "default", usage(1000, 100), "0.000210000"),
        ("gpt-4o-mini", "default", usage(1000, 100, cached=400), "0.000180000"),
        ("gpt-4o-mini", "default", usage(1, 0), "0.000000150"),
        # 7.5e-8 dollars a cached token.
        ("gpt-4o-mini", "default", usage(1, 0, cached=1), "0.000000075"),
        ("gpt-5-nano", "default", usage(3, 1, cached=1), "0.000000505"),
        # Half of 2.5e-9 dollars a cached token: rounded up, once.
        ("gpt-5-nano", "flex", usage(1, 0, cached=1), "0.000000003"),
        ("gpt-5", "flex", usage(1000, 100), "0.001125000"),
        ("gpt-5", "priority", usage(1000, 100), "0.004500000"),
    ],
)
def test_cost_is_the_list_price_rounded_up(model: str, tier: str, used: dict[str, Any], cost: str) -> None:
    assert f"{cost_usd(model, tier, used):.9f}" == cost


def test_record_says_whose_it_is_and_what_for(sandbox: Sandbox) -> None:
    answer = sandbox.answer(sandbox_tokens=10, headers={"X-Client-Request-Id": "mine-1"})
    (record,) = sandbox.bill()["records"]
    assert record == {
        "id": answer["id"],
        "client_request_id": "mine-1",
        "model": "gpt-4o-mini",
        "endpoint": "/v1/chat/completions",
        "service_tier": "default",
        "usage": answer["usage"],
        # 10 tokens in at 0.15 dollars and 10 out at 0.60, per million.
        "cost_usd": "0.000007500",
    }


def test_total_is_the_sum_of_the_records_after_a_crowd(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(16) as crowd:
        list(
            crowd.map(
                lambda n: sandbox.answer(f"prompt {n}", model=("gpt-4o", "gpt-5-nano")[n % 2]), range(60)
            )
        )
        list(crowd.map(lambda n: sandbox.events(f"prompt {n}"), range(20)))
    bill = sandbox.bill()
    assert (bill["count"], bill["requests_seen"], len(bill["records"])) == (80, 80, 80)
    assert Decimal(bill["total_usd"]) == sum(Decimal(record["cost_usd"]) for record in bill["records"]) > 0
    assert len({record["id"] for record in bill["records"]}) == 80


def test_model_without_a_price_has_no_cost(sandbox: Sandbox) -> None:
    sandbox.answer(model="gemma-3-270m")
    bill = sandbox.bill()
    assert (bill["records"][0]["cost_usd"], bill["total_usd"]) == (None, "0.000000000")


def test_unpriced_name_of_the_served_model_is_billed_as_the_one_asked_for(sandbox: Sandbox) -> None:
    sandbox.answer(sandbox_tokens=10, sandbox_model="my-deployment")
    (record,) = sandbox.bill()["records"]
    assert (record["model"], record["cost_usd"]) == ("my-deployment", "0.000007500")


def test_stream_is_on_the_bill_when_its_last_event_arrives(sandbox: Sandbox) -> None:
    for _ in range(10):
        last = sandbox.events(stream_options={"include_usage": True})[-1]
        assert sandbox.bill()["records"][-1]["usage"] == last["usage"]


def test_hung_up_stream_is_billed_for_what_was_written(sandbox: Sandbox) -> None:
    response = sandbox.chat(
        stream=True,
        sandbox_tokens=1000,
        sandbox_token_delay_ms=10,
        sandbox_reasoning_tokens=7,
        preload_content=False,
    )
    seen = 0
    for data in response.stream():
        seen += data.count(b'"content":') - data.count(b'"content":""')
        if seen >= 5:
            break
    # release_conn would wait for the rest: a client that hangs up closes the socket.
    response.close()
    record = wait_for_record(sandbox)
    completion = record["usage"]["completion_tokens"] - 7
    assert seen <= completion <= seen + 20
    assert record["hung_up"] is True
    assert Decimal(record["cost_usd"]) == Decimal(10 * 15 + (completion + 7) * 60).scaleb(-8)


def test_client_that_leaves_without_reading_is_noticed(sandbox: Sandbox) -> None:
    port = int(sandbox.base_url.split(":")[2].removesuffix("/v1"))
    body = (
        b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}],'
        b'"metadata":{"sandbox_tokens":"500","sandbox_token_delay_ms":"20"}}'
    )
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(head + body)
        client.recv(100)
    record = wait_for_record(sandbox)
    assert record["hung_up"] is True
    assert record["usage"]["completion_tokens"] < 20


def test_cleared_bill_is_empty(sandbox: Sandbox) -> None:
    sandbox.answer()
    sandbox.request("DELETE", "/sandbox/bill")
    empty = {"object": "bill", "count": 0, "total_usd": "0.000000000", "requests_seen": 0, "records": []}
    assert sandbox.bill() == empty


def wait_for_record(sandbox: Sandbox) -> Any:
    """The first record on the bill. A hang-up is found at the next write, which no client can see."""
    deadline = time.monotonic() + 5
    while not (records := sandbox.bill()["records"]):
        assert time.monotonic() < deadline, "the hang-up was not noticed"
    return records[0]
