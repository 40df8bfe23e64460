"""An upstream that does exactly what a test tells it, byte by byte, over a real socket.

A script is a function of the `Wire`, one connection on which a request has just come in. What came in
is kept in `requests`. Scripts are played in order, the last one again and again.
"""

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Request:
    """A request as it came: names of headers in lower case, each as often as it was sent."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for n, value in self.headers if n == name), None)


class Wire:
    """The connection, seen from the upstream."""

    def __init__(self, sock: socket.socket, request: Request) -> None:
        self._sock = sock
        self.request = request
        self.is_open = True

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def head(self, status: int = 200, **headers: str) -> None:
        """Status line and headers; `_` in a name stands for `-`."""
        lines = [f"HTTP/1.1 {status} Whatever"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def stream_head(self, **headers: str) -> None:
        headers = {"content_type": "text/event-stream", **headers}
        self.head(200, transfer_encoding="chunked", **headers)

    def chunk(self, data: bytes) -> None:
        """One HTTP chunk, in a TCP segment of its own."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    def close(self) -> None:
        self.is_open = False
        self._sock.close()

    def reset(self) -> None:
        """RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def wait_for_hang_up(self) -> None:
        """Say nothing until the other side closes. Fails (TimeoutError) if it never does."""
        while self._sock.recv(65_536):
            pass


Script = Callable[[Wire], None]


class RawUpstream:
    """The server: a thread that accepts, and one for each connection."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._scripts: deque[Script] = deque()
        self._came = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def plays(self, *scripts: Script) -> None:
        """Forget what was; play these, the last one for every further request."""
        with self._came:
            self.requests.clear()
            self.connections = 0
            self._scripts = deque(scripts)

    def wait_for_request(self, number: int = 1) -> Request:
        """The request of that number, as soon as it is there."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.requests) >= number, PATIENCE_SECONDS), "no request"
            return self.requests[number - 1]

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # stopped
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock, sock.makefile("rb") as reader:
            try:
                while (request := _read_request(reader)) is not None:
                    wire = Wire(sock, request)
                    self._next_script(request)(wire)
                    if not wire.is_open:
                        return
            except OSError:
                return  # the other side has gone

    def _next_script(self, request: Request) -> Script:
        with self._came:
            self.requests.append(request)
            self._came.notify_all()
            return self._scripts.popleft() if len(self._scripts) > 1 else self._scripts[0]


def _read_request(reader: Any) -> Request | None:
    line = reader.readline().decode().strip()
    if not line:
        return None
    headers = []
    while field := reader.readline().decode("latin-1").strip():
        name, _, value = field.partition(":")
        headers.append((name.lower(), value.strip()))
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    return Request(line, headers, reader.read(length))
