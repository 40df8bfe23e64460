"""POST /v1/completions between a real caller and the sandbox: books, bounds and refusals."""

import json
from typing import Any

import openai
import pytest

from tests.endpoints.conftest import error_of
from tests.harness import Caller, Sandbox, Service, nano

INSTRUCT = "gpt-3.5-turbo-instruct"
PATH = "/v1/completions"


def held_nano(service: Service, caller: Caller) -> int:
    """The bound of the caller's last call, as its row has it."""
    return nano(service.admin("GET", f"/ledger?key={caller.id}&limit=100")["data"][-1]["bound_usd"])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"prompt": "Listen to your"}, id="text"),
        pytest.param({"prompt": ["Listen to your", "時は流れて"]}, id="texts"),
        pytest.param({"prompt": [9906, 1917]}, id="token ids"),
        pytest.param({"prompt": [[9906], [1917, 11]], "max_tokens": 3}, id="several token ids"),
        pytest.param({}, id="no prompt"),
        pytest.param({"prompt": ["", ""]}, id="empty prompts"),
        pytest.param({"prompt": ["a", "b"], "n": 3, "max_tokens": 9}, id="several of each"),
        pytest.param({"prompt": "a", "best_of": 5, "n": 2}, id="best of"),
        pytest.param({"prompt": ["a", "b"] * 10, "suffix": "and so on", "best_of": 20}, id="suffix of each"),
        pytest.param({"prompt": "Listen", "echo": True, "max_tokens": 0, "logprobs": 5}, id="probabilities"),
        pytest.param({"prompt": ["Listen", "a"], "echo": True, "stream": True}, id="streamed echo"),
        pytest.param({"prompt": [[9906] * 300], "echo": True, "stream": True, "n": 2}, id="echo of ids"),
        pytest.param({"prompt": "a", "stream": True, "stream_options": {"include_usage": True}}, id="usage"),
        pytest.param({"prompt": "Listen to your heart " * 700}, id="long"),
    ],
)
@pytest.mark.parametrize("model", [INSTRUCT, "davinci-002"])
def test_what_is_billed_is_booked_and_was_held(
    service: Service, caller: Caller, sandbox: Sandbox, model: str, fields: dict[str, Any]
) -> None:
    sandbox.misbehave(tokens=100)
    answer = caller.post(PATH, {"model": model, **fields})
    assert answer.status == 200, answer.data
    assert caller.held() == 0
    billed = sandbox.billed_nano_usd()
    assert caller.spent() == billed
    assert 0 < billed <= held_nano(service, caller)
    if not fields.get("stream"):
        assert nano(answer.headers["x-spendgate-cost-usd"]) == billed


def test_a_call_without_a_cap_is_held_and_answered_at_sixteen_tokens(
    service: Service, caller: Caller, sandbox: Sandbox
) -> None:
    sandbox.misbehave(tokens=100)
    body = {"model": "davinci-002", "prompt": "a"}
    answer = caller.post(PATH, body)
    assert answer.json()["usage"]["completion_tokens"] == 16
    assert "x-spendgate-max-output-tokens" not in answer.headers
    raw_bytes = len(json.dumps(body, separators=(",", ":")).encode())
    # A byte a token, 64 for whatever is put around it all and 4 for a prompt; 2000 nano-USD each way.
    assert held_nano(service, caller) == (raw_bytes + 64 + 4 + 16) * 2_000


@pytest.mark.parametrize(
    ("fields", "completions"),
    [
        ({"prompt": "a"}, 1),
        ({"prompt": ["a", "b", "c"]}, 3),
        ({"prompt": "a", "n": 4}, 4),
        ({"prompt": ["a", "b"], "n": 2, "best_of": 5}, 10),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1], [2]], "best_of": 2}, 4),
    ],
)
def test_a_call_over_the_limit_tells_its_bound_and_is_not_sent(
    service: Service, sandbox: Sandbox, fields: dict[str, Any], completions: int
) -> None:
    caller = service.new_key(hard_limit_usd="0.000001")
    body = {"model": "babbage-002", "max_tokens": 1_000, **fields}
    prompts = len(fields["prompt"]) if isinstance(fields["prompt"][0], list) or "b" in fields["prompt"] else 1
    answer = caller.post(PATH, body)
    assert answer.status == 429
    raw_bytes = len(json.dumps(body, separators=(",", ":")).encode())
    tokens = raw_bytes + 64 + 4 * prompts + 1_000 * completions
    assert nano(error_of(answer)["details"]["bound_usd"]) == tokens * 400
    assert sandbox.bill()["requests_seen"] == 0


