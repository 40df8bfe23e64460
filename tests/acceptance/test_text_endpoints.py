"""Completions, embeddings and moderations in one crowd: the books are the bill, and limits hold."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Caller, Sandbox, Service, at_once, eventually, nano

CALLS = 400
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("completions", {"model": "gpt-3.5-turbo-instruct"}),
    ("completions", {"model": "gpt-3.5-turbo-instruct", "stream": True, "max_tokens": 40}),
    ("completions", {"model": "davinci-002", "n": 3, "echo": True}),
    ("completions", {"model": "babbage-002", "best_of": 5, "suffix": "und so fort"}),
    ("completions", {"model": "babbage-002", "stream": True, "n": 2, "echo": True}),
    ("embeddings", {"model": "text-embedding-3-small", "dimensions": 4}),
    ("embeddings", {"model": "text-embedding-3-large", "dimensions": 4, "encoding_format": "base64"}),
    ("embeddings", {"model": "text-embedding-ada-002", "encoding_format": "float", "dimensions": 2}),
    ("moderations", {}),
]


def prompts(rng: random.Random) -> Any:
    """In any of the four forms."""
    ids = [rng.randrange(50_000) for _ in range(rng.randint(1, 200))]
    texts = [" ".join(rng.choices(["heart", "canción", "時"], k=rng.randint(1, 300))) for _ in range(3)]
    return rng.choice([texts[0], texts, ids, [ids, ids[:1]]])


def ask(caller: Caller, rng: random.Random) -> Callable[[], int]:
    path, fields = rng.choice(KINDS)
    given = "x" if path == "moderations" else prompts(rng)
    body = {("prompt" if path == "completions" else "input"): given, **fields}
    return lambda: caller.post(f"/v1/{path}", body).status


def test_a_mixed_crowd_is_booked_as_it_is_billed(service: Service, sandbox: Sandbox) -> None:
    caller, rng = service.new_key(hard_limit_usd="50"), random.Random(7)
    statuses = Counter(at_once([ask(caller, rng) for _ in range(CALLS)], 30))
    assert statuses == {200: CALLS}
    eventually(lambda: caller.held() == 0)
    assert caller.spent() == sandbox.billed_nano_usd() > 0
    assert caller.in_doubt() == 0
    rows = service.admin("GET", f"/ledger?key={caller.id}&limit=1000")["data"]
    billed = sandbox.bill()["records"]
    assert sorted(nano(row["cost_usd"]) for row in rows) == sorted(nano(each["cost_usd"]) for each in billed)
    assert {row["usage_source"] for row in rows} == {"provider"}
    assert not any(row["overrun"] for row in rows)
    assert {row["endpoint"] for row in rows} == {"completions", "embeddings"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "completions",
            {"model": "davinci-002", "prompt": ["Listen to your"] * 4, "max_tokens": 100, "n": 5},
        ),
        ("embeddings", {"model": "text-embedding-3-large", "input": ["Listen to your heart " * 100] * 8}),
    ],
)
def test_a_burst_stays_within_its_limit(
    service: Service, sandbox: Sandbox, path: str, body: dict[str, Any]
) -> None:
    sandbox.misbehave(tokens=100)
    probe = service.new_key(hard_limit_usd="0")
    refused = probe.post(f"/v1/{path}", body).json()["error"]["details"]
    assert sandbox.bill()["requests_seen"] == 0
    # Room for ten and a half.
    limit = nano(refused["bound_usd"]) * 21 // 2
    caller = service.new_key(hard_limit_usd=f"{limit / 10**9:.9f}")
    answers = at_once([lambda: caller.post(f"/v1/{path}", body)] * 100, 50)
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 429}
    assert statuses[200] >= 10
    details = [answer.json()["error"]["details"] for answer in answers if answer.status == 429]
    assert {each["bound_usd"] for each in details} == {refused["bound_usd"]}
    eventually(lambda: caller.held() == 0)
    assert caller.spent() == sandbox.billed_nano_usd() <= limit
    assert sandbox.bill()["requests_seen"] == statuses[200]
