"""The wire to the upstream: an httpx2 transport on urllib3's connection pool.

httpx2's own pool slows down as connections grow; urllib3's does not, and works as it is with gevent's
sockets. Nothing is decoded, retried or redirected: bytes go through as they are.
"""

from collections.abc import Iterable, Iterator

import httpx2
import urllib3

MOST_IDLE_CONNECTIONS = 1_000
READ_BYTES = 65_536

# The SDK builds a body of the type multipart/form-data itself. One that is sent as it came has its type here.
BODY_TYPE = "x-body-type"
# What of a request goes up. The caller's key, organization and project never do.
_UP = ("authorization", "content-type", "accept", "openai-beta", "x-client-request-id", "user-agent")


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    """A TLS error tells by itself not when it came. What fails in here failed before anything was sent; a
    broken record or an alert that comes later may stand where a paid answer should."""

    def connect(self) -> None:
        try:
            super().connect()
        except urllib3.exceptions.ConnectTimeoutError:
            raise
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise urllib3.exceptions.NewConnectionError(self, f"no TLS: {error}") from error


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class Urllib3Transport(httpx2.BaseTransport):
    """Sends one request over a pooled connection. Raises httpx2's errors, told apart by whether the
    request can have been sent: ConnectError and ConnectTimeout mean it was not."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(maxsize=MOST_IDLE_CONNECTIONS, retries=False)
        self._pool.pool_classes_by_scheme = {"http": urllib3.HTTPConnectionPool, "https": _HTTPSPool}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: request.headers[name] for name in _UP if name in request.headers}
        headers["accept-encoding"] = "identity"
        if BODY_TYPE in request.headers:
            headers["content-type"] = request.headers[BODY_TYPE]
            headers["content-length"] = request.headers["content-length"]
        try:
            response = self._pool.request(
                request.method,
                str(request.url),
                body=_body(request),
                headers=headers,
                timeout=_timeout(request),
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
            )
        # The narrower first: urllib3 derives it from the other.
        except urllib3.exceptions.NewConnectionError as error:
            raise httpx2.ConnectError("no connection", request=request) from error
        except urllib3.exceptions.ConnectTimeoutError as error:
            raise httpx2.ConnectTimeout("no connection in time", request=request) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _broken(error) from error
        return httpx2.Response(
            response.status,
            headers=list(response.headers.items()),
            stream=_Body(response),
            extensions={"urllib3": response},
        )

    def close(self) -> None:
        self._pool.clear()


def _body(request: httpx2.Request) -> bytes | Iterable[bytes] | None:
    """The body, if it is at hand; else its pieces, as they come from disk."""
    if BODY_TYPE not in request.headers:
        return request.read() or None
    assert isinstance(request.stream, httpx2.SyncByteStream)
    return request.stream


def _timeout(request: httpx2.Request) -> urllib3.Timeout:
    seconds = request.extensions["timeout"]
    return urllib3.Timeout(connect=seconds["connect"], read=seconds["read"])


class _Body(httpx2.SyncByteStream):
    """A response's bytes as they arrive."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            if self._response.supports_chunked_reads() and self._response.chunked:  # type: ignore[attr-defined]
                yield from self._response.read_chunked(READ_BYTES, decode_content=False)
                return
            while piece := self._response.read1(READ_BYTES, decode_content=False):
                yield piece
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _broken(error) from error

    def close(self) -> None:
        # A body that was read to its end has gone back to the pool by itself.
        self._response.close()


def _broken(error: Exception) -> httpx2.TransportError:
    """A failure after the connection stood: the request may have been sent and billed."""
    if isinstance(error, (urllib3.exceptions.ReadTimeoutError, TimeoutError)):
        return httpx2.ReadTimeout("the upstream did not answer in time")
    return httpx2.ReadError("the upstream broke the connection")
