"""Is this Redis fit to keep money? Checked at the start and each minute."""

from collections.abc import Mapping
from typing import Any

import redis

from service.config import ConfigError
from service.ledger import names
from service.ledger.connection import Client

OLDEST_REDIS = (7, 0)


def unfit_reason(info: Mapping[str, Any], layout: str | None) -> str | None:
    """Why this Redis (its INFO and the layout it says) must not be trusted with money; None if it may."""
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < OLDEST_REDIS:
        return f"Redis {info['redis_version']} is too old; 7.0 or newer is needed"
    if layout not in (None, names.LAYOUT_VERSION):
        return (
            f"this Redis was laid out by another version of Spendgate (layout {layout}, "
            f"this program knows {names.LAYOUT_VERSION})"
        )
    most_bytes = int(info.get("maxmemory", 0))
    if most_bytes and int(info.get("used_memory", 0)) >= most_bytes:
        return "Redis is full: it has reached its maxmemory, and takes no new hold"
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return f"Redis' maxmemory-policy is {policy}: it may throw money away; set it to noeviction"
    return None


def check_redis(client: Client) -> None:
    """Refuse to start on a Redis that is unfit, too old, or laid out by another version of Spendgate.

    Raises ConfigError with one line. A Redis that does not answer is an error here, too: a service
    that cannot reach its ledger at the start is misconfigured more often than early.
    """
    try:
        if reason := unfit_reason(client.info(), client.get(names.LAYOUT)):
            raise ConfigError(f"REDIS_URL: {reason}")
        client.set(names.LAYOUT, names.LAYOUT_VERSION, nx=True)
    except redis.RedisError as error:
        raise ConfigError(f"REDIS_URL: Redis does not answer ({type(error).__name__})") from None
