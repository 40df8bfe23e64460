"""POST /v1/responses with the official SDK: what is billed is booked, and never above its hold."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import openai
import pytest

from tests.endpoints.conftest import error_of
from tests.harness import Caller, Sandbox, Service, at_once, eventually, nano

PATH = "/v1/responses"
MODEL = "gpt-4o-mini"
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
LOOK = {
    "type": "function",
    "name": "look",
    "strict": True,
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
}
SAY: dict[str, Any] = {"type": "custom", "name": "say", "format": {"type": "text"}}
CALLED = [
    {"role": "user", "content": "Look at the stars"},
    {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABo" * 40},
    {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"at": "the stars"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "Far."}]},
    {"type": "custom_tool_call", "call_id": "call_2", "name": "say", "input": "far"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": "Said."},
]


@pytest.fixture
def sdk(service: Service, caller: Caller) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret, max_retries=0) as client:
        yield client


def last_row(caller: Caller) -> dict[str, Any]:
    rows: list[dict[str, Any]] = caller.service.admin("GET", f"/ledger?key={caller.id}&limit=100")["data"]
    return rows[-1]


def parts(*given: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "input_text", "text": "What is this?"}, *given]}]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"input": "Listen to your"}, id="text"),
        pytest.param({"input": "時は流れて " * 900, "instructions": "Be brief."}, id="long"),
        pytest.param(
            {"input": parts({"type": "input_image", "image_url": PNG, "detail": "low"})}, id="image"
        ),
        pytest.param(
            {"input": parts({"type": "input_file", "file_data": PDF, "filename": "a.pdf"})}, id="file"
        ),
        pytest.param({"input": CALLED, "tools": [LOOK, SAY]}, id="calls and outputs"),
        pytest.param({"input": "x", "tools": [LOOK], "tool_choice": "required"}, id="function"),
        pytest.param(
            {"input": "x", "tools": [SAY], "tool_choice": {"type": "custom", "name": "say"}}, id="custom"
        ),
        pytest.param({"input": "x", "max_output_tokens": 16, "truncation": "auto"}, id="cut short"),
        pytest.param({"input": "x", "text": {"format": {"type": "json_object"}}}, id="JSON"),
        pytest.param({"input": "x", "unknown_to_us": 1}, id="unknown field"),
        pytest.param({"input": "x", "model": "gpt-4.1", "service_tier": "priority"}, id="priority"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_what_is_billed_is_booked_and_was_held(
    caller: Caller, sandbox: Sandbox, fields: dict[str, Any], streamed: bool
) -> None:
    sandbox.misbehave(tokens=50, cached_tokens=3)
    answer = caller.post(PATH, {"model": MODEL, "stream": streamed, **fields})
    assert answer.status == 200, answer.data
    billed = sandbox.billed_nano_usd()
    assert (caller.held(), caller.spent()) == (0, billed)
    row = last_row(caller)
    assert (row["usage_source"], row["overrun"], nano(row["cost_usd"])) == ("provider", False, billed)
    assert 0 < billed <= nano(row["bound_usd"])
    if not streamed:
        assert nano(answer.headers["x-spendgate-cost-usd"]) == billed


def test_the_sdk_reads_what_it_asked_for(sdk: openai.OpenAI, caller: Caller, sandbox: Sandbox) -> None:
    response = sdk.responses.create(model=MODEL, input="Listen to your", temperature=0)
    assert response.status == "completed"
    assert response.output_text
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    call = sdk.responses.create(model=MODEL, input="x", tools=[LOOK], tool_choice="required").output[0]  # type: ignore[list-item]
    assert (call.type, call.name) == ("function_call", "look")
    assert caller.spent() == sandbox.billed_nano_usd()


def test_reasoning_is_part_of_what_is_booked(sdk: openai.OpenAI, caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(reasoning_tokens=100, cached_tokens=4, cache_write_tokens=2)
    response = sdk.responses.create(model="gpt-5.6-sol", input="Listen to your heart")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    row = last_row(caller)
    assert (row["reasoning_tokens"], row["cached_input_tokens"], row["cache_write_tokens"]) == (100, 4, 2)
    assert caller.spent() == sandbox.billed_nano_usd()


def test_cost_follows_the_model_and_tier_that_served(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(model="gpt-4.1-mini", service_tier="priority")
    assert caller.post(PATH, {"model": MODEL, "input": "x"}).status == 200
    row = last_row(caller)
    assert (row["model_served"], row["service_tier"]) == ("gpt-4.1-mini", "priority")
    assert caller.spent() == sandbox.billed_nano_usd()


def test_a_small_text_is_held_at_its_bytes_and_its_cap(caller: Caller) -> None:
    body = {"model": MODEL, "input": "Listen", "max_output_tokens": 20}
    assert caller.post(PATH, body).status == 200
    raw_bytes = len(json.dumps(body, separators=(",", ":")).encode())
    # 64 tokens for whatever is put around it; $0.15 and $0.60 per million.
    assert nano(last_row(caller)["bound_usd"]) == (raw_bytes + 64) * 150 + 20 * 600


def test_input_is_held_at_its_dearest_class(caller: Caller) -> None:
    body = {"model": "gpt-5.6-sol", "input": "Listen", "max_output_tokens": 20}
    assert caller.post(PATH, body).status == 200
    raw_bytes = len(json.dumps(body, separators=(",", ":")).encode())
    # To write it to the cache is $5 per million; output is $20.
    assert nano(last_row(caller)["bound_usd"]) == (raw_bytes + 64) * 5_000 + 20 * 20_000


@pytest.mark.parametrize(
    ("fields", "input_tokens"),
    [
        pytest.param({"input": parts({"type": "input_file", "file_data": PDF})}, 128_000, id="file"),
        pytest.param({"input": "x", "unknown_to_us": 1}, 128_000, id="unknown field"),
        pytest.param(
            {"input": parts({"type": "input_image", "image_url": PNG, "detail": "original"})},
            128_000,
            id="image of any size",
        ),
    ],
)
def test_what_has_no_bound_of_its_own_is_held_at_the_window(
    caller: Caller, fields: dict[str, Any], input_tokens: int
) -> None:
    assert caller.post(PATH, {"model": MODEL, "max_output_tokens": 16, **fields}).status == 200
    cap = 16_384 if "unknown_to_us" in fields else 16
    assert nano(last_row(caller)["bound_usd"]) == input_tokens * 150 + cap * 600


def test_an_image_in_a_tools_output_is_held_as_an_image(caller: Caller) -> None:
    image = {"type": "input_image", "image_url": PNG}
    output = {"type": "function_call_output", "call_id": "call_1", "output": [image]}
    assert caller.post(PATH, {"model": MODEL, "input": [output], "max_output_tokens": 16}).status == 200
    assert nano(last_row(caller)["bound_usd"]) > (2_833 + 8 * 5_667) * 150


def test_encrypted_reasoning_is_held_at_a_byte_a_token(caller: Caller) -> None:
    """It may be denser than any text."""
    encrypted = "abcdefgh" * 1_000
    item = {"type": "reasoning", "summary": [], "encrypted_content": encrypted}
    assert caller.post(PATH, {"model": MODEL, "input": [item], "max_output_tokens": 16}).status == 200
    assert len(encrypted) * 150 <= nano(last_row(caller)["bound_usd"]) < (len(encrypted) + 300) * 150


def test_where_an_eighth_of_the_budget_binds_it_goes_up_as_a_cap(service: Service, sandbox: Sandbox) -> None:
    caller = service.new_key(hard_limit_usd="0.01")
    sandbox.misbehave(tokens=5_000)
    answer = caller.post(PATH, {"model": MODEL, "input": "x"})
    cap = int(answer.headers["x-spendgate-max-output-tokens"])
    assert cap == 10_000_000 // 8 // 600
    assert answer.json()["max_output_tokens"] == cap
    assert answer.json()["incomplete_details"] == {"reason": "max_output_tokens"}
    assert caller.spent() == sandbox.billed_nano_usd()


def test_a_response_that_costs_too_much_is_never_sent(service: Service, sandbox: Sandbox) -> None:
    caller = service.new_key(hard_limit_usd="0.0001")
    answer = caller.post(PATH, {"model": MODEL, "input": "x"})
    assert (answer.status, error_of(answer)["code"]) == (429, "insufficient_quota")
    assert nano(error_of(answer)["details"]["bound_usd"]) > 100_000
    assert sandbox.bill()["requests_seen"] == 0


def test_many_at_once_never_pass_the_limit_and_are_booked_as_billed(
    service: Service, sandbox: Sandbox
) -> None:
    caller = service.new_key(hard_limit_usd="0.002")
    sandbox.misbehave(tokens=200)
    bodies = [
        {"model": MODEL, "input": str(n), "max_output_tokens": 200, "stream": n % 2 == 1} for n in range(60)
    ]
    statuses = {
        answer.status for answer in at_once([partial(caller.post, PATH, body) for body in bodies], 30)
    }
    assert statuses == {200, 429}
    eventually(lambda: caller.held() == 0)
    assert 1_000_000 < caller.spent() == sandbox.billed_nano_usd() <= 2_000_000


def test_a_response_without_usage_is_counted(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(no_usage=1, tokens=40)
    assert caller.post(PATH, {"model": MODEL, "input": "Listen to your"}).json()["usage"] is None
    assert last_row(caller)["usage_source"] == "counted"
    billed = sandbox.billed_nano_usd()
    assert billed <= caller.spent() <= billed * 110 // 100


def test_a_reasoning_response_without_usage_is_booked_at_its_hold(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(bad_usage=1)
    body = {"model": "gpt-5-mini", "input": "x", "max_output_tokens": 500}
    assert caller.post(PATH, body).status == 200
    row = last_row(caller)
    assert (row["usage_source"], row["cost_usd"]) == ("counted", row["bound_usd"])


def test_an_error_of_the_upstream_comes_as_it_is_and_costs_nothing(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(status=500)
    answer = caller.post(PATH, {"model": MODEL, "input": "x"})
    assert (answer.status, answer.headers["x-spendgate-error-source"]) == (500, "upstream")
    assert (caller.spent(), caller.held(), caller.in_doubt()) == (0, 0, 0)


def test_input_tokens_are_counted_for_nothing(sdk: openai.OpenAI, caller: Caller, sandbox: Sandbox) -> None:
    counted = sdk.responses.input_tokens.count(model=MODEL, input="Listen to your")
    response = sdk.responses.create(model=MODEL, input="Listen to your", store=False)
    assert response.usage is not None
    assert counted.input_tokens == response.usage.input_tokens
    assert sandbox.bill()["count"] == 1
    assert caller.spent() == sandbox.billed_nano_usd()


def test_counting_is_for_good_keys_and_their_models(service: Service) -> None:
    caller = service.new_key(models=["gpt-4o*"])
    path = f"{PATH}/input_tokens"
    assert caller.post(path, {"model": MODEL, "input": "x"}).json()["object"] == "response.input_tokens"
    assert error_of(caller.post(path, {"model": "o3", "input": "x"}))["code"] == "model_not_allowed"
    service.admin("DELETE", f"/keys/{caller.id}")
    assert caller.post(path, {"model": MODEL, "input": "x"}).status == 401


def test_a_quote_is_what_the_call_then_holds(caller: Caller) -> None:
    body = {"model": MODEL, "input": "Listen to your", "max_output_tokens": 50}
    quote = caller.post("/v1/quote/responses", body).json()
    assert (quote["admitted"], quote["max_output_tokens"]) == (True, 50)
    assert caller.post(PATH, body).status == 200
    assert last_row(caller)["bound_usd"] == quote["max_cost_usd"]
