"""The HTTP edge: what is refused, how every error looks, and that a refusal reaches nobody."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3

from service.admins import Admins
from service.config import Settings
from service.errors import LedgerUnavailable, Unauthenticated
from service.ledger import names
from service.wiring import Stores, open_stores
from tests.flow.conftest import Books
from tests.flow.raw_upstream import PATIENCE_SECONDS, RawUpstream, Wire
from tests.flow.scripts import answer, completion, refusal
from tests.harness import ADMIN_KEY, HELLO, Caller, Service, nano

CHAT = "/v1/chat/completions"


def error_of(reply: urllib3.BaseHTTPResponse, status: int, code: str) -> dict[str, Any]:
    """The error object, after a look at everything that all our errors share."""
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json"), reply.data
    assert reply.headers["x-spendgate-error-source"] == "spendgate"
    assert reply.headers["x-spendgate-request-id"].startswith("sgr_")
    body = json.loads(reply.data)
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert error["code"] == code, error
    assert set(error) - {"details"} == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert "Traceback" not in error["message"]
    return error


def auth(secret: str, **headers: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}", "content-type": "application/json", **headers}


# Bodies.


def with_model(rest: str = "", model: str = "gpt-4o-mini") -> bytes:
    return f'{{"model": "{model}", "messages": [{{"role": "user", "content": "x"}}]{rest}}}'.encode()


BODIES: dict[str, tuple[bytes, str, str | None]] = {
    "empty": (b"", "invalid_json", None),
    "no JSON": (b"{", "invalid_json", None),
    "no UTF-8": (with_model(', "user": "?"').replace(b"?", b"\xff"), "invalid_json", None),
    "a list": (b"[]", "invalid_json", None),
    "NaN": (with_model(', "temperature": NaN'), "invalid_json", None),
    "a key twice": (with_model(', "n": 1, "n": 100'), "invalid_json", None),
    "no model": (
        with_model().replace(b'"model": "gpt-4o-mini", ', b""),
        "missing_required_parameter",
        "model",
    ),
    "no messages": (b'{"model": "gpt-4o-mini"}', "missing_required_parameter", "messages"),
    "a model of the wrong type": (b'{"model": 4, "messages": []}', "invalid_type", "model"),
    "an unpriced model": (with_model(model="gpt-4o-minni"), "model_not_priced", "model"),
    "an unknown role": (
        with_model().replace(b"}]", b'}, {"role": "robot"}]'),
        "invalid_value",
        "messages[1].role",
    ),
    "a number as text": (with_model(', "n": "5"'), "invalid_type", "n"),
    "a number out of range": (with_model(', "n": 129'), "invalid_value", "n"),
    "both caps": (
        with_model(', "max_tokens": 1, "max_completion_tokens": 1'),
        "invalid_parameter_combination",
        "max_tokens",
    ),
    "hosted tools": (
        with_model(', "tools": [{"type": "web_search"}]'),
        "unsupported_value",
        "tools[0].type",
    ),
    "web search": (with_model(', "web_search_options": {}'), "unsupported_value", "web_search_options"),
}


@pytest.mark.parametrize(("raw", "code", "param"), BODIES.values(), ids=BODIES.keys())
def test_a_body_that_does_not_validate_never_reaches_the_upstream(
    caller: Caller, upstream: RawUpstream, books: Books, raw: bytes, code: str, param: str | None
) -> None:
    error = error_of(caller.service.request("POST", CHAT, body=raw, headers=auth(caller.secret)), 400, code)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert upstream.requests == []
    assert books.of(caller).is_untouched


def test_an_unpriced_model_gets_a_suggestion(caller: Caller) -> None:
    error = error_of(caller.chat(model="gpt-4o-minni"), 400, "model_not_priced")
    assert "Did you mean 'gpt-4o-mini'?" in error["message"]


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield b" " * 65_536


@pytest.mark.parametrize("path", [CHAT, "/v1/continuations", "/v1/tokens"])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_huge_body_is_refused(caller: Caller, upstream: RawUpstream, path: str, in_chunks: bool) -> None:
    body: Any = pieces(1_200_000) if in_chunks else b" " * 1_200_000
    reply = caller.service.request("POST", path, body=body, headers=auth(caller.secret), chunked=in_chunks)
    assert "1 MB" in error_of(reply, 413, "request_too_large")["message"]
    assert upstream.requests == []


def test_a_body_in_chunks_is_taken(caller: Caller, upstream: RawUpstream) -> None:
    raw = json.dumps({"model": "gpt-4o-mini", "messages": HELLO}).encode()
    halves = iter((raw[:20], raw[20:]))
    reply = caller.service.request("POST", CHAT, body=halves, headers=auth(caller.secret), chunked=True)
    assert reply.status == 200
    assert upstream.requests[0].body == raw


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
@pytest.mark.parametrize("path", [CHAT, "/v1/continuations", "/v1/tokens"])
def test_a_form_is_no_json(caller: Caller, upstream: RawUpstream, path: str, kind: str) -> None:
    headers = auth(caller.secret) | {"content-type": kind}
    reply = caller.service.request("POST", path, body=b"a=b", headers=headers)
    error_of(reply, 415, "unsupported_media_type")
    assert upstream.requests == []


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.api+json", None])
def test_json_by_any_name_is_taken(caller: Caller, kind: str | None) -> None:
    headers = {"authorization": f"Bearer {caller.secret}"} | ({"content-type": kind} if kind else {})
    raw = json.dumps({"model": "gpt-4o-mini", "messages": HELLO}).encode()
    assert caller.service.request("POST", CHAT, body=raw, headers=headers).status == 200


# Who calls.

VALID = {
    CHAT: {"model": "gpt-4o-mini", "messages": HELLO},
    "/v1/continuations": {"model": "gpt-4o-mini", "prompt": "x"},
    "/v1/tokens": {"model": "gpt-4o-mini", "input": "x"},
}
PATHS = [*(("POST", path) for path in VALID), ("GET", "/v1/key"), ("GET", "/v1/models")]


def ask(service: Service, method: str, path: str, authorization: str | None) -> urllib3.BaseHTTPResponse:
    """Ask with a body that validates, as whoever that is."""
    headers = {} if authorization is None else {"authorization": authorization}
    return service.request(method, path, json=VALID.get(path), headers=headers)


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic dTpw", "sk-sg-0abc"])
def test_a_request_without_a_key_is_told_how(
    service: Service, upstream: RawUpstream, method: str, path: str, authorization: str | None
) -> None:
    error = error_of(ask(service, method, path, authorization), 401, "invalid_api_key")
    assert "Authorization: Bearer" in error["message"]
    assert upstream.requests == []


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("state", ["revoked", "expired", "mistyped", "never made", "of another service"])
def test_a_key_that_is_no_good_opens_nothing(
    service: Service, stores: Stores, upstream: RawUpstream, method: str, path: str, state: str
) -> None:
    caller = service.new_key()
    secret, code = caller.secret, "invalid_api_key"
    if state == "revoked":
        service.admin("DELETE", f"/keys/{caller.id}")
        code = "key_revoked"
    elif state == "expired":
        past = int((datetime.now(UTC) - timedelta(seconds=1)).timestamp() * 1000)
        stores.client.hset(names.key(caller.id[4], caller.id), "expires_at", past)
        code = "key_expired"
    elif state == "mistyped":
        secret = secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:]
    elif state == "never made":
        stores.client.delete(names.secret(caller.id[4], stores.keys.get(caller.id).secret_hashes[0]))
    else:
        secret = "sk-proj-abcdefghijklmnopqrstuvwxyz"
    error = error_of(ask(service, method, path, f"Bearer {secret}"), 401, code)
    assert error["type"] == "invalid_request_error"
    assert upstream.requests == []


def test_a_mistyped_key_is_refused_without_asking_redis(caller: Caller) -> None:
    nowhere = open_stores(Settings(), "unix:///nowhere/redis.sock")
    with pytest.raises(Unauthenticated):
        nowhere.keys.authenticate(caller.secret[:-1] + "!")
    with pytest.raises(LedgerUnavailable):
        nowhere.keys.authenticate(caller.secret)
    assert not Admins(nowhere.client, ADMIN_KEY).is_admin(caller.secret[:-1] + "!")


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_an_admin_key_opens_no_model(service: Service, upstream: RawUpstream, method: str, path: str) -> None:
    error_of(ask(service, method, path, f"Bearer {ADMIN_KEY}"), 403, "wrong_key_kind")
    assert upstream.requests == []


def test_an_api_key_opens_no_admin_page(caller: Caller) -> None:
    for path in ("/admin/keys", "/admin/usage", "/admin/ledger"):
        reply = caller.service.request("GET", path, headers=auth(caller.secret))
        error_of(reply, 403, "wrong_key_kind")


def test_a_model_that_the_key_may_not_use_is_refused(service: Service, upstream: RawUpstream) -> None:
    caller = service.new_key(models=["gpt-4.1*"])
    error = error_of(caller.chat(), 403, "model_not_allowed")
    assert (error["param"], error["type"]) == ("model", "invalid_request_error")
    assert upstream.requests == []
    assert caller.chat(model="gpt-4.1-nano").status == 200


# What is asked for.


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST"),
        ("DELETE", CHAT, "POST"),
        ("PUT", "/v1/continuations", "POST"),
        ("GET", "/v1/tokens", "POST"),
        ("POST", "/v1/models", "GET"),
        ("DELETE", "/v1/models/gpt-4o-mini", "GET"),
        ("POST", "/v1/key", "GET"),
    ],
)
def test_the_wrong_method_is_told_the_right_one(caller: Caller, method: str, path: str, allowed: str) -> None:
    reply = caller.service.request(method, path, headers=auth(caller.secret))
    assert allowed in error_of(reply, 405, "method_not_allowed")["message"]
    assert reply.headers["allow"] == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v2/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions/chatcmpl-1",
        "/v1/batches",
        "/v1/realtime/sessions",
        "/v1/fine_tuning/jobs",
        "/v1/videos",
        "/v1/assistants",
        "/v1/threads/t/runs",
        "/v1/vector_stores",
        "/v1/containers",
        "/v1/evals",
        "/v1/responses/compact",
        "/v1/organization/usage/completions",
        "/v1/%00",
        "/v1/../admin/keys/x/y",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_offered_is_an_unknown_url(
    caller: Caller, upstream: RawUpstream, method: str, path: str
) -> None:
    reply = caller.service.request(method, path, headers=auth(caller.secret))
    error_of(reply, 404, "unknown_url")
    assert upstream.requests == []


# Rates and money.


@contextmanager
def one_call_running(caller: Caller, upstream: RawUpstream, **fields: Any) -> Iterator[None]:
    """A call of the key waits for its answer while the block runs."""
    go = threading.Event()

    def slowly(wire: Wire) -> None:
        assert go.wait(PATIENCE_SECONDS)
        answer(completion())(wire)

    upstream.plays(slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: caller.chat(**fields))
        upstream.wait_for_request()
        try:
            yield
        finally:
            go.set()
        assert first.result(PATIENCE_SECONDS).status == 200


def test_too_many_requests_are_refused_with_the_time_to_wait(service: Service, upstream: RawUpstream) -> None:
    caller = service.new_key(requests_per_minute=2)
    assert [caller.chat().status for _ in range(2)] == [200, 200]
    reply = caller.chat()
    assert error_of(reply, 429, "rate_limit_exceeded")["type"] == "requests"
    assert 1 <= int(reply.headers["retry-after"]) <= 30
    assert 0 < int(reply.headers["retry-after-ms"]) <= 30_000
    assert reply.headers["x-ratelimit-limit-requests"] == "2"
    assert reply.headers["x-ratelimit-remaining-requests"] == "0"
    assert reply.headers["x-ratelimit-reset-requests"] == f"{reply.headers['retry-after-ms']}ms"
    assert len(upstream.requests) == 2


def test_too_many_tokens_are_refused_with_the_time_to_wait(service: Service, upstream: RawUpstream) -> None:
    caller = service.new_key(tokens_per_minute=200)
    assert caller.chat().status == 200
    reply = caller.chat()
    assert error_of(reply, 429, "rate_limit_exceeded")["type"] == "tokens"
    assert reply.headers["x-ratelimit-limit-tokens"] == "200"
    assert int(reply.headers["retry-after"]) >= 1
    assert len(upstream.requests) == 1


def test_too_many_calls_at_once_are_refused(service: Service, upstream: RawUpstream) -> None:
    caller = service.new_key(max_concurrency=1)
    with one_call_running(caller, upstream):
        reply = caller.chat()
        assert error_of(reply, 429, "rate_limit_exceeded")["type"] == "requests"
        assert int(reply.headers["retry-after"]) >= 1
        assert len(upstream.requests) == 1
    assert caller.chat().status == 200


def test_our_rate_headers_come_on_refusals_only(service: Service, upstream: RawUpstream) -> None:
    headers = service.new_key(requests_per_minute=2).chat().headers
    assert not [name for name in headers if name.lower().startswith("x-ratelimit")]


def test_money_that_running_calls_hold_is_worth_a_retry(service: Service, upstream: RawUpstream) -> None:
    caller = service.new_key(hard_limit_usd="0.001")
    with one_call_running(caller, upstream, max_tokens=1000):
        reply = caller.chat(max_tokens=1000)
        error = error_of(reply, 429, "budget_in_flight")
        assert error["type"] == "insufficient_quota"
        assert 1 <= int(reply.headers["retry-after"]) <= 5
        assert reply.headers.get("x-should-retry") != "false"
        details = error["details"]
        assert (details["reason"], details["scope"]) == ("budget_in_flight", "key")
        assert nano(details["held_usd"]) > 0
    assert caller.chat(max_tokens=1000).status == 200


def test_a_limit_that_was_reached_is_not_worth_a_retry(service: Service, upstream: RawUpstream) -> None:
    caller = service.new_key(hard_limit_usd="0.000400")
    upstream.plays(answer(completion(usage={"prompt_tokens": 0, "completion_tokens": 1000})))
    assert caller.chat(max_tokens=5).status == 200
    reply = caller.chat(max_tokens=5)
    error = error_of(reply, 429, "insufficient_quota")
    assert error["type"] == "insufficient_quota"
    assert reply.headers["x-should-retry"] == "false"
    assert "retry-after" not in reply.headers
    details = error["details"]
    now = datetime.now(UTC)
    next_month = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    assert details == {
        "reason": "hard_limit_reached",
        "scope": "key",
        "limit_usd": "0.000400000",
        "spent_usd": "0.000600000",
        "held_usd": "0.000000000",
        "in_doubt_usd": "0.000000000",
        "bound_usd": details["bound_usd"],
        "resets_at": next_month.strftime("%Y-%m-%dT00:00:00Z"),
    }
    name = caller.state()["name"]
    assert error["message"] == (
        f"Key '{name}' reached its hard limit of $0.0004 for {now:%Y-%m}; it resets {details['resets_at']}."
    )
    assert len(upstream.requests) == 1


def test_a_request_that_may_cost_more_than_remains_is_refused(
    service: Service, upstream: RawUpstream
) -> None:
    reply = service.new_key(hard_limit_usd="0.001").chat(max_tokens=10_000)
    error = error_of(reply, 429, "insufficient_quota")
    assert error["details"]["reason"] == "exceeds_remaining"
    assert reply.headers["x-should-retry"] == "false"
    assert upstream.requests == []


def test_money_in_doubt_is_not_spent_twice(service: Service, upstream: RawUpstream) -> None:
    caller = service.new_key(hard_limit_usd="0.001")
    upstream.plays(lambda wire: wire.reset())
    assert caller.chat(max_tokens=1000).status == 502
    reply = caller.chat(max_tokens=1000)
    error = error_of(reply, 429, "insufficient_quota")
    assert error["details"]["reason"] == "in_doubt"
    assert nano(error["details"]["in_doubt_usd"]) > 0
    assert len(upstream.requests) == 1


# The upstream's models.


def models(*entries: object) -> dict[str, object]:
    return {"object": "list", "data": list(entries)}


def test_models_are_those_with_a_price_that_the_key_may_use(service: Service, upstream: RawUpstream) -> None:
    ids = ("gpt-4o-mini", "gpt-4", "nobody-knows-it", "cheap-local")
    entries = [{"id": name, "object": "model"} for name in ids]
    upstream.plays(answer(models(*entries, None, 7, {"id": 7}, {})))
    caller = service.new_key(models=["gpt-4o*", "cheap-*", "nobody*"])
    listed = caller.service.request("GET", "/v1/models", headers=auth(caller.secret))
    assert json.loads(listed.data) == models(entries[0], entries[3])
    shown = caller.service.request("GET", "/v1/models/cheap-local", headers=auth(caller.secret))
    assert json.loads(shown.data) == entries[3]
    for name in ("gpt-4", "nobody-knows-it", "no/where"):
        hidden = caller.service.request("GET", f"/v1/models/{name}", headers=auth(caller.secret))
        error_of(hidden, 404, "model_not_found")


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (answer(refusal("key sk-upstream is bad"), 401), 502, "upstream_auth_failed"),
        (answer(b"<html>", 500, content_type="text/html"), 502, "upstream_unavailable"),
        (answer(b"[]"), 502, "upstream_unavailable"),
        (answer(b"{"), 502, "upstream_unavailable"),
        (answer({"data": 7}), 502, "upstream_unavailable"),
        (lambda wire: wire.reset(), 502, "upstream_unavailable"),
    ],
)
def test_models_that_cannot_be_had_are_the_upstreams_fault(
    caller: Caller, upstream: RawUpstream, said: Any, status: int, code: str
) -> None:
    for path in ("/v1/models", "/v1/models/gpt-4o-mini"):
        upstream.plays(said)
        reply = caller.service.request("GET", path, headers=auth(caller.secret))
        assert "sk-upstream" not in error_of(reply, status, code)["message"]
