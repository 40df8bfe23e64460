"""Bodies and parameters nobody would think of, sent to the running service: each answer is a described one.

What is generated fits the description or breaks it in one place. It is aimed at a model that has a price, at
a key that exists, past rules across fields; else nearly every call would end at the first refusal.
"""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response

from service.openapi.faults import FAULTS
from tests.harness import ADMIN_KEY, Caller, Sandbox, Service

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = 8
CALLS_IN_DOUBT = 20
MODEL = "gpt-4o-mini"
MOST = {"pause_ms": 2, "rounds": 3, "n": 3, "overlap_seconds": 0}
EXCLUSIVE = (
    ("max_completion_tokens", "max_tokens"),
    ("messages", "input"),
    ("rounds", "n"),
    ("prompt", "preset"),
)
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]

config = SchemathesisConfig.from_dict({"generation": {"max-examples": EXAMPLES, "deterministic": True}})
description = schemathesis.openapi.from_path(ROOT / "openapi.yaml", config=config)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    sandbox = Sandbox()
    running = Service(sandbox.url, workers=1, SPENDGATE_DATA_DIR=tmp_path_factory.mktemp("data"))
    with sandbox.popen, running.popen:
        yield running
        running.kill()
        sandbox.kill()


@pytest.fixture(scope="module")
def caller(service: Service) -> Caller:
    """A key with a past: a call that was settled, a stream, and calls whose outcome is unknown."""
    caller = service.new_key(hard_limit_usd="1000")
    assert caller.chat().status == 200
    assert caller.chat(stream=True).status == 200
    for _ in range(CALLS_IN_DOUBT):
        assert caller.chat(knobs={"reset": 1}).status == 502
    return caller


@pytest.fixture(scope="module")
def other_key(service: Service) -> Caller:
    """The key that operators' calls are aimed at, so that the caller's own stays good."""
    return service.new_key(project="aimed-at")


@description.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_described(case: Case, service: Service, caller: Caller, other_key: Caller) -> None:
    if isinstance(case.body, dict):
        case.body = _aim(case.body)
    for name in case.path_parameters:
        # What is revoked stays so: that takes a key for each call.
        key = service.new_key() if case.method == "DELETE" else other_key
        case.path_parameters[name] = _one_there_is(name, service, key, caller)
    secret = ADMIN_KEY if case.path.startswith("/admin") else caller.secret
    case.call_and_validate(
        base_url=service.url, headers={"Authorization": f"Bearer {secret}"}, checks=[*CHECKS, _code_is_known]
    )


def _one_there_is(name: str, service: Service, key: Caller, caller: Caller) -> str:
    """A value for a part of a path: one that exists, as long as there is one."""
    if name in STORED:
        return STORED[name](caller)
    if name == "model_id":
        return MODEL
    if name == "path":
        return "chat/completions"
    if name == "key_id":
        return key.id
    if name == "response_id":
        made = service.new_key().post("/v1/responses", {"model": MODEL, "input": "Listen to your"})
        return str(made.json()["id"])
    assert name == "hold_id", f"aim {name}, too"
    holds = service.admin("GET", "/holds?limit=1")["data"]
    return holds[0]["id"] if holds else "hold_none"


def _file_of(caller: Caller) -> str:
    form = {"purpose": "user_data", "file": ("a.txt", b"notes")}
    headers = {"authorization": f"Bearer {caller.secret}"}
    return str(caller.service.request("POST", "/v1/files", fields=form, headers=headers).json()["id"])


def _preset_of(caller: Caller) -> str:
    headers = {"authorization": f"Bearer {caller.secret}"}
    answer = caller.service.request("PUT", "/v1/presets/aimed-at", json={"model": MODEL}, headers=headers)
    return str(answer.json()["name"])


def _continuation_of(caller: Caller) -> str:
    body = {"model": MODEL, "prompt": "Listen to your", "max_tokens": 2, "store": True}
    return str(caller.post("/v1/continuations", body).json()["id"])


def _response_of(caller: Caller) -> str:
    body = {"model": MODEL, "input": "Listen to your", "max_output_tokens": 16}
    return str(caller.post("/v1/responses", body).json()["id"])


# What a project has stored: by the name it has in paths, how one comes to be.
STORED: dict[str, Callable[[Caller], str]] = {
    "file_id": _file_of,
    "name": _preset_of,
    "continuation_id": _continuation_of,
    "response_id": _response_of,
}


def _aim(body: dict[str, Any]) -> dict[str, Any]:
    """The body, less what would keep it from getting far, and with runs that are short."""
    aimed = dict(body)
    if isinstance(body.get("model"), str):
        aimed["model"] = MODEL
    if isinstance(body.get("name"), str) and body["name"].isalnum():
        aimed["name"] = f"{body['name'][:8]}-{secrets.token_hex(4)}"
    aimed.pop("previous_response_id", None)  # of a response that nobody made
    for name, most in MOST.items():
        if type(body.get(name)) is int and body[name] > most:
            aimed[name] = most
    for name, other in EXCLUSIVE:
        if aimed.get(name) is not None:
            aimed.pop(other, None)
    return aimed


def _code_is_known(context: Any, response: Response, case: Case) -> None:
    """An error of our own has a code that is described for its status."""
    if response.headers.get("x-spendgate-error-source") == ["spendgate"]:
        code = response.json()["error"]["code"]
        assert code in FAULTS[response.status_code][2], (response.status_code, code)
