"""The chat body: what OpenAI documents passes, what has no bound is refused, the rest is told precisely."""

import ast
import copy
import inspect
from typing import Any

import pytest
from openai.types.chat import completion_create_params

from service.errors import InvalidRequest
from service.schemas.chat import CHAT_COMPLETION, SHARED_PARAMETERS
from service.schemas.check import check

PIXEL = "data:image/png;base64,iVBORw0KGgo="
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def body(**extra: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]} | extra


def with_message(**message: Any) -> dict[str, Any]:
    return body(messages=[message])


def with_part(**part: Any) -> dict[str, Any]:
    return with_message(role="user", content=[{"type": "text", "text": "Hi"}, part])


def refusal(given: dict[str, Any]) -> tuple[str | None, str]:
    before = copy.deepcopy(given)
    with pytest.raises(InvalidRequest) as raised:
        check(CHAT_COMPLETION, given)
    assert given == before
    return raised.value.param, raised.value.code


def documented_parameters() -> set[str]:
    tree = ast.parse(inspect.getsource(completion_create_params))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    wanted = [each for each in classes if each.name.startswith("CompletionCreateParams")]
    return {
        ast.unparse(node.target) for each in wanted for node in each.body if isinstance(node, ast.AnnAssign)
    }


def test_every_parameter_the_sdk_documents_is_known() -> None:
    documented = documented_parameters()
    assert len(documented) > 30
    assert documented <= CHAT_COMPLETION.load_fields.keys()


@pytest.mark.parametrize(
    "extra",
    [
        {"max_tokens": 1},
        {"max_completion_tokens": 128_000, "max_tokens": None},
        {"n": 128, "temperature": 0, "top_p": 1, "presence_penalty": -2, "frequency_penalty": 2.0},
        {"logit_bias": {"50256": -100, "1": 99.5}, "logprobs": True, "top_logprobs": 20},
        {"stop": "\n"},
        {"stop": ["a", "b", "c", "d"]},
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
        {"seed": -5, "user": "u", "safety_identifier": "s", "store": True, "metadata": {"a": "b"}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": None}}]},
        {"tools": [{"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}}]},
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "c"}}]},
            }
        },
        {"response_format": {"type": "json_object"}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}},
            }
        },
        {"reasoning_effort": "xhigh", "verbosity": "low", "service_tier": "flex"},
        {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "mp3"}},
        {"audio": {"voice": {"id": "voice_1"}, "format": "wav"}},
        {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {"ttl": "30m"}},
        {"moderation": {"model": "omni-moderation-latest", "policy": {"input": {"mode": "block"}}}},
        {"functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}},
        {"background": False, "web_search_options": None, "prediction": None},
        {"a_parameter_of_next_year": {"x": [1]}},
    ],
)
def test_documented_parameters_pass(extra: dict[str, Any]) -> None:
    check(CHAT_COMPLETION, body(**extra))


@pytest.mark.parametrize(
    "message",
    [
        {"role": "developer", "content": "Be brief"},
        {"role": "system", "content": [{"type": "text", "text": "Be brief"}], "name": "boss"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]},
        {
            "role": "user",
            "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}],
        },
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}}]},
        {
            "role": "user",
            "content": [{"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}],
        },
        {"role": "assistant", "content": "Hello"},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "audio": None},
        {"role": "assistant", "refusal": "No"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"role": "tool", "content": "42", "tool_call_id": "call_1"},
        {"role": "function", "content": None, "name": "f"},
    ],
)
def test_every_kind_of_message_passes(message: dict[str, Any]) -> None:
    check(CHAT_COMPLETION, body(messages=[message]))


