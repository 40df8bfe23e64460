"""Stored responses: continued, read and deleted by their own project, and by nobody else."""

import secrets
from collections.abc import Iterator
from itertools import count
from typing import Any

import openai
import pytest

from service.ledger.names import shard_of_project
from service.projects import DEFAULT_PROJECT
from tests.endpoints.conftest import error_of
from tests.endpoints.test_responses import MODEL, PATH, PNG, last_row, parts
from tests.harness import Caller, Sandbox, Service, eventually, nano

WINDOW_TOKENS = 128_000
LONG = "listen to your heart " * 500


@pytest.fixture
def sdk(service: Service, caller: Caller) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret, max_retries=0) as client:
        yield client


@pytest.fixture
def neighbour(service: Service) -> Caller:
    """A key of another project, which lives beside the caller's in the same shard."""
    shard = shard_of_project(DEFAULT_PROJECT)
    projects = (f"p-{secrets.token_hex(6)}" for _ in count())
    return service.new_key(project=next(each for each in projects if shard_of_project(each) == shard))


def make(caller: Caller, **fields: Any) -> dict[str, Any]:
    answer = caller.post(PATH, {"model": MODEL, "input": "Listen to your", "max_output_tokens": 30, **fields})
    assert answer.status == 200, answer.data
    made: dict[str, Any] = answer.json()
    return made


def held_input_tokens(caller: Caller) -> int:
    """The input bound of the caller's last gpt-4o-mini call with a cap of 30."""
    return (nano(last_row(caller)["bound_usd"]) - 30 * 600) // 150


def ask(caller: Caller, method: str, id: str, query: str = "") -> Any:
    headers = {"authorization": f"Bearer {caller.secret}"}
    return caller.service.request(method, f"{PATH}/{id}{query}", headers=headers)


def test_a_conversation_is_billed_and_booked_with_all_that_came_before(
    sdk: openai.OpenAI, caller: Caller, sandbox: Sandbox
) -> None:
    response = sdk.responses.create(model=MODEL, input="Listen to your")
    for _ in range(4):
        before = response
        response = sdk.responses.create(model=MODEL, input="And then?", previous_response_id=before.id)
        assert before.usage is not None
        assert response.usage is not None
        assert response.usage.input_tokens > before.usage.total_tokens
        assert nano(last_row(caller)["cost_usd"]) <= nano(last_row(caller)["bound_usd"])
    assert caller.spent() == sandbox.billed_nano_usd()


def test_what_is_continued_is_held_at_its_recorded_tokens(caller: Caller) -> None:
    first = make(caller, input=LONG)
    alone = make(caller, input="And then?", store=False)
    without = held_input_tokens(caller)
    make(caller, input="And then?", store=False, previous_response_id=first["id"])
    sent = len('"previous_response_id":"",') + len(first["id"])
    assert held_input_tokens(caller) == without + sent + first["usage"]["total_tokens"]
    assert alone["usage"]["total_tokens"] < first["usage"]["total_tokens"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"input": parts({"type": "input_image", "image_url": PNG})}, id="image"),
        pytest.param({"truncation": "auto"}, id="truncated"),
        pytest.param({"model": "gpt-4-turbo"}, id="another vocabulary"),
        pytest.param({"unknown_to_us": 1}, id="unknown field"),
    ],
)
def test_what_may_count_otherwise_later_is_held_at_the_window(caller: Caller, fields: dict[str, Any]) -> None:
    first = make(caller, **fields)
    second = make(caller, previous_response_id=first["id"])
    assert held_input_tokens(caller) == WINDOW_TOKENS
    make(caller, previous_response_id=second["id"])
    assert held_input_tokens(caller) == WINDOW_TOKENS, "it is in the third turn, too"


