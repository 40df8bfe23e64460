"""Presets: kept by project, put into continuations, and validated with them."""

import json
import secrets
from typing import Any

import pytest
import urllib3

from tests.endpoints.conftest import error_of
from tests.harness import Caller, Sandbox, Service

ROXETTE: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "system": "I am a lyric completion assistant.",
    "examples": [{"user": "in the wake of your smile", "assistant": "I get a notion"}],
    "parameters": {"rounds": 2, "max_tokens": 15, "temperature": 0},
}
SHOTS = [
    {"role": "system", "content": ROXETTE["system"]},
    {"role": "user", "content": "in the wake of your smile"},
    {"role": "assistant", "content": "I get a notion"},
]
LINE = {"messages": [*SHOTS, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]}


@pytest.fixture
def caller(service: Service) -> Caller:
    return service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="5")


@pytest.fixture
def stranger(service: Service) -> Caller:
    return service.new_key(project=f"p-{secrets.token_hex(6)}")


def call(caller: Caller, method: str, path: str, body: Any = None) -> urllib3.BaseHTTPResponse:
    headers = {"authorization": f"Bearer {caller.secret}"}
    return caller.service.request(method, f"/v1{path}", json=body, headers=headers)


def put(caller: Caller, body: Any, name: str = "roxette") -> dict[str, Any]:
    answer = call(caller, "PUT", f"/presets/{name}", body)
    assert answer.status == 200, answer.data
    kept: dict[str, Any] = answer.json()
    return kept


def refused(caller: Caller, body: Any) -> tuple[str | None, str]:
    answer = call(caller, "PUT", "/presets/roxette", body)
    assert answer.status == 400, answer.data
    error = error_of(answer)
    return error["param"], error["code"]


def run(caller: Caller, **fields: Any) -> dict[str, Any]:
    answer = caller.post("/v1/continuations", fields)
    assert answer.status == 200, answer.data
    body: dict[str, Any] = answer.json()
    return body


def test_preset_gives_what_the_body_leaves_out(caller: Caller) -> None:
    kept = put(caller, ROXETTE)
    assert {name: kept[name] for name in ROXETTE} == ROXETTE
    assert (kept["object"], kept["name"]) == ("preset", "roxette")
    body = run(caller, preset="roxette", prompt="Listen to your")
    assert len(body["results"]) == 2
    assert body["messages"][:4] == [*SHOTS, {"role": "user", "content": "Listen to your"}]
    assert max(result["usage"]["completion_tokens"] for result in body["results"]) <= 15


def test_own_fields_go_before_the_presets(caller: Caller) -> None:
    put(caller, ROXETTE)
    own = {"system": "I count.", "examples": [], "rounds": 1, "max_completion_tokens": 3}
    body = run(caller, preset="roxette", prompt="x", **own)
    system, user = ({"role": "system", "content": "I count."}, {"role": "user", "content": "x"})
    assert body["messages"][:-1] == [system, user]
    assert [result["usage"]["completion_tokens"] for result in body["results"]] == [3]


def test_null_leaves_it_to_the_preset(caller: Caller) -> None:
    put(caller, ROXETTE)
    assert len(run(caller, preset="roxette", prompt="x", model=None, rounds=None)["results"]) == 2


def test_body_and_preset_are_validated_together(caller: Caller, sandbox: Sandbox) -> None:
    put(caller, ROXETTE)
    answer = caller.post("/v1/continuations", {"preset": "roxette", "prompt": "x", "n": 2})
    assert (answer.status, error_of(answer)["code"]) == (400, "invalid_parameter_combination")
    put(caller, {"system": "No model."})
    answer = caller.post("/v1/continuations", {"preset": "roxette", "prompt": "x"})
    assert (answer.status, error_of(answer)["param"]) == (400, "model")
    assert sandbox.bill()["requests_seen"] == caller.held() == caller.spent() == 0


def test_parameters_may_stand_by_themselves(caller: Caller) -> None:
    kept = put(caller, {"model": "gpt-4o-mini", "max_tokens": 7, "parameters": {"rounds": 3}})
    assert kept["parameters"] == {"max_tokens": 7, "rounds": 3}
    assert put(caller, kept)["parameters"] == kept["parameters"]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"prompt": "x"}, "prompt", "unsupported_value"),
        ({"stream": True}, "stream", "unsupported_value"),
        ({"store": True}, "store", "unsupported_value"),
        ({"messages": []}, "messages", "unsupported_value"),
        ({"parameters": {"rounds": 33}}, "parameters.rounds", "invalid_value"),
        ({"temperature": "0"}, "temperature", "invalid_type"),
        ({"rounds": 2, "parameters": {"rounds": 3}}, "rounds", "invalid_parameter_combination"),
        ({"rounds": 2, "parameters": {"n": 3}}, "n", "invalid_parameter_combination"),
        ({"examples": [{"user": "a"}]}, "examples[0].assistant", "missing_required_parameter"),
        ({"parameters": {"web_search_options": {}}}, "parameters.web_search_options", "unsupported_value"),
    ],
)
def test_wrong_preset_is_refused(caller: Caller, body: dict[str, Any], param: str, code: str) -> None:
    assert refused(caller, body) == (param, code)


