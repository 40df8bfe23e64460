"""The bodies of continuations and of token counts."""

from typing import Any

import pytest

from service.errors import InvalidRequest
from service.schemas.check import check
from service.schemas.continuation import CONTINUATION
from service.schemas.shape import Shape
from service.schemas.tokens import TOKENS

LYRICS = {
    "model": "gpt-4o-mini",
    "system": "I complete lyrics.",
    "examples": [{"user": "in the wake of your smile", "assistant": "I get a notion"}],
    "prompt": "Listen to your",
    "rounds": 4,
    "max_tokens": 15,
    "temperature": 0,
}


def refusal(schema: Shape, given: dict[str, Any]) -> tuple[str | None, str]:
    with pytest.raises(InvalidRequest) as raised:
        check(schema, given)
    return raised.value.param, raised.value.code


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"rounds": None, "n": 5},
        {"rounds": 1, "n": 5},
        {"rounds": 32, "pause_ms": 60_000, "follow_up": "Go on", "stream": True},
        {"model": None, "preset": "roxette"},
        {"store": False, "messages": None, "stream_options": None},
        {"store": True, "examples": '{"messages": []}'},
        {"model": None, "system": None, "examples": None, "previous_continuation_id": "cont_1"},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "examples": []},
    ],
)
def test_continuation_passes(extra: dict[str, Any]) -> None:
    check(CONTINUATION, LYRICS | extra)


@pytest.mark.parametrize(
    ("extra", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": ["Listen"]}, "prompt", "invalid_type"),
        ({"rounds": 0}, "rounds", "invalid_value"),
        ({"rounds": 33}, "rounds", "invalid_value"),
        ({"pause_ms": 60_001}, "pause_ms", "invalid_value"),
        ({"examples": [{"user": "a"}]}, "examples[0].assistant", "missing_required_parameter"),
        ({"examples": [{"user": "a", "assistant": 5}]}, "examples[0].assistant", "invalid_type"),
        ({"examples": [LYRICS["examples"][0]] * 257}, "examples", "invalid_value"),  # type: ignore[index]
        ({"n": 2}, "n", "invalid_parameter_combination"),
        ({"max_completion_tokens": 5}, "max_tokens", "invalid_parameter_combination"),
        ({"messages": []}, "messages", "unsupported_value"),
        ({"stream_options": {}}, "stream_options", "unsupported_value"),
        ({"store": "yes"}, "store", "invalid_type"),
        ({"previous_continuation_id": "cont_1"}, "system", "invalid_parameter_combination"),
        ({"previous_continuation_id": ""}, "previous_continuation_id", "invalid_value"),
        ({"model": "gpt-4o-search-preview"}, "model", "unsupported_value"),
        ({"web_search_options": {}}, "web_search_options", "unsupported_value"),
        ({"temperature": 3}, "temperature", "invalid_value"),
    ],
)
def test_wrong_continuation_is_refused(extra: dict[str, Any], param: str, code: str) -> None:
    assert refusal(CONTINUATION, LYRICS | extra) == (param, code)


@pytest.mark.parametrize("given", [{"input": ""}, {"messages": [{"role": "user", "content": "Hi"}]}])
def test_tokens_of_a_text_or_of_messages_are_counted(given: dict[str, Any]) -> None:
    check(TOKENS, {"model": "gpt-4o"} | given)


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"input": "a"}, "model", "missing_required_parameter"),
        ({"model": "m"}, "input", "missing_required_parameter"),
        ({"model": "m", "input": ["a"]}, "input", "invalid_type"),
        (
            {"model": "m", "input": "a", "messages": [{"role": "user", "content": "b"}]},
            "messages",
            "invalid_parameter_combination",
        ),
        ({"model": "m", "messages": [{"role": "x"}]}, "messages[0].role", "invalid_value"),
    ],
)
def test_wrong_token_count_is_refused(given: dict[str, Any], param: str, code: str) -> None:
    assert refusal(TOKENS, given) == (param, code)
