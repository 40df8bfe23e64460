"""Every error of the client is one of ours, and says whether the request can have been billed."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx2
import pytest
import urllib3

from service.errors import UpstreamError
from service.upstream import client
from service.upstream.client import Upstream
from service.upstream.errors import NotSent, TimedOut, Unanswered, in_openai_shape, translate
from service.upstream.transport import Urllib3Transport
from tests.flow.scripts import refusal

EXPECTED = {
    httpx2.TransportError: Unanswered,
    httpx2.TimeoutException: TimedOut,
    httpx2.ConnectTimeout: NotSent,
    httpx2.ReadTimeout: TimedOut,
    httpx2.WriteTimeout: TimedOut,
    httpx2.PoolTimeout: NotSent,
    httpx2.NetworkError: Unanswered,
    httpx2.ConnectError: NotSent,
    httpx2.ReadError: Unanswered,
    httpx2.WriteError: Unanswered,
    httpx2.CloseError: Unanswered,
    httpx2.ProxyError: NotSent,
    httpx2.UnsupportedProtocol: NotSent,
    httpx2.ProtocolError: Unanswered,
    httpx2.LocalProtocolError: Unanswered,
    httpx2.RemoteProtocolError: Unanswered,
    httpx2.SSEError: Unanswered,
}
RETRY = {NotSent: "true", Unanswered: "false", TimedOut: "false"}


def with_all_below(kind: type) -> set[type]:
    return {kind}.union(*(with_all_below(below) for below in kind.__subclasses__()))


def test_every_error_of_the_client_is_in_the_table() -> None:
    of_the_client = {
        kind for kind in with_all_below(httpx2.TransportError) if kind.__module__.startswith("httpx2")
    }
    assert of_the_client == set(EXPECTED)


@pytest.mark.parametrize(("kind", "ours"), EXPECTED.items())
def test_an_error_is_mapped_by_whether_it_was_sent(
    kind: type[httpx2.TransportError], ours: type[UpstreamError]
) -> None:
    error = translate(kind("secret words"))
    assert type(error) is ours
    assert "secret" not in error.message
    assert error.headers == {"x-should-retry": RETRY[ours]}
    assert error.status == (504 if ours is TimedOut else 502)


def test_an_error_that_nobody_knows_may_have_been_billed() -> None:
    assert type(translate(RuntimeError("what?"))) is Unanswered


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b"{}", b'{"error": "x"}', b'{"error": null}', b"[" * 100_000]
)
def test_other_shapes_are_not_openais(body: bytes) -> None:
    assert in_openai_shape(body) is None


def test_openais_shape_is_known() -> None:
    assert in_openai_shape(b'{"error": {"message": "x"}}') == {"message": "x"}
    assert refusal()["error"].keys() == {"message", "type", "param", "code"}


Listen = Callable[[bytes | None], int]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Opens a port that answers the first bytes with these, which are no TLS; None: says nothing."""
    stack, stopped = ExitStack(), threading.Event()

    def open_port(said: bytes | None) -> int:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65_536)
                if said is None:
                    stopped.wait(5)
                else:
                    sock.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        stack.callback(thread.join, 5)
        return int(listener.getsockname()[1])

    yield open_port
    stopped.set()
    stack.close()


def post(port: int) -> None:
    upstream = Upstream(base_url=f"https://127.0.0.1:{port}/v1", api_key="x", timeout_seconds=1)
    upstream.post("/chat/completions", b"{}", stream=False, headers={})


@pytest.mark.parametrize("said", [b"220 mail.example ESMTP\r\n", b"", None])
def test_a_failed_tls_handshake_was_not_sent(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, said: bytes | None
) -> None:
    monkeypatch.setattr(client, "CONNECT_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(NotSent):
        post(listen(said))


def test_a_host_that_does_not_exist_was_not_sent() -> None:
    upstream = Upstream(base_url="http://nowhere.invalid/v1", api_key="x", timeout_seconds=1)
    with pytest.raises(NotSent):
        upstream.post("/chat/completions", b"{}", stream=False, headers={})


def test_a_tls_error_after_the_handshake_may_have_been_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken record, or an alert instead of an answer: the request had gone up by then."""

    def broken(*_: object, **__: object) -> None:
        raise urllib3.exceptions.SSLError("bad record mac")

    monkeypatch.setattr(urllib3.PoolManager, "request", broken)
    request = httpx2.Request(
        "POST", "https://api.example/v1", extensions={"timeout": {"connect": 1, "read": 1}}
    )
    with pytest.raises(httpx2.ReadError):
        Urllib3Transport().handle_request(request)
