"""Continuations that are kept: read again, continued, forgotten, and never seen by another project."""

import json
import secrets
from typing import Any

import pytest
import urllib3

from service.config import Settings
from service.conversations import MOST_BYTES, Conversations
from service.ledger.holds import Account
from service.schemas.admin import load_key_create
from service.wiring import Stores, open_stores
from tests.endpoints.conftest import error_of
from tests.harness import Caller, Sandbox, Service

PATH = "/v1/continuations"
FIRST: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "system": "I complete lyrics.",
    "examples": [{"user": "a", "assistant": "b"}],
    "prompt": "Listen to your",
    "rounds": 2,
    "max_tokens": 5,
}


@pytest.fixture
def caller(service: Service) -> Caller:
    return service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="5")


@pytest.fixture
def stranger(service: Service) -> Caller:
    return service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="5")


def run(caller: Caller, **fields: Any) -> dict[str, Any]:
    answer = caller.post(PATH, fields)
    assert answer.status == 200, answer.data
    body: dict[str, Any] = answer.json()
    return body


def ask(caller: Caller, method: str, id: str) -> urllib3.BaseHTTPResponse:
    headers = {"authorization": f"Bearer {caller.secret}"}
    return caller.service.request(method, f"{PATH}/{id}", headers=headers)


def test_nothing_is_kept_unless_asked_for(caller: Caller) -> None:
    for fields in ({}, {"store": False}, {"store": None}):
        body = run(caller, **FIRST, **fields)
        assert "store" not in body
        assert ask(caller, "GET", body["id"]).status == 404


def test_kept_run_reads_as_it_was_answered(caller: Caller) -> None:
    body = run(caller, **FIRST, store=True)
    assert body["store"] is True
    kept = ask(caller, "GET", body["id"])
    assert (kept.status, kept.json()) == (200, body)


def test_run_goes_on_where_the_one_before_ended(caller: Caller) -> None:
    first = run(caller, **FIRST, store=True)
    second = run(caller, prompt="And then?", previous_continuation_id=first["id"], max_tokens=5)
    question = {"role": "user", "content": "And then?"}
    assert second["messages"][:-1] == [*first["messages"], question]
    assert second["id"] != first["id"]
    assert second["model"] == "gpt-4o-mini"
    before = first["results"][-1]["usage"]["prompt_tokens"]
    assert second["results"][0]["usage"]["prompt_tokens"] > before
    assert ask(caller, "GET", first["id"]).json() == first


def test_streamed_run_is_kept_before_its_last_event(caller: Caller) -> None:
    answer = caller.post(PATH, {**FIRST, "store": True, "stream": True})
    data = answer.data.split(b"event: continuation.completed\ndata: ")[1].split(b"\n")[0]
    whole = json.loads(data)
    assert whole.pop("type") == "continuation.completed"
    assert ask(caller, "GET", whole["id"]).json() == whole
    assert len(run(caller, prompt="x", previous_continuation_id=whole["id"])["messages"]) == 8


def test_preset_gives_parameters_to_a_run_that_goes_on(caller: Caller) -> None:
    first = run(caller, **FIRST, store=True)
    headers = {"authorization": f"Bearer {caller.secret}"}
    preset = {"system": "Other.", "examples": [{"user": "c", "assistant": "d"}], "rounds": 2, "max_tokens": 2}
    assert caller.service.request("PUT", "/v1/presets/p", json=preset, headers=headers).status == 200
    second = run(caller, preset="p", prompt="x", previous_continuation_id=first["id"])
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert [result["usage"]["completion_tokens"] for result in second["results"]] == [2, 2]
    assert "Other." not in json.dumps(second)


@pytest.mark.parametrize("extra", [{"system": "x"}, {"examples": []}])
def test_beginning_of_its_own_is_refused(caller: Caller, sandbox: Sandbox, extra: dict[str, Any]) -> None:
    body = {"model": "gpt-4o-mini", "prompt": "x", "previous_continuation_id": "cont_1", **extra}
    answer = caller.post(PATH, body)
    error = error_of(answer)
    assert (answer.status, error["code"]) == (400, "invalid_parameter_combination")
    assert error["param"] == next(iter(extra))
    assert sandbox.bill()["requests_seen"] == 0


def test_runs_of_another_project_do_not_exist(caller: Caller, stranger: Caller, sandbox: Sandbox) -> None:
    first = run(caller, **FIRST, store=True)
    sandbox.forget()
    for method in ("GET", "DELETE"):
        answer = ask(stranger, method, first["id"])
        assert (answer.status, error_of(answer)["code"]) == (404, "not_found")
    answer = stranger.post(PATH, {"prompt": "x", "previous_continuation_id": first["id"]})
    error = error_of(answer)
    assert (answer.status, error["code"], error["param"]) == (404, "not_found", "previous_continuation_id")
    assert sandbox.bill()["requests_seen"] == stranger.held() == 0
    assert ask(caller, "GET", first["id"]).status == 200


def test_forgotten_run_is_gone(caller: Caller) -> None:
    id = run(caller, **FIRST, store=True)["id"]
    answer = ask(caller, "DELETE", id)
    assert (answer.status, answer.json()) == (200, {"id": id, "object": "continuation", "deleted": True})
    assert ask(caller, "GET", id).status == ask(caller, "DELETE", id).status == 404
    assert caller.post(PATH, {"prompt": "x", "previous_continuation_id": id}).status == 404


def test_revoked_key_reads_nothing(service: Service, caller: Caller) -> None:
    id = run(caller, **FIRST, store=True)["id"]
    service.admin("DELETE", f"/keys/{caller.id}")
    for answer in (
        ask(caller, "GET", id),
        ask(caller, "DELETE", id),
        caller.post(PATH, {"prompt": "x", "previous_continuation_id": id}),
    ):
        assert (answer.status, error_of(answer)["code"]) == (401, "key_revoked")


# The store by itself.


@pytest.fixture
def account(stores: Stores, project: str) -> Account:
    _, secret = stores.keys.create(load_key_create({"name": "k", "project": project}))
    return stores.keys.authenticate(secret)


def test_kept_run_expires(stores: Stores, account: Account) -> None:
    kept = Conversations(stores.client, ttl_seconds=500)
    assert kept.keep(account, {"id": "cont_1"})
    (name,) = stores.client.keys(f"*:kept:{account.project}:*")
    assert 0 < stores.client.ttl(name) <= 500
    kept.remove(account, "cont_1")


def test_run_that_is_too_large_is_not_kept(stores: Stores, account: Account) -> None:
    assert not stores.conversations.keep(account, {"id": "cont_1", "messages": "x" * MOST_BYTES})
    assert stores.client.keys(f"*:kept:{account.project}:*") == []


def test_run_that_redis_does_not_take_is_answered_all_the_same(account: Account) -> None:
    away = open_stores(Settings(), "redis://127.0.0.1:1/0")
    assert away.conversations.keep(account, {"id": "cont_1"}) is False
