"""/v1/files: byte for byte through the service, and each project sees its own."""

import json
import secrets
from typing import Any

import openai
import pytest
import redis
import urllib3
from urllib3.filepost import encode_multipart_formdata

from service.call import Incoming
from service.errors import Conflict, LedgerUnavailable
from service.file_calls import FileCalls
from service.files import Files
from service.free_calls import FreeCalls
from service.ledger import names
from service.shelf import Shelf
from service.uploads.spool import spooled
from service.upstream.client import Upstream
from service.wiring import Stores
from tests.conftest import MakeKey
from tests.endpoints.conftest import error_of
from tests.harness import Caller, Sandbox, Service

BYTES = bytes(range(256)) * 1_000 + b"\r\n--not-the-boundary\r\n"


@pytest.fixture(scope="module")
def service(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("data")
    running = Service(sandbox.url, workers=1, SPENDGATE_DATA_DIR=folder, SPENDGATE_MAX_UPLOAD_MB=1)
    yield running
    running.kill()


@pytest.fixture
def caller(service: Service) -> Caller:
    return service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="5")


@pytest.fixture
def stranger(service: Service) -> Caller:
    return service.new_key(project=f"p-{secrets.token_hex(6)}", hard_limit_usd="5")


def call(caller: Caller, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
    headers = {"authorization": f"Bearer {caller.secret}", **options.pop("headers", {})}
    return caller.service.request(method, f"/v1/files{path}", headers=headers, **options)


def send(caller: Caller, *, content: bytes = BYTES, **fields: Any) -> urllib3.BaseHTTPResponse:
    form = {"purpose": "user_data", **fields, "file": ("a b.bin", content, "application/octet-stream")}
    form = {name: value for name, value in form.items() if value is not None}
    return call(caller, "POST", "", fields=form)


def upload(caller: Caller, **fields: Any) -> dict[str, Any]:
    answer = send(caller, **fields)
    assert answer.status == 200, answer.data
    file: dict[str, Any] = answer.json()
    return file


def ids(caller: Caller, query: str = "") -> list[str]:
    answer = call(caller, "GET", query)
    assert answer.status == 200, answer.data
    return [file["id"] for file in answer.json()["data"]]


def asking_about(file_id: str) -> dict[str, Any]:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "file", "file": {"file_id": file_id}}]
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": parts}]}


def test_file_comes_back_as_it_was_sent(caller: Caller) -> None:
    file = upload(caller)
    assert (file["object"], file["bytes"], file["filename"]) == ("file", len(BYTES), "a b.bin")
    answer = call(caller, "GET", f"/{file['id']}/content")
    assert (answer.status, answer.data) == (200, BYTES)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert call(caller, "GET", f"/{file['id']}").json() == file


def test_files_cost_nothing(caller: Caller, sandbox: Sandbox) -> None:
    call(caller, "DELETE", f"/{upload(caller)['id']}")
    assert (caller.spent(), caller.held(), sandbox.bill()["count"]) == (0, 0, 0)
    assert caller.service.admin("GET", f"/ledger?key={caller.id}")["data"] == []


def test_deleted_file_is_gone(caller: Caller) -> None:
    id = upload(caller)["id"]
    answer = call(caller, "DELETE", f"/{id}")
    assert (answer.status, answer.json()) == (200, {"object": "file", "deleted": True, "id": id})
    assert call(caller, "GET", f"/{id}").status == call(caller, "DELETE", f"/{id}").status == 404
    assert ids(caller) == []


def test_files_are_listed_in_pages(caller: Caller) -> None:
    made = [upload(caller, purpose=purpose) for purpose in ("user_data", "vision", "assistants")]
    newest_first = [file["id"] for file in reversed(made)]
    assert ids(caller) == newest_first
    assert ids(caller, "?order=asc") == newest_first[::-1]
    page = call(caller, "GET", "?limit=2").json()
    assert ([file["id"] for file in page["data"]], page["has_more"]) == (newest_first[:2], True)
    assert (page["first_id"], page["last_id"]) == (newest_first[0], newest_first[1])
    assert ids(caller, f"?limit=2&after={newest_first[1]}") == newest_first[2:]
    assert [file["purpose"] for file in call(caller, "GET", "?purpose=vision").json()["data"]] == ["vision"]


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "order=up", "after=file-none"])
def test_wrong_page_is_refused(caller: Caller, query: str) -> None:
    answer = call(caller, "GET", f"?{query}")
    assert (answer.status, error_of(answer)["param"]) == (400, query.split("=")[0])


def test_file_that_expired_is_not_listed(caller: Caller) -> None:
    kept = upload(caller, **{"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"})
    upload(caller, **{"expires_after[anchor]": "created_at", "expires_after[seconds]": "0"})
    assert ids(caller) == [kept["id"]]


