"""A key's record: what its fields are, how it reads, and each change that an operator makes to it.

The changes (`insert`, `rename`, `revoke`, `rotate`) queue their writes on a pipeline that watches the
project's names. Each writes to them, which no traffic does: so changes happen one at a time, none is done to
a record that another has just changed, and none starves. An active key owns its name in the project; a
revoked one has given it up.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service import secrets
from service.errors import Conflict
from service.ledger import names
from service.ledger.balances import Balance, balance_of
from service.ledger.globs import lua_patterns, matches
from service.ledger.holds import Scope
from service.ledger.periods import Period
from service.schemas.admin import DEFAULT_THRESHOLDS

# The names of a key's settings outside -> the fields of its record.
FIELDS = {
    "name": "name",
    "soft_limit_nano_usd": "soft",
    "hard_limit_nano_usd": "hard",
    "alert_thresholds": "thresholds",
    "models": "models",
    "default_max_output_tokens": "default_max_output_tokens",
    "requests_per_minute": "rpm",
    "tokens_per_minute": "tpm",
    "max_concurrency": "max_concurrency",
    "expires_at": "expires_at",
    "metadata": "metadata",
}


@dataclass(frozen=True)
class Key:
    """A key as it stands: its record, the period that runs, and its balance in it."""

    id: str
    shard: str
    record: dict[str, str]
    period: Period
    balance: Balance
    now_ms: int

    @property
    def status(self) -> str:
        expires_at = self.record.get("expires_at")
        if self.record["status"] == "active" and expires_at and self.now_ms >= int(expires_at):
            return "expired"
        return self.record["status"]

    @property
    def models(self) -> list[str] | None:
        return json.loads(self.record["models"]) if "models" in self.record else None

    @property
    def alert_thresholds(self) -> list[int]:
        """Per cent of the soft limit, else of the hard one."""
        return [int(mark) for mark in self.record["thresholds"].split(",") if mark]

    @property
    def secret_hashes(self) -> list[str]:
        return [f.removeprefix("secret:") for f in self.record if f.startswith("secret:")]

    @property
    def newest_secret(self) -> str | None:
        """The secret without an end; the other one, if there is one, is running out."""
        return next((h for h in self.secret_hashes if self.record[f"secret:{h}"] == "0"), None)

    def may_use(self, model: str) -> bool:
        return self.models is None or matches(self.models, model)


def key_from(key_id: str, record: dict[str, str], now_ms: int) -> Key:
    shard = key_id[4]
    period = Scope("key", key_id, shard, record["period"], record["timezone"]).period_at(now_ms)
    return Key(key_id, shard, record, period, balance_of(record, period.name), now_ms)


def shard_of_id(key_id: str) -> str | None:
    shard = key_id[4:5]
    return shard if key_id.startswith("key_") and shard and shard in names.SHARDS else None


def fields_of(settings: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Settings as fields of the record: what to set, and what to remove (those that are None)."""
    sets: dict[str, str] = {}
    removals: list[str] = []
    for setting, value in settings.items():
        name = FIELDS[setting]
        if name == "thresholds" and value is None:
            value = DEFAULT_THRESHOLDS
        if value is None:
            removals += [name, "models_lua"] if name == "models" else [name]
        elif name == "models":
            sets |= {"models": json.dumps(value), "models_lua": lua_patterns(value)}
        elif name == "thresholds":
            sets[name] = ",".join(str(v) for v in value)
        elif name == "metadata":
            sets[name] = json.dumps(value)
        elif name == "expires_at":
            sets[name] = str(epoch_ms(value))
        else:
            sets[name] = str(value)
    return sets, removals


def epoch_ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def insert(pipe: Any, shard: str, key_id: str, secret: str, record: dict[str, str], taken: str) -> None:
    """Write a new key. Raises Conflict if its name is taken."""
    if pipe.hexists(taken, record["name"]):
        raise _name_taken(record["name"])
    pipe.multi()
    pipe.hset(taken, record["name"], key_id)
    pipe.hset(names.key(shard, key_id), mapping=record)
    pipe.zadd(names.keys(shard), {key_id: int(record["created_at"])})
    _add_secret(pipe, shard, key_id, secret)


def rename(pipe: Any, key: Key, taken: str, name: str) -> None:
    if name == key.record["name"]:
        return
    if pipe.hexists(taken, name):
        raise _name_taken(name)
    require_active(key)
    pipe.multi()
    pipe.hdel(taken, key.record["name"])
    pipe.hset(taken, name, key.id)
    pipe.hset(names.key(key.shard, key.id), "name", name)


def revoke(pipe: Any, key: Key, taken: str) -> None:
    if key.record["status"] != "active":
        return
    pipe.multi()
    pipe.hset(names.key(key.shard, key.id), "status", "revoked")
    pipe.hdel(taken, key.record["name"])


def rotate(pipe: Any, key: Key, taken: str, secret: str, overlap_seconds: int) -> None:
    require_active(key)
    record = names.key(key.shard, key.id)
    keep = key.newest_secret if overlap_seconds else None
    pipe.multi()
    for hashed in key.secret_hashes:
        if hashed == keep:
            pipe.hset(record, f"secret:{hashed}", key.now_ms + overlap_seconds * 1000)
            continue
        pipe.hdel(record, f"secret:{hashed}", f"hint:{hashed}")
        pipe.delete(names.secret(key.shard, hashed))
    _add_secret(pipe, key.shard, key.id, secret)
    # Nothing new, but it stops another rotation that has read the same secrets.
    pipe.hset(taken, key.record["name"], key.id)


def require_active(key: Key) -> None:
    if key.record["status"] != "active":
        raise Conflict("A revoked key cannot be changed; make a new one.")


def _name_taken(name: str) -> Conflict:
    return Conflict(f"The project already has a key named '{name}'.", param="name")


def _add_secret(pipe: Any, shard: str, key_id: str, secret: str) -> None:
    hashed = secrets.secret_hash(secret)
    record = names.key(shard, key_id)
    pipe.hset(record, mapping={f"secret:{hashed}": 0, f"hint:{hashed}": secrets.hint(secret)})
    pipe.set(names.secret(shard, hashed), key_id)