@pytest.mark.parametrize(
    ("extra", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": ""}, "model", "invalid_value"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
        ({"messages": [{"role": "user", "content": ""}] * 2049}, "messages", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": 5.0}, "max_tokens", "invalid_type"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "invalid_parameter_combination"),
        ({"max_completion_tokens": "5"}, "max_completion_tokens", "invalid_type"),
        ({"n": 0}, "n", "invalid_value"),
        ({"n": 129}, "n", "invalid_value"),
        ({"temperature": 2.01}, "temperature", "invalid_value"),
        ({"top_p": -0.1}, "top_p", "invalid_value"),
        ({"presence_penalty": -2.1}, "presence_penalty", "invalid_value"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1", "invalid_value"),
        ({"top_logprobs": 21}, "top_logprobs", "invalid_value"),
        ({"stop": ["a"] * 5}, "stop", "invalid_value"),
        ({"stop": [5]}, "stop[0]", "invalid_type"),
        ({"stream": "true"}, "stream", "invalid_type"),
        ({"stream_options": {}}, "stream_options", "invalid_parameter_combination"),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "stream_options.include_usage",
            "invalid_type",
        ),
        ({"metadata": {str(i): "" for i in range(17)}}, "metadata", "invalid_value"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k", "invalid_value"),
        ({"metadata": {"k": 5}}, "metadata.k", "invalid_type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "tools[0].function.name",
            "missing_required_parameter",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
            "invalid_value",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f\n"}}]},
            "tools[0].function.name",
            "invalid_value",
        ),
        ({"tool_choice": "always"}, "tool_choice", "invalid_value"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "missing_required_parameter",
        ),
        ({"service_tier": "gold"}, "service_tier", "invalid_value"),
        ({"modalities": ["video"]}, "modalities[0]", "invalid_value"),
        ({"audio": {"voice": 5, "format": "wav"}}, "audio.voice", "invalid_type"),
    ],
)
def test_wrong_parameter_is_refused(extra: dict[str, Any], param: str, code: str) -> None:
    assert refusal(body(**extra)) == (param, code)


@pytest.mark.parametrize(
    ("message", "param", "code"),
    [
        ({"content": "Hi"}, ".role", "missing_required_parameter"),
        ({"role": "robot", "content": "Hi"}, ".role", "invalid_value"),
        ({"role": "user"}, ".content", "missing_required_parameter"),
        ({"role": "user", "content": 5}, ".content", "invalid_type"),
        ({"role": "user", "content": []}, ".content", "invalid_value"),
        ({"role": "user", "content": ["Hi"]}, ".content[0]", "invalid_type"),
        ({"role": "system", "content": [{"type": "image_url"}]}, ".content[0].type", "invalid_value"),
        ({"role": "assistant", "content": None}, ".content", "missing_required_parameter"),
        ({"role": "assistant", "content": None, "audio": {"id": "audio_1"}}, ".audio", "unsupported_value"),
        (
            {"role": "assistant", "tool_calls": [{"type": "function"}]},
            ".tool_calls[0].id",
            "missing_required_parameter",
        ),
        ({"role": "tool", "content": "42"}, ".tool_call_id", "missing_required_parameter"),
        ({"role": "function", "content": "42"}, ".name", "missing_required_parameter"),
    ],
)
def test_wrong_message_is_refused(message: dict[str, Any], param: str, code: str) -> None:
    given = body(messages=[{"role": "user", "content": "Hi"}, message])
    assert refusal(given) == ("messages[1]" + param, code)


@pytest.mark.parametrize(
    ("part", "param", "code"),
    [
        ({"text": "Hi"}, ".type", "missing_required_parameter"),
        ({"type": "video_url"}, ".type", "invalid_value"),
        ({"type": "text"}, ".text", "missing_required_parameter"),
        ({"type": "image_url", "image_url": PIXEL}, ".image_url", "invalid_type"),
        (
            {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
            ".image_url.url",
            "invalid_value",
        ),
        ({"type": "image_url", "image_url": {"url": "https://"}}, ".image_url.url", "invalid_value"),
        (
            {"type": "image_url", "image_url": {"url": "data:text/html;base64,AA"}},
            ".image_url.url",
            "invalid_value",
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
            ".image_url.url",
            "invalid_value",
        ),
        (
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "max"}},
            ".image_url.detail",
            "invalid_value",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}},
            ".input_audio.data",
            "invalid_value",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "ä", "format": "wav"}},
            ".input_audio.data",
            "invalid_value",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "ogg"}},
            ".input_audio.format",
            "invalid_value",
        ),
        ({"type": "file", "file": {}}, ".file.file_data", "missing_required_parameter"),
        ({"type": "file", "file": {"filename": "a"}}, ".file.file_data", "missing_required_parameter"),
        ({"type": "file", "file": {"file_url": "https://x.example/"}}, ".file.file_url", "unsupported_value"),
        ({"type": "file", "file": {"file_data": "data:,x"}}, ".file.file_data", "invalid_value"),
        ({"type": "file", "file": {"file_data": "not base64"}}, ".file.file_data", "invalid_value"),
    ],
)
def test_wrong_part_is_refused(part: dict[str, Any], param: str, code: str) -> None:
    assert refusal(with_part(**part)) == ("messages[0].content[1]" + param, code)


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "mcp"}]}, "tools[1].type"),
        ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice.type"),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp"}]},
                }
            },
            "tool_choice.allowed_tools.tools[0].type",
        ),
        ({"web_search_options": {}}, "web_search_options"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"context_management": []}, "context_management"),
        ({"model": "gpt-4o-search-preview-2025-03-11"}, "model"),
        ({"model": "gpt-5-search-api"}, "model"),
        ({"model": "O4-mini-Deep-Research"}, "model"),
    ],
)
def test_what_has_no_bound_is_refused(extra: dict[str, Any], param: str) -> None:
    assert refusal(body(**extra)) == (param, "unsupported_value")


def test_shared_parameters_leave_out_what_a_continuation_decides_itself() -> None:
    own = {"model", "messages", "stream", "stream_options", "store", "prompt"}
    assert CHAT_COMPLETION.load_fields.keys() - SHARED_PARAMETERS.keys() == own