def test_an_unknown_field_is_held_at_the_models_most(service: Service, sandbox: Sandbox) -> None:
    caller = service.new_key(hard_limit_usd="0.000001")
    answer = caller.post(PATH, {"model": "davinci-002", "prompt": ["a", "b"], "max_tokens": 1, "later": 1})
    assert nano(error_of(answer)["details"]["bound_usd"]) == (2 * 16_384 + 2 * 16_384) * 2_000


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": "gpt-4o-search-preview"}, "model", "unsupported_value"),
        ({"best_of": 2, "stream": True}, "best_of", "invalid_parameter_combination"),
        ({"best_of": 2, "n": 3}, "best_of", "invalid_parameter_combination"),
        ({"prompt": ["a", 1]}, "prompt[1]", "invalid_type"),
        ({"model": "text-davinci-003"}, "model", "model_not_priced"),
        ({"model": "ft:davinci-002:acme::1"}, "model", "model_not_priced"),
        (
            {"n": 128, "max_tokens": 16_384, "prompt": ["a"] * 2_048, "model": "text-davinci-003"},
            "model",
            None,
        ),
    ],
)
def test_a_refused_body_is_told_where_and_nothing_is_held_or_sent(
    caller: Caller, sandbox: Sandbox, fields: dict[str, Any], param: str, code: str | None
) -> None:
    answer = caller.post(PATH, {"model": INSTRUCT, "prompt": "a", **fields})
    assert answer.status == 400
    error = error_of(answer)
    assert error["param"] == param
    assert code in (None, error["code"])
    assert (caller.spent(), caller.held()) == (0, 0)
    assert sandbox.bill()["requests_seen"] == 0


def test_an_answer_without_usage_is_counted_with_what_best_of_threw_away(
    caller: Caller, sandbox: Sandbox
) -> None:
    sandbox.misbehave(no_usage=1, tokens=100)
    fields = {"model": "davinci-002", "prompt": "Listen to your", "max_tokens": 8}
    assert caller.post(PATH, {**fields, "echo": True}).status == 200
    # 3 tokens in, 8 out, 5 % on top.
    assert caller.spent() == 11 * 2_000 * 105 // 100
    assert caller.post(PATH, {**fields, "best_of": 3}).status == 200
    assert caller.spent() == 11 * 2_000 * 105 // 100 + (3 + 24) * 2_000 * 105 // 100
    assert caller.spent() > sandbox.billed_nano_usd()


@pytest.mark.parametrize("echo", [False, True])
def test_a_stream_that_is_cut_is_booked_choice_by_choice(
    caller: Caller, sandbox: Sandbox, echo: bool
) -> None:
    sandbox.misbehave(cut_after=20, tokens=50)
    fields = {"prompt": ["Listen to your", "a"], "n": 2, "max_tokens": 50, "stream": True, "echo": echo}
    answer = caller.post(PATH, {"model": "davinci-002", **fields})
    assert b'"code": "upstream_stream_cut"' in answer.data
    assert caller.held() == caller.in_doubt() == 0
    billed = sandbox.billed_nano_usd()
    assert billed == (3 + 1 + 20) * 2_000
    # 5 % on top, and where an echo and what follows it meet, a token may be counted twice.
    assert billed * 105 // 100 <= caller.spent() <= billed * 115 // 100


def test_a_stream_past_its_cap_is_cut_but_not_for_an_echo(caller: Caller, sandbox: Sandbox) -> None:
    fields = {"model": "davinci-002", "prompt": "Listen to your heart " * 50, "max_tokens": 5, "stream": True}
    echoed = caller.post(PATH, {**fields, "echo": True})
    assert echoed.data.endswith(b"data: [DONE]\n\n")
    assert caller.spent() == sandbox.billed_nano_usd()
    sandbox.misbehave(ignore_cap=1, tokens=200)
    assert b"upstream_stream_cut" in caller.post(PATH, fields).data
    assert b"upstream_stream_cut" in caller.post(PATH, {**fields, "echo": True}).data


def test_the_official_sdk_completes_plain_and_streamed(
    service: Service, caller: Caller, sandbox: Sandbox
) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret) as sdk:
        plain = sdk.completions.create(model=INSTRUCT, prompt=["Listen to your", "You've built"], n=2)
        chunks = list(sdk.completions.create(model=INSTRUCT, prompt="Listen to your", stream=True))
    assert [choice.index for choice in plain.choices] == [0, 1, 2, 3]
    assert "".join(chunk.choices[0].text for chunk in chunks) == plain.choices[0].text
    assert all(chunk.choices for chunk in chunks), "the usage event was not asked for"
    assert caller.spent() == sandbox.billed_nano_usd() > 0
