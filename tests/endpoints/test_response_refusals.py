"""What a response may not ask for: each answered 400 with its place, before anything is held or sent."""

from typing import Any

import pytest

from tests.endpoints.conftest import error_of
from tests.endpoints.test_responses import MODEL, PATH, PDF, parts
from tests.harness import Caller, Sandbox

HOSTED = [
    {"type": "web_search"},
    {"type": "web_search_preview"},
    {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "computer_use_preview", "display_width": 1, "display_height": 1, "environment": "mac"},
    {"type": "mcp", "server_label": "x", "server_url": "https://example.com"},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "image_generation"},
    {"type": "local_shell"},
    {"type": "shell"},
    {"type": "apply_patch"},
    {"type": "tool_search"},
    {"type": "namespace", "name": "x", "description": "y", "tools": []},
    {"type": "programmatic_tool_calling"},
]
FUNCTION = {"type": "function", "name": "look", "parameters": {}, "strict": True}
TURN = {"role": "user", "content": "x"}

UNSUPPORTED: list[tuple[str, dict[str, Any]]] = [
    *(("tools[1].type", {"tools": [FUNCTION, tool]}) for tool in HOSTED),
    ("tool_choice.type", {"tool_choice": {"type": "web_search_preview"}}),
    (
        "tool_choice.tools[0].type",
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": HOSTED[:1]}},
    ),
    ("background", {"background": True}),
    ("background_options", {"background_options": {"completion_window": "8h"}}),
    ("conversation", {"conversation": "conv_1"}),
    ("conversation", {"conversation": {"id": "conv_1"}}),
    ("prompt", {"prompt": {"id": "pmpt_1"}}),
    ("context_management", {"context_management": [{"type": "compaction"}]}),
    ("web_search_options", {"web_search_options": {}}),
    ("prediction", {"prediction": {"type": "content", "content": "x"}}),
    (
        "prompt_cache_options.comparison_response_id",
        {"prompt_cache_options": {"comparison_response_id": "r"}},
    ),
    ("input[1].type", {"input": [TURN, {"type": "item_reference", "id": "msg_1"}]}),
    ("input[1].type", {"input": [TURN, {"id": "msg_1"}]}),
    ("input[0].type", {"input": [{"type": "compaction", "encrypted_content": "x"}]}),
    ("input[0].type", {"input": [{"type": "web_search_call", "id": "ws_1", "status": "completed"}]}),
    ("input[0].type", {"input": [{"type": "additional_tools", "role": "developer", "tools": HOSTED[:1]}]}),
    (
        "input[0].content[1].file_url",
        {"input": parts({"type": "input_file", "file_url": "https://example.com/a.pdf"})},
    ),
    ("input[0].content[1].file_id", {"input": parts({"type": "input_file", "file_id": "file-of-nobody"})}),
    ("input[0].content[1].file_id", {"input": parts({"type": "input_image", "file_id": "file-of-nobody"})}),
    (
        "input[0].output[0].file_id",
        {
            "input": [
                {
                    "type": "function_call_output",
                    "call_id": "c",
                    "output": [{"type": "input_file", "file_id": "file-of-nobody"}],
                }
            ]
        },
    ),
    ("model", {"model": "o4-mini-deep-research"}),
    ("model", {"model": "gpt-5-search-api"}),
]

INVALID: list[tuple[str, str, dict[str, Any]]] = [
    ("max_output_tokens", "invalid_value", {"max_output_tokens": 15}),
    ("max_output_tokens", "invalid_type", {"max_output_tokens": "50"}),
    ("input", "missing_required_parameter", {"input": None}),
    ("input", "invalid_type", {"input": {"role": "user"}}),
    ("input[0].role", "missing_required_parameter", {"input": [{"type": "message", "content": "x"}]}),
    ("input[0].content", "missing_required_parameter", {"input": [{"role": "user"}]}),
    ("input[0].content[1].type", "invalid_value", {"input": parts({"type": "image_url"})}),
    (
        "input[0].content[1].image_url",
        "missing_required_parameter",
        {"input": parts({"type": "input_image"})},
    ),
    (
        "input[0].content[1].image_url",
        "invalid_value",
        {"input": parts({"type": "input_image", "image_url": "x"})},
    ),
    (
        "input[0].content[1].file_id",
        "invalid_parameter_combination",
        {"input": parts({"type": "input_file", "file_data": PDF, "file_id": "f"})},
    ),
    ("input[0].name", "missing_required_parameter", {"input": [{"type": "function_call", "call_id": "c"}]}),
    ("tools[0].name", "missing_required_parameter", {"tools": [{"type": "function", "function": {}}]}),
    (
        "text.format.schema",
        "missing_required_parameter",
        {"text": {"format": {"type": "json_schema", "name": "x"}}},
    ),
    ("stream_options", "invalid_parameter_combination", {"stream_options": {"include_obfuscation": False}}),
    ("include[0]", "invalid_value", {"include": ["everything"]}),
    ("temperature", "invalid_value", {"temperature": 2.1}),
    ("model", "missing_required_parameter", {"model": None}),
    ("model", "model_not_priced", {"model": "no-such-model"}),
]


def refusal(caller: Caller, path: str, fields: dict[str, Any]) -> tuple[int, str, str]:
    answer = caller.post(path, {"model": MODEL, "input": "x", **fields})
    error = error_of(answer)
    return answer.status, error["code"], error["param"]


@pytest.mark.parametrize(("place", "fields"), UNSUPPORTED)
def test_what_has_no_bound_or_owner_is_refused_with_its_place(
    caller: Caller, sandbox: Sandbox, place: str, fields: dict[str, Any]
) -> None:
    assert refusal(caller, PATH, fields) == (400, "unsupported_value", place)
    assert (caller.held(), caller.spent()) == (0, 0)
    assert sandbox.bill()["requests_seen"] == 0


@pytest.mark.parametrize(("place", "code", "fields"), INVALID)
def test_what_is_wrong_is_refused_with_its_place(
    caller: Caller, sandbox: Sandbox, place: str, code: str, fields: dict[str, Any]
) -> None:
    assert refusal(caller, PATH, fields) == (400, code, place)
    assert sandbox.bill()["requests_seen"] == 0


COUNTED = {"tools", "tool_choice", "conversation", "prompt", "context_management", "input", "model"}


@pytest.mark.parametrize(("place", "fields"), [each for each in UNSUPPORTED if COUNTED & each[1].keys()])
def test_counting_refuses_the_same(
    caller: Caller, sandbox: Sandbox, place: str, fields: dict[str, Any]
) -> None:
    assert refusal(caller, f"{PATH}/input_tokens", fields) == (400, "unsupported_value", place)
    assert sandbox.bill()["requests_seen"] == 0


@pytest.mark.parametrize("fields", [{"background": False}, {"conversation": None}, {"tools": [FUNCTION]}])
def test_what_asks_for_nothing_special_passes(caller: Caller, fields: dict[str, Any]) -> None:
    assert caller.post(PATH, {"model": MODEL, "input": "x", **fields}).status == 200
