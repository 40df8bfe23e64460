"""An answer of the upstream: its head at once, its body as it comes."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2

from service.errors import UpstreamError
from service.upstream.errors import StillComing, translate

# How long the end of a stream is waited for: of one that was told to stop, so that everything it had
# sent is counted, and of one that is complete, so that its connection can be used again.
LEFT_SECONDS = 0.1
LEFT_READ_SECONDS = 0.02
# A read that took no longer than this did not wait.
READ_AT_ONCE_SECONDS = 0.001
MOST_LEFT_SECONDS = 5.0

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
        self.headers = {n: v for n, v in response.headers.items() if _goes_down(n) and _is_plain(v)}
        self.request_id: str | None = response.headers.get("x-request-id")
        kind = response.headers.get("content-type", "")
        self.is_event_stream = kind.lower().startswith("text/event-stream")

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
            whole = self._response.is_closed  # the answer to a call that asked for no stream
            self._pieces = iter([self._response.content]) if whole else self._response.iter_raw()
        try:
            return next(self._pieces, None)
        except httpx2.TransportError as error:
            raise translate(error) from error

    def stop(self) -> Iterator[bytes]:
        """Tell the upstream that nobody listens any more; gives what it had sent by then. Raises Unanswered
        if that was more than could be read."""
        sock = self._socket()
        _shut(sock, socket.SHUT_WR)
        try:
            yield from self.left()
        finally:
            # An answer that came to its end has put its connection back; one half shut is of no use there.
            _shut(sock, socket.SHUT_RDWR)

    def left(self) -> Iterator[bytes]:
        """The bytes up to the end, if that is near. What lies there already is read however much it is;
        waiting for more ends after LEFT_SECONDS in all."""
        sock, waited, began = self._socket(), 0.0, time.monotonic()
        patience = sock.gettimeout() if sock is not None else None
        if sock is not None:
            sock.settimeout(LEFT_READ_SECONDS)
        try:
            while waited < LEFT_SECONDS:
                asked = time.monotonic()
                piece = self.next_piece()
                if piece is None:
                    return
                waited += max(0.0, time.monotonic() - asked - READ_AT_ONCE_SECONDS)
                yield piece
                if time.monotonic() - began > MOST_LEFT_SECONDS:
                    raise StillComing("The upstream had sent more than could be read.")
        except StillComing:
            raise
        except UpstreamError:
            return  # nothing more has come
        finally:
            # The connection may be used again; the next request sends with the patience it had.
            if sock is not None and sock.fileno() >= 0:
                sock.settimeout(patience)

    def abort(self) -> None:
        """Break the connection, from whichever thread; who is reading meets its end."""
        _shut(self._socket(), socket.SHUT_RDWR)

    def close(self) -> None:
        self._response.close()

    def _socket(self) -> Any:
        """What the body is read from; None if it was read to its end."""
        raw = self._response.extensions.get("urllib3")
        sock = getattr(getattr(raw, "connection", None), "sock", None)
        if sock is None:
            # A connection that ends with this answer has let go of its socket; the reader has it still.
            reader = getattr(getattr(raw, "_fp", None), "fp", None)
            sock = getattr(getattr(reader, "raw", None), "_sock", None)
        return sock


class Pieces:
    """An answer's body as it comes. Iterate for bytes; close it in any case, started or not."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Raises UpstreamError where the upstream breaks off: the server then breaks off as well."""
        piece = self._answer.next_piece()
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        self._answer.close()


def _shut(sock: Any, how: int) -> None:
    if sock is None or sock.fileno() < 0:
        return
    # On a twin: a TLS socket's own shutdown would also forget how to read what is still to come.
    with suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as twin:
        twin.shutdown(how)


def _is_plain(value: str) -> bool:
    """Whether a header's value can be sent on: anything but visible ASCII would fail at the caller's end."""
    return value.isascii() and value.isprintable()


def _goes_down(name: str) -> bool:
    name = name.lower()
    return name in _DOWN or (name.startswith(_DOWN_PREFIXES) and name not in _NEVER_DOWN)