def test_a_response_without_usage_is_continued_at_the_window(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(no_usage=1)
    first = make(caller)
    sandbox.misbehave()
    make(caller, previous_response_id=first["id"])
    assert held_input_tokens(caller) == WINDOW_TOKENS


def test_all_reasoning_of_a_conversation_is_held_again(caller: Caller, sandbox: Sandbox) -> None:
    """A model may be shown the reasoning of turns whose own usage left it out."""
    fields = {"model": "gpt-5-mini", "max_output_tokens": 2_000}
    sandbox.misbehave(reasoning_tokens=1_000)
    turn = make(caller, **fields)
    sandbox.misbehave()
    for _ in range(3):
        before = turn
        turn = make(caller, previous_response_id=before["id"], **fields)
        bound_pico = nano(last_row(caller)["bound_usd"]) * 1_000
        held = (bound_pico - 2_000 * 2_000_000) // 250_000
        hidden = 0 if "reasoning" in {item["type"] for item in before["output"]} else 1_000
        assert held >= before["usage"]["total_tokens"] + hidden


def test_reasoning_given_back_by_its_id_is_held_at_its_tokens(
    caller: Caller, neighbour: Caller, sandbox: Sandbox
) -> None:
    sandbox.misbehave(reasoning_tokens=700)
    fields = {"model": "gpt-5-mini", "max_output_tokens": 2_000}
    first = make(caller, **fields)
    again = [*first["output"], {"role": "user", "content": "And then?"}]
    make(caller, input=again, **fields)
    bound_pico = nano(last_row(caller)["bound_usd"]) * 1_000
    assert 700 <= (bound_pico - 2_000 * 2_000_000) // 250_000 < 2_000
    stranger = neighbour.post(PATH, {"input": again, **fields})
    assert (stranger.status, error_of(stranger)["param"]) == (404, "input[0].id")


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_response_is_read_and_deleted_by_its_project_alone(
    caller: Caller, neighbour: Caller, sandbox: Sandbox, streamed: bool
) -> None:
    made = caller.post(PATH, {"model": MODEL, "input": "x", "stream": streamed})
    id = f"resp_{made.data.decode().split('resp_', 1)[1].split(chr(34), 1)[0]}"
    spent = caller.spent()
    for method in ("GET", "DELETE"):
        stranger = ask(neighbour, method, id)
        assert (stranger.status, error_of(stranger)["code"]) == (404, "not_found")
    shown = ask(caller, "GET", id, "?include=message.output_text.logprobs")
    assert (shown.status, shown.json()["id"]) == (200, id)
    assert shown.headers["x-request-id"].startswith("req_")
    assert ask(caller, "DELETE", id).json() == {"id": id, "object": "response", "deleted": True}
    assert error_of(ask(caller, "GET", id))["code"] == "not_found"
    assert error_of(ask(caller, "DELETE", id))["code"] == "not_found"
    assert (caller.spent(), sandbox.bill()["count"]) == (spent, 1)


def test_keys_of_one_project_share_its_responses(service: Service) -> None:
    project = f"p-{secrets.token_hex(6)}"
    one, other = service.new_key(project=project), service.new_key(project=project)
    made = make(one)
    assert ask(other, "GET", made["id"]).status == 200
    assert make(other, previous_response_id=made["id"])["previous_response_id"] == made["id"]


@pytest.mark.parametrize("path", [PATH, f"{PATH}/input_tokens"])
def test_another_projects_response_cannot_be_continued(
    caller: Caller, neighbour: Caller, sandbox: Sandbox, path: str
) -> None:
    made = make(caller)
    seen = sandbox.bill()["requests_seen"]
    for id in (made["id"], "resp_of_nobody"):
        answer = neighbour.post(path, {"model": MODEL, "input": "x", "previous_response_id": id})
        error = error_of(answer)
        assert (answer.status, error["code"], error["param"]) == (404, "not_found", "previous_response_id")
    assert sandbox.bill()["requests_seen"] == seen
    assert neighbour.held() == 0


def test_what_is_not_stored_cannot_be_named(caller: Caller) -> None:
    made = make(caller, store=False)
    assert ask(caller, "GET", made["id"]).status == 404
    answer = caller.post(PATH, {"model": MODEL, "input": "x", "previous_response_id": made["id"]})
    assert answer.status == 404


def test_a_response_that_was_cut_off_cannot_be_named(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(cut_after=2)
    told = caller.post(PATH, {"model": MODEL, "input": "x", "stream": True}).data.decode()
    id = f"resp_{told.split('resp_', 1)[1].split(chr(34), 1)[0]}"
    eventually(lambda: caller.held() == 0)
    assert ask(caller, "GET", id).status == 404


@pytest.mark.parametrize("id", ["resp_of%2Fnobody", "..%2F..%2Fmodels", "resp_%E2%82%AC%20x", "r" * 300])
def test_no_odd_id_reaches_the_upstream(caller: Caller, id: str) -> None:
    assert ask(caller, "GET", id).status == 404


def test_reading_needs_a_good_key(service: Service) -> None:
    caller = service.new_key()
    made = make(caller)
    service.admin("DELETE", f"/keys/{caller.id}")
    assert error_of(ask(caller, "GET", made["id"]))["code"] == "key_revoked"


def test_a_file_of_the_project_can_be_named_and_is_held_at_the_window(
    sdk: openai.OpenAI, caller: Caller, neighbour: Caller
) -> None:
    file = sdk.files.create(file=("notes.pdf", b"%PDF-"), purpose="user_data")
    given = parts({"type": "input_file", "file_id": file.id})
    make(caller, input=given)
    assert held_input_tokens(caller) == WINDOW_TOKENS
    stranger = neighbour.post(PATH, {"model": MODEL, "input": given})
    error = error_of(stranger)
    assert (stranger.status, error["code"], error["param"]) == (
        400,
        "unsupported_value",
        "input[0].content[1].file_id",
    )


def test_compacting_is_not_offered(caller: Caller) -> None:
    answer = caller.post(f"{PATH}/compact", {"model": MODEL, "input": "x"})
    assert (answer.status, error_of(answer)["code"]) == (404, "unknown_url")
