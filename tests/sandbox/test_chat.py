"""What the sandbox says is OpenAI's in shape, the same each time, and counted truly."""

import json
from typing import Any

import bpe_openai
import pytest

from tests.sandbox.conftest import Sandbox

USAGE = {"include_usage": True}
TOOL = {
    "type": "function",
    "function": {
        "name": "find_line",
        "parameters": {
            "type": "object",
            "properties": {"line": {"type": "string"}, "n": {"type": "integer"}},
        },
    },
}


def count(text: str, encoding: str = "o200k_base") -> int:
    return len(bpe_openai.get_encoding(encoding).encode_ordinary(text))


def content(answer: Any, index: int = 0) -> str:
    return answer["choices"][index]["message"]["content"]


def joined(events: list[Any], index: int = 0) -> str:
    choices = (choice for event in events for choice in event["choices"])
    return "".join(choice["delta"].get("content") or "" for choice in choices if choice["index"] == index)


def test_answer_has_every_field_openai_documents(sandbox: Sandbox) -> None:
    answer = sandbox.answer()
    text = content(answer)
    assert answer.pop("id").startswith("chatcmpl-")
    assert answer.pop("created") > 1_700_000_000
    completion = count(text)
    # 3 for the message, 1 for the role, 3 for "Listen to your", 3 for the reply's primer.
    assert answer == {
        "object": "chat.completion",
        "model": "gpt-4o-mini",
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": completion,
            "total_tokens": 10 + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }
    assert 30 <= completion <= 60


def test_same_prompt_gets_the_same_answer_and_another_prompt_another(sandbox: Sandbox) -> None:
    first, again, other = sandbox.answer("one"), sandbox.answer("one"), sandbox.answer("two")
    assert content(first) == content(again) != content(other)
    assert first["id"] != again["id"]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("cap", [1, 8, 15, 29])
def test_reply_is_cut_at_exactly_the_cap(sandbox: Sandbox, field: str, cap: int) -> None:
    capped = sandbox.answer(**{field: cap})
    assert capped["choices"][0]["finish_reason"] == "length"
    assert capped["usage"]["completion_tokens"] == cap == count(content(capped))
    assert content(sandbox.answer()).startswith(content(capped))


@pytest.mark.parametrize(
    ("model", "encoding"),
    [("gpt-4", "cl100k_base"), ("gpt-3.5-turbo", "cl100k_base"), ("gpt-4.1", "o200k_base")],
)
@pytest.mark.parametrize("tokens", [0, 1, 16, 500])
def test_reply_has_exactly_the_length_asked_for(
    sandbox: Sandbox, model: str, encoding: str, tokens: int
) -> None:
    answer = sandbox.answer(model=model, sandbox_tokens=tokens)
    assert answer["usage"]["completion_tokens"] == tokens == count(content(answer), encoding)


def test_every_choice_is_different_and_all_are_counted(sandbox: Sandbox) -> None:
    answer = sandbox.answer(n=3, sandbox_tokens=20)
    texts = [content(answer, index) for index in range(3)]
    assert len(set(texts)) == 3
    assert answer["usage"]["completion_tokens"] == sum(count(text) for text in texts) == 60


def test_stop_sequence_ends_the_reply_before_it(sandbox: Sandbox) -> None:
    whole = content(sandbox.answer())
    stopped = sandbox.answer(stop=[",\n"])
    assert content(stopped) == whole.split(",\n")[0] != whole
    assert stopped["usage"]["completion_tokens"] == count(content(stopped))
    assert stopped["choices"][0]["finish_reason"] == "stop"


def test_prompt_tokens_follow_the_cookbook(sandbox: Sandbox) -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]
    messages = [
        {"role": "system", "name": "poet", "content": "Be brief."},
        {"role": "user", "content": parts},
    ]
    usage = sandbox.answer(messages=messages)["usage"]
    words = sum(count(text) for text in ("system", "poet", "Be brief.", "user", "What is this?"))
    assert usage["prompt_tokens"] == 2 * 3 + 1 + 3 + words + 85 + 100
    assert usage["prompt_tokens_details"]["audio_tokens"] == 100


def test_tools_count_as_their_compact_json(sandbox: Sandbox) -> None:
    without, with_tool = sandbox.answer()["usage"], sandbox.answer(tools=[TOOL])["usage"]
    extra = count(json.dumps([TOOL], separators=(",", ":")))
    assert with_tool["prompt_tokens"] == without["prompt_tokens"] + extra


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "find_line"}}])
def test_tool_that_must_be_called_is_called(sandbox: Sandbox, choice: Any) -> None:
    answer = sandbox.answer(tools=[TOOL], tool_choice=choice)
    message = answer["choices"][0]["message"]
    assert message["content"] is None
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    function = message["tool_calls"][0]["function"]
    assert function["name"] == "find_line"
    assert set(json.loads(function["arguments"])) == {"line", "n"}
    assert answer["usage"]["completion_tokens"] == count(function["arguments"])