def test_official_sdk_finds_its_way(caller: Caller) -> None:
    with openai.OpenAI(base_url=f"{caller.service.url}/v1", api_key=caller.secret, max_retries=0) as client:
        file = client.files.create(file=("notes.txt", b"some notes"), purpose="user_data")
        assert client.files.retrieve(file.id) == file
        assert [each.id for each in client.files.list()] == [file.id]
        assert client.files.content(file.id).read() == b"some notes"
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.content(file.id)


# Whose files.


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("GET", "/content"), ("DELETE", "")])
def test_files_of_another_project_do_not_exist(
    caller: Caller, stranger: Caller, sandbox: Sandbox, method: str, rest: str
) -> None:
    id = upload(caller)["id"]
    answer = call(stranger, method, f"/{id}{rest}")
    error = error_of(answer)
    assert (answer.status, error["code"]) == (404, "not_found")
    assert error == error_of(call(stranger, method, f"/{id}{rest}"))
    assert answer.headers["x-spendgate-error-source"] == "spendgate"
    assert call(caller, "GET", f"/{id}").status == 200
    assert ids(stranger) == []


def test_file_of_the_upstream_that_nobody_uploaded_here_does_not_exist(
    caller: Caller, sandbox: Sandbox
) -> None:
    with openai.OpenAI(base_url=sandbox.url, api_key="x") as client:
        id = client.files.create(file=("a", b"a"), purpose="user_data").id
    assert call(caller, "GET", f"/{id}").status == 404
    assert ids(caller) == []


@pytest.mark.parametrize("id", ["..", "%2e%2e", "..%2fmodels", "a%2fcontent"])
def test_an_id_is_no_path(caller: Caller, id: str) -> None:
    assert call(caller, "GET", f"/{id}").status == 404


def test_revoked_key_sees_no_files(service: Service, caller: Caller) -> None:
    id = upload(caller)["id"]
    service.admin("DELETE", f"/keys/{caller.id}")
    answers = [call(caller, "GET", path) for path in ("", f"/{id}", f"/{id}/content")]
    for answer in [*answers, call(caller, "DELETE", f"/{id}"), send(caller)]:
        assert (answer.status, error_of(answer)["code"]) == (401, "key_revoked")


# What is taken.


@pytest.mark.parametrize("purpose", ["batch", "fine-tune", "evals", "anything"])
def test_purposes_of_what_is_not_offered_are_refused(caller: Caller, sandbox: Sandbox, purpose: str) -> None:
    answer = send(caller, purpose=purpose)
    error = error_of(answer)
    assert (answer.status, error["code"], error["param"]) == (400, "unsupported_value", "purpose")
    assert sandbox.bill()["requests_seen"] == 0


def test_form_without_a_purpose_or_a_file_is_refused(caller: Caller, sandbox: Sandbox) -> None:
    answer = send(caller, purpose=None)
    assert (answer.status, error_of(answer)["param"]) == (400, "purpose")
    answer = call(caller, "POST", "", fields={"purpose": "user_data", "file": "a text"})
    assert (answer.status, error_of(answer)["param"]) == (400, "file")
    assert sandbox.bill()["requests_seen"] == 0


def test_purpose_that_is_said_twice_is_refused(caller: Caller, sandbox: Sandbox) -> None:
    fields = [("purpose", "user_data"), ("purpose", "batch"), ("file", ("a", b"a", "text/plain"))]
    answer = call(caller, "POST", "", fields=fields)
    assert (answer.status, error_of(answer)["param"]) == (400, "purpose")
    assert sandbox.bill()["requests_seen"] == 0


def test_what_is_no_form_is_refused(caller: Caller) -> None:
    answer = caller.post("/v1/files", {"purpose": "user_data"})
    assert (answer.status, error_of(answer)["code"]) == (415, "unsupported_media_type")


def test_upload_beyond_the_limit_is_refused(caller: Caller, sandbox: Sandbox) -> None:
    answer = send(caller, content=b"x" * 1024 * 1024)
    assert (answer.status, error_of(answer)["code"]) == (413, "request_too_large")
    assert sandbox.bill()["requests_seen"] == 0


@pytest.mark.parametrize("status", [400, 500])
def test_what_the_upstream_refuses_is_passed_on(caller: Caller, sandbox: Sandbox, status: int) -> None:
    sandbox.misbehave(status=status)
    answer = send(caller)
    assert (answer.status, answer.headers["x-spendgate-error-source"]) == (status, "upstream")
    assert ids(caller) == []


def test_credentials_of_the_service_are_not_talked_about(caller: Caller, sandbox: Sandbox) -> None:
    id = upload(caller)["id"]
    sandbox.misbehave(status=401)
    for answer in (send(caller), call(caller, "GET", f"/{id}"), call(caller, "GET", f"/{id}/content")):
        assert (answer.status, error_of(answer)["code"]) == (502, "upstream_auth_failed")


# The shelf they stand on.


