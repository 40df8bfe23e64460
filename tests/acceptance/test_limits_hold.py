"""The promise under load: a burst through one key never passes its limit, and most of it is usable."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.harness import Sandbox, Service, at_once, eventually

CALLS = 300
LIMIT_NANO_USD = 10_000_000  # $0.01


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"knobs": {"tokens": 1000}}, id="plain"),
        pytest.param({"max_tokens": 1000, "knobs": {"tokens": 1000}}, id="capped"),
        pytest.param({"stream": True, "knobs": {"tokens": 1000}}, id="streamed"),
        pytest.param({"n": 10, "max_tokens": 100, "knobs": {"tokens": 1000}}, id="ten choices"),
    ],
)
def test_three_hundred_parallel_calls_stay_within_a_cent(
    service: Service, sandbox: Sandbox, fields: dict[str, Any]
) -> None:
    caller = service.new_key(hard_limit_usd="0.01")
    answers = at_once([lambda: caller.chat(**fields)] * CALLS, CALLS)
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 429}
    eventually(lambda: caller.held() == 0)
    billed = sandbox.billed_nano_usd()
    assert LIMIT_NANO_USD // 4 <= billed <= LIMIT_NANO_USD
    assert caller.spent() == billed
    assert caller.in_doubt() == 0
    refused = {json.loads(a.data)["error"]["code"] for a in answers if a.status == 429}
    assert refused <= {"budget_in_flight", "insufficient_quota"}


def test_refused_calls_never_reach_the_upstream(service: Service, sandbox: Sandbox) -> None:
    caller = service.new_key(hard_limit_usd="0.000001")
    answers = at_once([lambda: caller.chat(max_tokens=10)] * 20, 20)
    assert {answer.status for answer in answers} == {429}
    assert sandbox.bill()["requests_seen"] == 0


def test_revocation_holds_from_the_next_request_on_every_worker(service: Service, sandbox: Sandbox) -> None:
    caller = service.new_key()
    assert {a.status for a in at_once([lambda: caller.chat(max_tokens=1)] * 20, 10)} == {200}
    service.admin("DELETE", f"/keys/{caller.id}")
    answers = at_once([lambda: caller.chat(max_tokens=1)] * 20, 10)
    assert {json.loads(answer.data)["error"]["code"] for answer in answers} == {"key_revoked"}
    assert sandbox.bill()["count"] == 20


def test_a_lowered_limit_holds_from_the_next_request(service: Service) -> None:
    caller = service.new_key(hard_limit_usd="1")
    assert caller.chat(max_tokens=5).status == 200
    spent = caller.spent()
    service.admin("PATCH", f"/keys/{caller.id}", {"hard_limit_usd": "0"})
    assert {a.status for a in at_once([lambda: caller.chat(max_tokens=5)] * 10, 10)} == {429}
    assert caller.spent() == spent
