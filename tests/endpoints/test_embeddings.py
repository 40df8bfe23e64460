"""POST /v1/embeddings between a real caller and the sandbox."""

import json
from typing import Any

import openai
import pytest

from tests.endpoints.conftest import error_of
from tests.harness import Caller, Sandbox, Service, nano

PATH = "/v1/embeddings"
SMALL, LARGE = "text-embedding-3-small", "text-embedding-3-large"
# 0.02 and 0.13 dollars per million tokens.
NANO = {SMALL: 20, LARGE: 130}


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ("Listen to your", 3),
        (["Listen to your", "The End."], 6),
        ([9906, 1917], 2),
        ([[9906], [1917, 11]], 3),
        ("Listen to your heart " * 500, 2_001),
        (["a"] * 2_048, 2_048),
    ],
)
@pytest.mark.parametrize("model", [SMALL, LARGE])
def test_every_token_is_booked_as_it_is_billed(
    service: Service, caller: Caller, sandbox: Sandbox, model: str, given: Any, tokens: int
) -> None:
    answer = caller.post(PATH, {"model": model, "input": given, "dimensions": 2})
    assert answer.status == 200, answer.data
    assert answer.json()["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert caller.spent() == sandbox.billed_nano_usd() == tokens * NANO[model]
    assert nano(answer.headers["x-spendgate-cost-usd"]) == tokens * NANO[model]
    (row,) = service.admin("GET", f"/ledger?key={caller.id}")["data"]
    assert nano(row["bound_usd"]) >= tokens * NANO[model]
    assert (row["endpoint"], row["input_tokens"], row["output_tokens"]) == ("embeddings", tokens, 0)


def test_an_answer_without_usage_is_counted(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(no_usage=1)
    given = ["Listen to your", "The End."] * 100
    assert caller.post(PATH, {"model": SMALL, "input": given, "dimensions": 1}).status == 200
    assert caller.spent() == 600 * 20 * 105 // 100


def test_a_negative_usage_is_none(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(bad_usage=1)
    given = "Listen to your " * 200
    assert caller.post(PATH, {"model": SMALL, "input": given, "dimensions": 1}).status == 200
    assert caller.spent() == -(-sandbox.billed_nano_usd() * 105 // 100)


@pytest.mark.parametrize(
    ("given", "prompts", "counted"),
    [
        # Below 2 kB a byte of the body is a token.
        ("Listen to your", 1, None),
        # Above, each input is counted.
        (["Listen to your"] * 1_000, 1_000, 3_000),
        ([[5] * 100] * 50, 50, 5_000),
        # No input is longer than the window, and all together are no longer than OpenAI takes.
        ([5] * 20_000, 1, 8_192),
        ([[5] * 8_000] * 100, None, 300_000),
    ],
)
def test_a_call_over_the_limit_tells_its_bound_and_is_not_sent(
    service: Service, sandbox: Sandbox, given: Any, prompts: int | None, counted: int | None
) -> None:
    caller = service.new_key(hard_limit_usd="0.000000001")
    body = {"model": SMALL, "input": given}
    answer = caller.post(PATH, body)
    assert answer.status == 429
    tokens = len(json.dumps(body, separators=(",", ":"))) if counted is None else counted
    allowance = 0 if prompts is None else 64 + 4 * prompts
    assert nano(error_of(answer)["details"]["bound_usd"]) == (tokens + allowance) * 20
    assert sandbox.bill()["requests_seen"] == 0


def test_an_unknown_field_is_held_at_the_window_of_each_input(service: Service) -> None:
    caller = service.new_key(hard_limit_usd="0.000000001")
    answer = caller.post(PATH, {"model": SMALL, "input": ["a", "b"], "later": True})
    assert nano(error_of(answer)["details"]["bound_usd"]) == 2 * 8_192 * 20


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [1, -1]}, "input[1]"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": ["a"] * 2_049}, "input"),
        ({"input": None}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"service_tier": {}}, "service_tier"),
        ({"model": "o3-deep-research"}, "model"),
        ({"model": "text-embedding-4"}, "model"),
    ],
)
def test_a_refused_body_is_told_where_and_nothing_is_held_or_sent(
    caller: Caller, sandbox: Sandbox, fields: dict[str, Any], param: str
) -> None:
    answer = caller.post(PATH, {"model": SMALL, "input": "a", **fields})
    assert (answer.status, error_of(answer)["param"]) == (400, param)
    assert (caller.spent(), caller.held()) == (0, 0)
    assert sandbox.bill()["requests_seen"] == 0


def test_the_official_sdk_embeds(service: Service, caller: Caller, sandbox: Sandbox) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret) as sdk:
        packed = sdk.embeddings.create(model=SMALL, input=["Listen to your", "The End."])
        plain = sdk.embeddings.create(model=SMALL, input="The End.", encoding_format="float")
    assert [len(each.embedding) for each in packed.data] == [1_536, 1_536]
    assert packed.data[1].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert caller.spent() == sandbox.billed_nano_usd() == 9 * 20
