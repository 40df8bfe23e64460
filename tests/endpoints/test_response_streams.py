"""Streamed responses: OpenAI's own events in their order, and the books right however the stream ends."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.endpoints.test_responses import LOOK, MODEL, PATH, SAY, last_row
from tests.harness import Caller, Sandbox, Service, eventually

ADDED, DONE = "output_item.added", "output_item.done"
PARTS = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
WRITTEN = {
    "message": [ADDED, *PARTS, DONE],
    "function": [ADDED, "function_call_arguments.delta", "function_call_arguments.done", DONE],
    "custom": [ADDED, "custom_tool_call_input.delta", "custom_tool_call_input.done", DONE],
}


@pytest.fixture
def sdk(service: Service, caller: Caller) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret, max_retries=0) as client:
        yield client


def events(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each is named as its data's type."""
    found = []
    for frame in body.decode().removesuffix("\n\n").split("\n\n"):
        name, data = frame.split("\n")[-2:]
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def without_repeats(kinds: list[str]) -> list[str]:
    return [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]


def streamed(caller: Caller, **fields: Any) -> list[dict[str, Any]]:
    answer = caller.post(PATH, {"model": MODEL, "input": "Listen to your", "stream": True, **fields})
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.data
    return events(answer.data)


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        ("message", {}),
        ("function", {"tools": [LOOK], "tool_choice": "required"}),
        ("custom", {"tools": [SAY], "tool_choice": "required"}),
    ],
)
def test_events_come_in_openais_order(caller: Caller, written: str, fields: dict[str, Any]) -> None:
    told = streamed(caller, **fields)
    kinds = ["created", "in_progress", *WRITTEN[written], "completed"]
    assert without_repeats([event["type"] for event in told]) == [f"response.{kind}" for kind in kinds]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))


def test_the_sdk_puts_a_stream_together(sdk: openai.OpenAI, caller: Caller, sandbox: Sandbox) -> None:
    with sdk.responses.stream(model=MODEL, input="Listen to your") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text != ""
    assert caller.spent() == sandbox.billed_nano_usd() > 0


def test_it_is_booked_before_the_last_event_goes_out(
    sdk: openai.OpenAI, caller: Caller, sandbox: Sandbox
) -> None:
    for event in sdk.responses.create(model=MODEL, input="Listen to your", stream=True):
        if event.type == "response.completed":
            assert (caller.held(), caller.spent()) == (0, sandbox.billed_nano_usd())
            return
    pytest.fail("it never completed")


def test_its_cost_is_told_in_front_of_the_last_event(caller: Caller) -> None:
    body = {"model": MODEL, "input": "x", "stream": True}
    told = caller.post(PATH, body, headers={"x-spendgate-stream-cost": "true"}).data.decode()
    comment, name, _ = told.removesuffix("\n\n").split("\n\n")[-1].split("\n")
    assert comment.startswith(f": spendgate cost_usd={last_row(caller)['cost_usd']} remaining_usd=")
    assert name == "event: response.completed"


@pytest.mark.parametrize(
    ("finish_reason", "last"),
    [
        ("length", "response.incomplete"),
        ("content_filter", "response.incomplete"),
        ("failed", "response.failed"),
    ],
)
def test_usage_counts_however_a_response_ends(
    caller: Caller, sandbox: Sandbox, finish_reason: str, last: str
) -> None:
    sandbox.misbehave(finish_reason=finish_reason)
    assert streamed(caller)[-1]["type"] == last
    assert last_row(caller)["usage_source"] == "provider"
    assert caller.spent() == sandbox.billed_nano_usd()


def test_a_reasoning_stream_is_booked_with_its_reasoning(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(reasoning_tokens=70)
    assert [item["type"] for item in streamed(caller, model="o4-mini")[-1]["response"]["output"]] == [
        "reasoning",
        "message",
    ]
    assert last_row(caller)["reasoning_tokens"] == 70
    assert caller.spent() == sandbox.billed_nano_usd()


def test_a_stream_that_breaks_says_so_and_is_counted(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(cut_after=20, tokens=40)
    told = streamed(caller)
    assert (told[-1]["type"], told[-1]["code"]) == ("error", "upstream_stream_cut")
    assert "response.completed" not in {event["type"] for event in told}
    row = last_row(caller)
    assert (row["usage_source"], row["output_tokens"]) == ("counted", 20)
    billed = sandbox.billed_nano_usd()
    assert billed <= caller.spent() <= billed * 110 // 100
    assert (caller.held(), caller.in_doubt()) == (0, 0)


def test_the_sdk_raises_for_a_stream_that_breaks(sdk: openai.OpenAI, sandbox: Sandbox) -> None:
    sandbox.misbehave(cut_after=3)
    with pytest.raises(openai.APIError) as broken:
        list(sdk.responses.create(model=MODEL, input="x", stream=True))
    assert broken.value.code == "upstream_stream_cut"


def test_a_broken_reasoning_stream_is_in_doubt(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(cut_after=3)
    assert streamed(caller, model="o4-mini", max_output_tokens=500)[-1]["type"] == "error"
    eventually(lambda: caller.in_doubt() > 0)
    assert caller.spent() == 0


def hang_up(sdk: openai.OpenAI, model: str) -> None:
    """Read a little of a long response, then go."""
    stream = sdk.responses.create(model=model, input="Listen to your", max_output_tokens=2_000, stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            stream.close()
            return


def test_after_a_hang_up_the_upstream_is_closed_and_what_came_is_charged(
    sdk: openai.OpenAI, caller: Caller, sandbox: Sandbox
) -> None:
    sandbox.misbehave(tokens=2_000, token_delay_ms=10)
    hang_up(sdk, MODEL)
    eventually(lambda: caller.held() == 0 and sandbox.bill()["count"] == 1)
    billed = sandbox.bill()["records"][0]
    assert billed["hung_up"]
    assert billed["usage"]["completion_tokens"] < 1_000
    assert sandbox.billed_nano_usd() * 90 // 100 <= caller.spent() <= sandbox.billed_nano_usd() * 120 // 100


def test_after_a_hang_up_a_reasoning_model_is_read_to_its_end(
    sdk: openai.OpenAI, caller: Caller, sandbox: Sandbox
) -> None:
    sandbox.misbehave(tokens=60, token_delay_ms=5, reasoning_tokens=9)
    hang_up(sdk, "o4-mini")
    eventually(lambda: caller.held() == 0 and sandbox.bill()["count"] == 1)
    eventually(lambda: caller.spent() == sandbox.billed_nano_usd())
    assert last_row(caller)["usage_source"] == "provider"


def test_a_stream_past_its_cap_is_cut(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(tokens=3_000, ignore_cap=1, token_delay_ms=1)
    told = streamed(caller, max_output_tokens=50)
    assert told[-1]["code"] == "upstream_stream_cut"
    assert 50 < last_row(caller)["output_tokens"] < 1_000