def test_shelf_that_is_full_takes_no_more(stores: Stores, make_key: MakeKey) -> None:
    account = stores.keys.authenticate(make_key()[1])
    shelf = Shelf(stores.client, names.files, most=2, what="files")
    shelf.put(account, "a", {"n": 1})
    shelf.put(account, "b", {})
    with pytest.raises(Conflict):
        shelf.put(account, "c", {})
    with pytest.raises(Conflict):
        shelf.require_room(account)
    shelf.put(account, "a", {"n": 2})
    assert shelf.get(account, "a") == {"n": 2}
    assert shelf.has_all(account, ["a", "c"]) == {"a": True, "c": False}
    assert shelf.remove(account, "b")
    assert not shelf.remove(account, "b")
    assert shelf.all(account) == {"a": {"n": 2}}


class Forgetful:
    """Redis, which goes away when something is to be kept."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, command: str) -> Any:
        if command == "hset":
            raise redis.ConnectionError
        return getattr(self._client, command)


def test_upload_that_cannot_be_noted_is_deleted_again(
    stores: Stores, make_key: MakeKey, sandbox: Sandbox
) -> None:
    _, secret = make_key()
    upstream = Upstream(base_url=sandbox.url, api_key="x", timeout_seconds=5)
    free_calls = FreeCalls(stores.keys, stores.files, stores.responses, upstream)
    calls = FileCalls(Files(Forgetful(stores.client)), free_calls)
    kind, body = encode_multipart_formdata({"purpose": "user_data", "file": ("forgotten", b"a")})[::-1]
    before = upstream.get("/files").read()
    with spooled([body], kind, kind.split("=")[1].encode()) as form:
        incoming = Incoming(secret=secret, raw=b"", request_id="sgr_1", headers={}, upload=form)
        with pytest.raises(LedgerUnavailable):
            calls.upload(stores.keys.authenticate(secret), incoming)
    assert sandbox.bill()["requests_seen"] == 1
    assert upstream.get("/files").read() == before


# Files in prompts.


def test_own_file_is_put_into_a_prompt_at_the_whole_window(caller: Caller, sandbox: Sandbox) -> None:
    answer = caller.post("/v1/chat/completions", asking_about(upload(caller)["id"]) | {"max_tokens": 10})
    assert answer.status == 200, answer.data
    (row,) = caller.service.admin("GET", f"/ledger?key={caller.id}")["data"]
    # gpt-4o-mini: 128,000 tokens at $0.15, 10 at $0.60 per million.
    assert row["bound_usd"] == "0.019206000"
    assert caller.spent() == sandbox.billed_nano_usd()


def test_own_file_is_put_into_a_response(caller: Caller) -> None:
    id = upload(caller)["id"]
    content = [{"type": "input_file", "file_id": id}, {"type": "input_image", "file_id": id}]
    body = {"model": "gpt-4o-mini", "input": [{"role": "user", "content": content}], "max_output_tokens": 20}
    assert caller.post("/v1/responses", body).status == 200
    body["input"][0]["content"][1]["file_id"] = "file-none"  # type: ignore[index]
    answer = caller.post("/v1/responses", body)
    error = error_of(answer)
    assert (answer.status, error["param"]) == (400, "input[0].content[1].file_id")
    assert error["code"] == "unsupported_value"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/quote/chat/completions"])
def test_file_of_another_project_is_refused_before_anything_is_held(
    caller: Caller, stranger: Caller, sandbox: Sandbox, path: str
) -> None:
    body = asking_about(upload(caller)["id"])
    sandbox.forget()
    answer = stranger.post(path, body)
    error = error_of(answer)
    assert (answer.status, error["code"]) == (400, "unsupported_value")
    assert error["param"] == "messages[0].content[1].file.file_id"
    assert (stranger.held(), stranger.spent(), sandbox.bill()["requests_seen"]) == (0, 0, 0)


def test_file_that_was_deleted_is_refused(caller: Caller) -> None:
    id = upload(caller)["id"]
    assert call(caller, "DELETE", f"/{id}").status == 200
    assert caller.post("/v1/chat/completions", asking_about(id)).status == 400


@pytest.mark.parametrize(
    ("file", "param", "code"),
    [
        ({}, "file_data", "missing_required_parameter"),
        ({"file_id": "file-1", "file_data": "YQ=="}, "file_id", "invalid_parameter_combination"),
        ({"file_id": 5}, "file_id", "invalid_type"),
        ({"file_url": "https://a/b"}, "file_url", "unsupported_value"),
    ],
)
def test_wrong_file_part_is_refused(caller: Caller, file: dict[str, Any], param: str, code: str) -> None:
    body = asking_about("")
    body["messages"][0]["content"][1]["file"] = file
    error = error_of(caller.post("/v1/chat/completions", body))
    assert (error["param"], error["code"]) == (f"messages[0].content[1].file.{param}", code)


def test_metadata_that_looks_like_a_file_is_none(caller: Caller) -> None:
    answer = caller.chat(metadata={"file_id": "file-none"})
    assert answer.status == 200
    assert json.loads(answer.data)["object"] == "chat.completion"