def test_json_schema_is_answered_with_json_that_fits(sandbox: Sandbox) -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["glad", "sad"]}, "line": {"$ref": "#/$defs/Line"}},
        "$defs": {"Line": {"type": "object", "properties": {"text": {"type": "string"}}}},
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "verse", "schema": schema}}
    value = json.loads(content(sandbox.answer(response_format=wanted)))
    assert value["mood"] == "glad"
    assert isinstance(value["line"]["text"], str)
    assert json.loads(content(sandbox.answer(response_format={"type": "json_object"})))


@pytest.mark.parametrize("options", [{}, {"max_tokens": 9}, {"n": 2}, {"sandbox_reasoning_tokens": 11}])
def test_stream_joined_is_the_plain_answer(sandbox: Sandbox, options: dict[str, Any]) -> None:
    plain = sandbox.answer(**options)
    *events, last = sandbox.events(stream_options=USAGE, **options)
    assert last["choices"] == []
    assert last["usage"] == plain["usage"]
    for index, choice in enumerate(plain["choices"]):
        assert joined(events, index) == choice["message"]["content"]
        ends = [each["choices"][0] for each in events if each["choices"][0]["index"] == index]
        assert ends[-1] == {**ends[-1], "delta": {}, "finish_reason": choice["finish_reason"]}
    assert all(event["usage"] is None for event in events)


def test_stream_begins_with_the_role_and_says_one_token_a_chunk(sandbox: Sandbox) -> None:
    events = sandbox.events(sandbox_tokens=12)
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    pieces = [event["choices"][0]["delta"]["content"] for event in events[1:-1]]
    assert len(pieces) == 12
    assert all(count(piece) == 1 for piece in pieces)
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert not any("usage" in event for event in events)


def test_streamed_tool_call_joined_is_the_plain_one(sandbox: Sandbox) -> None:
    options: dict[str, Any] = {"tools": [TOOL], "tool_choice": "required"}
    plain = sandbox.answer(**options)["choices"][0]["message"]["tool_calls"][0]
    events = sandbox.events(**options)
    head, *rest = [call for event in events for call in event["choices"][0]["delta"].get("tool_calls", [])]
    arguments = "".join(call["function"]["arguments"] for call in rest)
    assert {**head, "function": {**head["function"], "arguments": arguments}} == {"index": 0, **plain}
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_headers_are_openais(sandbox: Sandbox) -> None:
    plain, stream = sandbox.chat(), sandbox.chat(stream=True)
    assert plain.headers["content-type"] == "application/json"
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    for response in (plain, stream):
        assert response.headers["x-request-id"].startswith("req_")
        assert response.headers["openai-organization"] == "sandbox-org"
        assert response.headers["openai-version"]
        assert int(response.headers["openai-processing-ms"]) >= 0
        assert response.headers["x-ratelimit-limit-requests"]


def test_models_are_listed_and_found_by_their_dated_names_too(sandbox: Sandbox) -> None:
    listed = [model["id"] for model in sandbox.request("GET", "/v1/models").json()["data"]]
    assert {"gpt-4o-mini", "gpt-4", "text-embedding-3-small"} < set(listed)
    assert not [id for id in listed if ":" in id or id.endswith("-")]
    assert sandbox.request("GET", "/v1/models/gpt-4o-2024-08-06").json()["object"] == "model"
    missing = sandbox.request("GET", "/v1/models/no-such-model")
    assert (missing.status, missing.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/nothing", b"{}", 404),
        ("GET", "/v1/chat/completions", b"", 405),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions", b"[]", 400),
        ("POST", "/v1/chat/completions", b"{}", 400),
        ("POST", "/v1/chat/completions", b'{"model":"gpt-4o","messages":[]}', 400),
        ("POST", "/v1/chat/completions", b'{"model":"gpt-4o","messages":[{"content":"a"}]}', 400),
        ("POST", "/v1/chat/completions", b'{"model":"gpt-4o","messages":[{"role":"user"}],"n":0}', 400),
        (
            "POST",
            "/v1/chat/completions",
            b'{"model":"gpt-4o","messages":[{"role":"user"}],"response_format":7}',
            500,
        ),
    ],
)
def test_bad_request_is_answered_in_openais_shape(
    sandbox: Sandbox, method: str, path: str, body: bytes, status: int
) -> None:
    response = sandbox.request(method, path, body=body)
    assert response.status == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert sandbox.bill()["count"] == 0
