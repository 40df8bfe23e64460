"""Which Redis may keep money, checked before anything is admitted."""

from typing import Any

import pytest
import redis

from service.config import ConfigError
from service.ledger import names
from service.ledger.connection import connect
from service.ledger.fitness import check_redis
from tests.ledger.conftest import Bench


def test_fit_redis_is_marked_with_the_layout(own_bench: Bench) -> None:
    check_redis(own_bench.client)
    assert own_bench.client.get(names.LAYOUT) == names.LAYOUT_VERSION
    check_redis(own_bench.client)


def test_layout_of_another_version_refuses_to_start(own_bench: Bench) -> None:
    own_bench.client.set(names.LAYOUT, "0")
    with pytest.raises(ConfigError, match=r"^REDIS_URL: .*\(layout 0, this program knows \d+\)$"):
        check_redis(own_bench.client)
    assert own_bench.client.get(names.LAYOUT) == "0"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_redis_that_evicts_refuses_to_start(own_bench: Bench, policy: str) -> None:
    own_bench.client.config_set("maxmemory-policy", policy)
    with pytest.raises(ConfigError, match=f"^REDIS_URL: Redis' maxmemory-policy is {policy}: .*noeviction$"):
        check_redis(own_bench.client)
    assert own_bench.client.keys() == []


def test_silent_redis_refuses_to_start() -> None:
    with pytest.raises(ConfigError, match=r"^REDIS_URL: Redis does not answer \(ConnectionError\)$"):
        check_redis(connect("unix:///nowhere/redis.sock"))


@pytest.mark.parametrize("url", ["redis://u:hunter2@h?db=x", "redis://u:hunter2@h?socket_timeout=hunter2"])
def test_address_that_cannot_be_read_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^REDIS_URL cannot be read") as caught:
        connect(url)
    assert "hunter2" not in str(caught.value)


def test_old_redis_is_called_old() -> None:
    """Before 7.0 it knows neither script flags nor SET with NX and GET."""

    class Old:
        def info(self) -> dict[str, Any]:
            return {"redis_version": "6.2.14", "maxmemory_policy": "noeviction"}

        def get(self, _: str) -> None:
            return None

        def set(self, *_: Any, **__: Any) -> None:
            raise redis.ResponseError("ERR syntax error")

    with pytest.raises(ConfigError, match=r"^REDIS_URL: Redis 6\.2\.14 is too old; 7\.0 or newer is needed$"):
        check_redis(Old())
