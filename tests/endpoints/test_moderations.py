"""POST /v1/moderations: free, for good keys and moderation models only."""

import json
from typing import Any

import openai
import pytest

from tests.endpoints.conftest import error_of
from tests.harness import Caller, Sandbox, Service, eventually

PATH = "/v1/moderations"
PARTS = [
    {"type": "text", "text": "flagged"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
]


@pytest.mark.parametrize(
    ("given", "flagged"),
    [("fine", [False]), ("flagged", [True]), (["fine", "flagged"], [False, True]), (PARTS, [True])],
)
def test_texts_and_images_are_judged_and_cost_nothing(
    caller: Caller, sandbox: Sandbox, given: Any, flagged: list[bool]
) -> None:
    answer = caller.post(PATH, {"input": given})
    assert answer.status == 200, answer.data
    assert [result["flagged"] for result in answer.json()["results"]] == flagged
    assert (sandbox.bill()["requests_seen"], sandbox.bill()["count"]) == (1, 0)
    assert (caller.spent(), caller.held()) == (0, 0)


def test_a_key_that_has_spent_its_limit_may_still_moderate(service: Service) -> None:
    assert service.new_key(hard_limit_usd="0").post(PATH, {"input": "x"}).status == 200


@pytest.mark.parametrize("model", ["omni-moderation-latest", "text-moderation-stable", "moderation-next"])
def test_any_moderation_model_will_do(caller: Caller, model: str) -> None:
    assert caller.post(PATH, {"input": "x", "model": model}).json()["model"] == model


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": "x", "model": "gpt-4o-mini"}, "model", "unsupported_value"),
        ({"input": "x", "model": "ft:gpt-4o:acme:moderation:1"}, "model", "unsupported_value"),
        ({}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": [1]}, "input[0]", "invalid_type"),
        ({"input": [{"type": "file"}]}, "input[0].type", "invalid_value"),
        ({"input": [{"type": "image_url", "image_url": {"url": "x"}}]}, "input[0].image_url.url", None),
    ],
)
def test_a_refused_body_is_told_where_and_not_sent(
    caller: Caller, sandbox: Sandbox, body: dict[str, Any], param: str, code: str | None
) -> None:
    answer = caller.post(PATH, body)
    assert (answer.status, error_of(answer)["param"]) == (400, param)
    assert code in (None, error_of(answer)["code"])
    assert answer.headers["x-spendgate-error-source"] == "spendgate"
    assert sandbox.bill()["requests_seen"] == 0


def test_revoked_and_unknown_keys_are_turned_away(service: Service, sandbox: Sandbox) -> None:
    caller = service.new_key()
    assert caller.post(PATH, {"input": "x"}).status == 200
    service.admin("DELETE", f"/keys/{caller.id}")
    refused = caller.post(PATH, {"input": "x"})
    assert (refused.status, error_of(refused)["code"]) == (401, "key_revoked")
    nobody = service.request("POST", PATH, json={"input": "x"}, headers={"authorization": "Bearer sk-sg-no"})
    assert (nobody.status, error_of(nobody)["code"]) == (401, "invalid_api_key")
    assert sandbox.bill()["requests_seen"] == 1


def test_a_keys_list_of_models_holds_here_too(service: Service, sandbox: Sandbox) -> None:
    narrow = service.new_key(models=["gpt-4o*"])
    assert error_of(narrow.post(PATH, {"input": "x"}))["code"] == "model_not_allowed"
    assert service.new_key(models=["omni-*"]).post(PATH, {"input": "x"}).status == 200
    assert sandbox.bill()["requests_seen"] == 1


@pytest.mark.parametrize(
    ("knobs", "status", "source"),
    [
        ({"status": 429}, 429, "upstream"),
        ({"status": 500}, 500, "upstream"),
        ({"status": 401}, 502, "spendgate"),
        ({"status": 503, "body": "html"}, 502, "spendgate"),
        ({"reset": 1}, 502, "spendgate"),
    ],
)
def test_the_upstreams_errors_are_told_as_they_are_elsewhere(
    caller: Caller, sandbox: Sandbox, knobs: dict[str, Any], status: int, source: str
) -> None:
    sandbox.misbehave(**knobs)
    answer = caller.post(PATH, {"input": "x"})
    assert (answer.status, answer.headers["x-spendgate-error-source"]) == (status, source)
    assert error_of(answer)["message"]
    assert (caller.spent(), caller.held(), caller.in_doubt()) == (0, 0, 0)


def test_every_call_leaves_a_line_in_the_log(service: Service, caller: Caller) -> None:
    request_id = caller.post(PATH, {"input": "x"}).headers["x-spendgate-request-id"]
    eventually(lambda: any(request_id in line for line in service.lines))
    line = json.loads(next(line for line in service.lines if request_id in line))
    assert (line["endpoint"], line["status"]) == ("moderations", 200)


def test_the_official_sdk_moderates(service: Service, caller: Caller) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret) as sdk:
        assert sdk.moderations.create(input="flagged").results[0].flagged