def test_fine_tuning_lines_become_examples(caller: Caller) -> None:
    second = {"messages": [{"role": "user", "content": "d\u2028e"}, {"role": "assistant", "content": "f"}]}
    text = f"{json.dumps(LINE)}\r\n\n{json.dumps(second, ensure_ascii=False)}\n"
    kept = put(caller, {"model": "gpt-4o-mini", "examples": text})
    assert kept["system"] == ROXETTE["system"]
    pairs = [(pair["user"], pair["assistant"]) for pair in kept["examples"]]
    assert pairs == [("in the wake of your smile", "I get a notion"), ("b", "c"), ("d\u2028e", "f")]
    assert put(caller, {"system": "Mine.", "examples": text})["system"] == "Mine."


def test_fine_tuning_lines_are_taken_in_a_continuation_too(caller: Caller) -> None:
    body = run(caller, model="gpt-4o-mini", prompt="x", examples=json.dumps(LINE), max_tokens=2)
    assert body["messages"][:3] == SHOTS


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not valid JSON"),
        ("{}", "'messages', an array"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "no pair"),
        ('{"messages": [{"role": "tool", "content": "a"}]}', "with the role"),
        ('{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', "is a string"),
        ('{"messages": [{"role": "system", "content": "Other."}, {"role": "user", "content": "a"}, '
         '{"role": "assistant", "content": "b"}]}', "system message"),
    ],
)  # fmt: skip
def test_wrong_line_is_named(caller: Caller, line: str, why: str) -> None:
    answer = call(caller, "PUT", "/presets/roxette", {"examples": f"{json.dumps(LINE)}\n{line}"})
    error = error_of(answer)
    assert (answer.status, error["param"], error["code"]) == (400, "examples", "invalid_value")
    assert error["message"].startswith("Invalid value for 'examples': line 2: ")
    assert why in error["message"]


def test_too_many_lines_are_refused(caller: Caller) -> None:
    assert refused(caller, {"examples": "\n".join([json.dumps(LINE)] * 129)}) == ("examples", "invalid_value")


def test_presets_are_listed_shown_and_deleted(caller: Caller) -> None:
    for name in ("b", "a", "c"):
        put(caller, ROXETTE, name)
    listed = call(caller, "GET", "/presets?limit=2").json()
    assert [preset["name"] for preset in listed["data"]] == ["a", "b"]
    assert (listed["object"], listed["has_more"], listed["last_id"]) == ("list", True, "b")
    rest = call(caller, "GET", "/presets?limit=2&after=b").json()
    assert ([preset["name"] for preset in rest["data"]], rest["has_more"]) == (["c"], False)
    assert call(caller, "GET", "/presets/a").json() == listed["data"][0]
    deleted = call(caller, "DELETE", "/presets/a")
    assert (deleted.status, deleted.json()) == (200, {"name": "a", "object": "preset", "deleted": True})
    assert call(caller, "GET", "/presets/a").status == call(caller, "DELETE", "/presets/a").status == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=none"])
def test_wrong_page_is_refused(caller: Caller, query: str) -> None:
    answer = call(caller, "GET", f"/presets?{query}")
    assert (answer.status, error_of(answer)["param"]) == (400, query.split("=")[0])


def test_presets_of_another_project_do_not_exist(caller: Caller, stranger: Caller) -> None:
    put(caller, ROXETTE)
    for method in ("GET", "DELETE"):
        answer = call(stranger, method, "/presets/roxette")
        assert (answer.status, error_of(answer)["code"]) == (404, "not_found")
    answer = stranger.post("/v1/continuations", {"preset": "roxette", "prompt": "x"})
    error = error_of(answer)
    assert (answer.status, error["code"], error["param"]) == (404, "not_found", "preset")
    assert call(stranger, "GET", "/presets").json()["data"] == []
    assert call(caller, "GET", "/presets/roxette").status == 200


def test_keys_of_a_project_share_its_presets(service: Service) -> None:
    project = f"p-{secrets.token_hex(6)}"
    first, second = service.new_key(project=project), service.new_key(project=project)
    put(first, ROXETTE)
    assert call(second, "GET", "/presets/roxette").status == 200


def test_revoked_key_reads_no_presets(service: Service, caller: Caller) -> None:
    put(caller, ROXETTE)
    service.admin("DELETE", f"/keys/{caller.id}")
    for answer in (
        call(caller, "GET", "/presets"),
        caller.post("/v1/continuations", {"preset": "nowhere", "prompt": "x"}),
    ):
        assert (answer.status, error_of(answer)["code"]) == (401, "key_revoked")


@pytest.mark.parametrize("name", ["-a", "a%20b", "a" * 65])
def test_wrong_name_is_refused(caller: Caller, name: str) -> None:
    answer = call(caller, "PUT", f"/presets/{name}", ROXETTE)
    assert (answer.status, error_of(answer)["param"]) == (400, "name")


def test_preset_that_is_too_large_is_refused(caller: Caller) -> None:
    answer = call(caller, "PUT", "/presets/roxette", {"system": "x" * 300_000})
    assert (answer.status, error_of(answer)["code"]) == (413, "request_too_large")
