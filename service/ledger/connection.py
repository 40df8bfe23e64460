"""The way to Redis: a pool that fails within a quarter of a second and never retries by itself.

A retried reserve could take money twice in the time between; who wants a retry asks for it, with an
id that makes it harmless.
"""

from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.exceptions import ResponseError, TimeoutError
from redis.retry import Retry

from service.config import ConfigError

# redis-py's own types call every reply `bytes | str`; ours are text, which they cannot know.
Client: TypeAlias = Any

ANSWER_TIMEOUT_SECONDS = 0.25
MAX_CONNECTIONS = 10_000


class _FairTimeout:
    """Counts only Redis' silence as a time-out.

    In a busy worker the timer and the answer can both be due when the event loop comes round; the
    timer would win and a prompt Redis be called dead. So a time-out looks at the socket once more.
    """

    def read_response(self, *args: Any, disconnect_on_error: bool = True, **rest: Any) -> Any:
        read = super().read_response  # type: ignore[misc]
        try:
            return read(*args, disconnect_on_error=False, **rest)
        except ResponseError:
            raise
        except TimeoutError:
            return read(*args, disconnect_on_error=disconnect_on_error, **{**rest, "timeout": 0})
        except BaseException:
            if disconnect_on_error:
                self.disconnect()  # type: ignore[attr-defined]
            raise


class _FairConnection(_FairTimeout, Connection):
    pass


class _FairSSLConnection(_FairTimeout, SSLConnection):
    pass


class _FairUnixConnection(_FairTimeout, UnixDomainSocketConnection):
    pass


_CLASSES = {
    None: _FairConnection,
    SSLConnection: _FairSSLConnection,
    UnixDomainSocketConnection: _FairUnixConnection,
}


def connect(url: str, *, timeout_seconds: float = ANSWER_TIMEOUT_SECONDS) -> Client:
    """A client for `redis://`, `rediss://` or `unix://`; replies are text. Connects when first used.

    Raises ConfigError for a URL that cannot be read, without telling it: it may hold a password.
    """
    try:
        options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError:
        raise ConfigError("REDIS_URL cannot be read: see its options in redis-py's `from_url`") from None
    options["connection_class"] = _CLASSES[options.get("connection_class")]
    if options["connection_class"] is not _FairUnixConnection:
        options["socket_connect_timeout"] = timeout_seconds
    pool = redis.ConnectionPool(
        max_connections=MAX_CONNECTIONS,
        socket_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        # Plain RESP2 without client names: a new connection costs no round trip.
        protocol=2,
        driver_info=None,
        **options,
    )
    return redis.Redis(connection_pool=pool)
