"""Requests that no decent client sends, and what they must not be able to do."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

from service.errors import InvalidRequest
from service.schemas.json_body import read_json
from tests.flow.raw_upstream import RawUpstream
from tests.flow.scripts import answer, completion
from tests.harness import HELLO, Caller

BODY = json.dumps({"model": "gpt-4o-mini", "messages": HELLO, "max_tokens": 5}).encode()


def _connect(caller: Caller) -> http.client.HTTPConnection:
    url = urlsplit(caller.service.url)
    return http.client.HTTPConnection(str(url.hostname), url.port, timeout=10)


def test_a_header_that_cannot_go_up_is_left_out(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(answer(completion("one")))
    connection = _connect(caller)
    headers = {"authorization": f"Bearer {caller.secret}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", BODY, {**headers, "x-client-request-id": b"caf\xe9"})
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
    assert "x-client-request-id" not in upstream.requests[-1].headers


@pytest.mark.parametrize("path", ["/v1//chat/completions", "/v1/chat//completions"])
def test_doubled_slashes_are_no_address(caller: Caller, path: str) -> None:
    connection = _connect(caller)
    connection.request("POST", path, BODY, {"authorization": f"Bearer {caller.secret}"})
    response = connection.getresponse()
    error = json.loads(response.read())["error"]
    connection.close()
    assert (response.status, error["code"]) == (404, "unknown_url")


def test_a_body_shorter_than_announced_is_no_call(caller: Caller, upstream: RawUpstream) -> None:
    url = urlsplit(caller.service.url)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {caller.secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY) + 50}\r\n\r\n"
    )
    before = len(upstream.requests)
    with socket.create_connection((url.hostname, url.port), timeout=10) as sock:
        sock.sendall(head.encode() + BODY)
        sock.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    assert b" 400 " in received.splitlines()[0]
    assert len(upstream.requests) == before


def test_what_is_no_http_gets_an_error_in_the_usual_shape(caller: Caller) -> None:
    url = urlsplit(caller.service.url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as sock:
        sock.sendall(b"HELLO\r\n\r\n")
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert b"x-spendgate-error-source: spendgate" in head
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "raw", [b'{"a": [' + b"[]," * 150_000 + b"1]}", b'{"a": {' + b'"b":1,' * 400_000 + b'"c":1}}']
)
def test_a_body_of_countless_values_is_refused_before_it_is_read(raw: bytes) -> None:
    with pytest.raises(InvalidRequest, match="too many values"):
        read_json(raw)


def test_a_revoked_key_costs_no_reading_of_large_bodies(caller: Caller) -> None:
    caller.service.admin("DELETE", f"/keys/{caller.id}")
    refused = caller.post("/v1/chat/completions", {"model": "x", "messages": ["y" * 300_000]})
    assert refused.json()["error"]["code"] == "key_revoked"
