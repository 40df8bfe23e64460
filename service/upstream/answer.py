"""An answer of the upstream: its head at once, its body as it comes."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2

from service.errors import UpstreamError
from service.upstream.errors import translate

# A caller has gone: what the upstream had sent by then is still read, this much and no longer.
LEFT_BYTES = 1_000_000
LEFT_TIMEOUT_SECONDS = 0.01

_DOWN = {
    "content-type",
    "x-request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
}
_DOWN_PREFIXES = ("openai-", "x-ratelimit-")
_NEVER_DOWN = {"openai-organization", "openai-project"}


class Answer:
    """Status, the headers a caller may see, and the bytes."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._pieces: Iterator[bytes] | None = None
        self.status: int = response.status_code
        self.headers = {n: v for n, v in response.headers.items() if _goes_down(n)}
        self.request_id: str | None = response.headers.get("x-request-id")
        self.is_event_stream = response.headers.get("content-type", "").startswith("text/event-stream")

    def read(self) -> bytes:
        """The whole body. Raises the errors of service.upstream.errors."""
        try:
            body: bytes = self._response.read()
        except httpx2.TransportError as error:
            raise translate(error) from error
        return body

    def next_piece(self) -> bytes | None:
        """The body's next bytes as they arrive; None at its end. Raises as `read` does."""
        if self._pieces is None:
            self._pieces = self._response.iter_raw()
        try:
            return next(self._pieces, None)
        except httpx2.TransportError as error:
            raise translate(error) from error

    def what_came(self) -> Iterator[bytes]:
        """The bytes that have arrived already, without waiting for more, and within bounds."""
        sock, left = self._socket(), LEFT_BYTES
        patience = sock.gettimeout() if sock is not None else None
        if sock is not None:
            sock.settimeout(LEFT_TIMEOUT_SECONDS)
        try:
            while left > 0 and (piece := self.next_piece()) is not None:
                left -= len(piece)
                yield piece
        except UpstreamError:
            return  # nothing more has come
        finally:
            # The connection may be used again; the next request sends with the patience it had.
            if sock is not None and sock.fileno() >= 0:
                sock.settimeout(patience)

    def abort(self) -> None:
        """Break the connection, from whichever thread; who is reading meets its end."""
        sock = self._socket()
        if sock is not None:
            with suppress(OSError):  # already gone, which is what was wanted
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._response.close()

    def _socket(self) -> Any:
        raw = self._response.extensions.get("urllib3")
        return getattr(getattr(raw, "connection", None), "sock", None)


def _goes_down(name: str) -> bool:
    name = name.lower()
    return name in _DOWN or (name.startswith(_DOWN_PREFIXES) and name not in _NEVER_DOWN)
