"""Which Redis a command talks to: the one of REDIS_URL, else that of the service which runs now, else an
embedded one of its own, over the same data directory, while the command lasts."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.config import Settings, load_settings
from service.ledger.fitness import check_redis
from service.serving.embedded_redis import running_url, start_embedded_redis
from service.wiring import Stores, open_stores

# A command may wait where a request must not: a Redis that saves to disk can be slow for a moment.
TIMEOUT_SECONDS = 5


@contextmanager
def url_at_hand(settings: Settings) -> Iterator[str]:
    """The URL of a Redis that is there. Raises EmbeddedRedisError if none can be started."""
    url = settings.redis_url or running_url(settings.data_dir)
    if url is not None:
        yield url
        return
    with start_embedded_redis(settings.data_dir) as server:
        yield server.url


@contextmanager
def stores_at_hand() -> Iterator[Stores]:
    """The stores the environment names, on a Redis that is fit. Raises ConfigError, EmbeddedRedisError."""
    settings = load_settings()
    with url_at_hand(settings) as url:
        stores = open_stores(settings, url, timeout_seconds=TIMEOUT_SECONDS)
        try:
            check_redis(stores.client)
            yield stores
        finally:
            stores.client.connection_pool.disconnect()
