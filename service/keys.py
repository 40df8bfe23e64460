"""API keys: records in Redis, and who a secret belongs to.

A key's record is also its scope in the ledger (see service.ledger.names), so that the reserve script
reads state and money from one hash. What never changes about a key (id, project, period, time zone)
is remembered in the process; its state and its limits never are.

An active key owns its name in the project; a revoked one has given it up. Making, renaming, rotating and
revoking are done one at a time in a project: each watches the project's names and writes them, which no
traffic does, so none starves and none is done to a record that another has just changed.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from service import secrets
from service.errors import Conflict, InvalidRequest, NotFound
from service.ledger import names
from service.ledger.balances import Balance, balance_of
from service.ledger.connection import Client
from service.ledger.globs import lua_patterns, matches
from service.ledger.holds import Account, Scope
from service.ledger.ledger import Ledger, unavailable
from service.ledger.periods import Period
from service.ledger.refusals import invalid_api_key, raise_key_state
from service.projects import Projects, project_scope
from service.schemas.admin import DEFAULT_THRESHOLDS, KeyCreate

MOST_REMEMBERED = 10_000
PAGE = 100

# The names of a key's settings outside -> the fields of its record.
_FIELDS = {
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


class Keys:
    """The store of keys."""

    def __init__(self, client: Client, ledger: Ledger, projects: Projects) -> None:
        self._client = client
        self._ledger = ledger
        self._projects = projects
        self._remembered: OrderedDict[str, Account] = OrderedDict()

    # Who is calling?

    def authenticate(self, secret: str) -> Account:
        """The account a secret belongs to. Raises 401 for a text that is no key of ours.

        Says nothing about the key's state: that is read at each admission, or by `current`.
        """
        shard = secrets.shard_of(secret)
        if shard is None:
            raise invalid_api_key()
        hashed = secrets.secret_hash(secret)
        return self._remembered.get(hashed) or self._remember(self._look_up(shard, hashed))

    def current(self, account: Account) -> Key:
        """The caller's own key, now. Raises 401 if it is unknown, revoked or expired."""
        key = self._read(account.key_id)
        good_until = key.record.get(f"secret:{account.secret_hash}") if key else None
        if key is None or good_until is None or 0 < int(good_until) <= key.now_ms:
            raise_key_state("unknown_key")
        if key.status != "active":
            raise_key_state(f"key_{key.status}")
        return key

    def _remember(self, account: Account) -> Account:
        self._remembered[account.secret_hash] = account
        while len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return account

    def _look_up(self, shard: str, hashed: str) -> Account:
        try:
            key_id: Any = self._client.get(names.secret(shard, hashed))
            fields = ["project", "period", "timezone"]
            found: list[Any] = self._client.hmget(names.key(shard, key_id), fields) if key_id else [None] * 3
            project, period, timezone = found
            if project is None:
                raise invalid_api_key()
            limits: list[Any] = self._client.hmget(names.project(shard, project), ["period", "timezone"])
        except redis.RedisError as error:
            raise unavailable() from error
        own = Scope("key", key_id, shard, period, timezone)
        return Account(key_id, project, shard, hashed, (own, project_scope(shard, project, *limits)))

    # What operators do.

    def create(self, new: KeyCreate) -> tuple[Key, str]:
        """Make a key; gives it and, this once, its secret. Raises Conflict if the name is taken."""
        try:
            shard = self._projects.ensure(new.project)
            key_id, secret = f"key_{shard}{secrets.random_text(16)}", secrets.new_api_key(shard)
            now_ms = int(time.time() * 1000)
            self._require_future(new.expires_at)
            record, _ = _fields({name: getattr(new, name) for name in _FIELDS})
            record |= {
                "project": new.project,
                "status": "active",
                "period": new.period,
                "timezone": new.timezone,
                "created_at": str(now_ms),
            }
            self._insert(shard, key_id, secret, record, now_ms)
        except redis.RedisError as error:
            raise unavailable() from error
        return self.get(key_id), secret

    def _insert(self, shard: str, key_id: str, secret: str, record: dict[str, str], now_ms: int) -> None:
        taken = names.key_names(shard, record["project"])

        def insert(pipe: Any) -> None:
            if pipe.hexists(taken, record["name"]):
                raise _name_taken(record["name"])
            pipe.multi()
            pipe.hset(taken, record["name"], key_id)
            pipe.hset(names.key(shard, key_id), mapping=record)
            pipe.zadd(names.keys(shard), {key_id: now_ms})
            _add_secret(pipe, shard, key_id, secret)

        self._client.transaction(insert, taken)

    def get(self, key_id: str) -> Key:
        """One key. Raises NotFound."""
        key = self._read(key_id)
        if key is None:
            raise NotFound(f"There is no key '{key_id}'.")
        return key

    def find(self, id_or_name: str, project: str | None = None) -> Key:
        """A key by id, or by the name of an active one (in the project, if one is given).

        Raises NotFound, and Conflict if several projects have a key of that name.
        """
        if (key := self._read(id_or_name)) is not None:
            return key
        named = self._ids_named(id_or_name, project)
        if len(named) > 1:
            raise Conflict(f"Several projects have a key '{id_or_name}'; use its id.")
        if not named:
            raise NotFound(f"There is no key '{id_or_name}'.")
        return self.get(named[0])

    def _ids_named(self, name: str, project: str | None) -> list[str]:
        try:
            projects = self._projects.all() if project is None else [project]
            pipe = self._client.pipeline(transaction=False)
            for each in projects:
                pipe.hget(names.key_names(names.shard_of_project(each), each), name)
            return [key_id for key_id in pipe.execute() if key_id is not None]
        except redis.RedisError as error:
            raise unavailable() from error

    def all(self) -> Iterator[Key]:
        """Every key, the oldest first."""
        ids = self.ids()
        for start in range(0, len(ids), PAGE):
            yield from self._read_many(ids[start : start + PAGE])

    def page(self, after: str | None, limit: int) -> tuple[list[Key], bool]:
        """At most `limit` keys that follow the one with id `after`, the oldest first; and whether there
        are more. Raises InvalidRequest for an `after` that is no key's id."""
        ids = self.ids()
        if after is not None and after not in ids:
            raise InvalidRequest(f"Invalid value for 'after': there is no key '{after}'.", param="after")
        start = 0 if after is None else ids.index(after) + 1
        return self._read_many(ids[start : start + limit]), start + limit < len(ids)

    def ids(self) -> list[str]:
        """The ids of every key, the oldest first."""
        try:
            pipe = self._client.pipeline(transaction=False)
            for shard in names.SHARDS:
                pipe.zrange(names.keys(shard), 0, -1, withscores=True)
            found = [pair for reply in pipe.execute() for pair in reply]
        except redis.RedisError as error:
            raise unavailable() from error
        return [key_id for key_id, _ in sorted(found, key=lambda pair: (pair[1], pair[0]))]

    def update(self, key_id: str, changes: dict[str, Any]) -> Key:
        """Change settings (names as in _FIELDS; None clears). Raises NotFound, Conflict, InvalidRequest."""
        self._require_future(changes.get("expires_at"))
        key = self.get(key_id)
        _require_active(key)
        rest = dict(changes)
        if (name := rest.pop("name", None)) is not None:
            self._change(key_id, lambda pipe, key, taken: _rename(pipe, key, taken, name))
        sets, removals = _fields(rest)
        self._ledger.amend(self._scope(key), sets, removals)
        return self.get(key_id)

    def revoke(self, key_id: str) -> Key:
        """From the next request on, on every worker. The name becomes free; the books stay."""
        self._change(key_id, _revoke)
        return self.get(key_id)

    def rotate(self, key_id: str, overlap_seconds: int) -> tuple[Key, str]:
        """A second secret for the same key. The old one is good for the overlap; at most two are."""
        secret = secrets.new_api_key(self.get(key_id).shard)
        self._change(key_id, lambda pipe, key, taken: _rotate(pipe, key, taken, secret, overlap_seconds))
        return self.get(key_id), secret

    def _change(self, key_id: str, change: Callable[[Any, Key, str], None]) -> None:
        """Run a change (of a pipeline, the key as it stands, the name of its project's names)."""
        key = self.get(key_id)
        taken = names.key_names(key.shard, key.record["project"])
        try:
            # Read after the WATCH: what changes later stops the transaction, and it begins again.
            self._client.transaction(lambda pipe: change(pipe, self.get(key_id), taken), taken)
        except redis.RedisError as error:
            raise unavailable() from error

    def _require_future(self, expires_at: datetime | None) -> None:
        if expires_at is not None and _epoch_ms(expires_at) <= self._ledger.now_ms():
            raise InvalidRequest(
                "Invalid value for 'expires_at': expected a time in the future.", param="expires_at"
            )

    def _read(self, key_id: str) -> Key | None:
        return next(iter(self._read_many([key_id])), None)

    def _read_many(self, key_ids: Iterable[str]) -> list[Key]:
        """Those of the keys that there are, in their order."""
        known = [key_id for key_id in key_ids if _shard_of_id(key_id) is not None]
        if not known:
            return []
        try:
            pipe = self._client.pipeline(transaction=False)
            for key_id in known:
                pipe.hgetall(names.key(key_id[4], key_id))
            records = pipe.execute()
        except redis.RedisError as error:
            raise unavailable() from error
        now_ms = self._ledger.now_ms()
        return [_key(key_id, r, now_ms) for key_id, r in zip(known, records, strict=True) if "status" in r]

    def _scope(self, key: Key) -> Scope:
        record = key.record
        return Scope("key", key.id, key.shard, record["period"], record["timezone"])


def _shard_of_id(key_id: str) -> str | None:
    shard = key_id[4:5]
    return shard if key_id.startswith("key_") and shard and shard in names.SHARDS else None


def _key(key_id: str, record: dict[str, str], now_ms: int) -> Key:
    shard = key_id[4]
    period = Scope("key", key_id, shard, record["period"], record["timezone"]).period_at(now_ms)
    return Key(key_id, shard, record, period, balance_of(record, period.name), now_ms)


def _rename(pipe: Any, key: Key, taken: str, name: str) -> None:
    if name == key.record["name"]:
        return
    if pipe.hexists(taken, name):
        raise _name_taken(name)
    _require_active(key)
    pipe.multi()
    pipe.hdel(taken, key.record["name"])
    pipe.hset(taken, name, key.id)
    pipe.hset(names.key(key.shard, key.id), "name", name)


def _revoke(pipe: Any, key: Key, taken: str) -> None:
    if key.record["status"] != "active":
        return
    pipe.multi()
    pipe.hset(names.key(key.shard, key.id), "status", "revoked")
    pipe.hdel(taken, key.record["name"])


def _rotate(pipe: Any, key: Key, taken: str, secret: str, overlap_seconds: int) -> None:
    _require_active(key)
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


def _require_active(key: Key) -> None:
    if key.record["status"] != "active":
        raise Conflict("A revoked key cannot be changed; make a new one.")


def _name_taken(name: str) -> Conflict:
    return Conflict(f"The project already has a key named '{name}'.", param="name")


def _add_secret(pipe: Any, shard: str, key_id: str, secret: str) -> None:
    hashed = secrets.secret_hash(secret)
    record = names.key(shard, key_id)
    pipe.hset(record, mapping={f"secret:{hashed}": 0, f"hint:{hashed}": secrets.hint(secret)})
    pipe.set(names.secret(shard, hashed), key_id)


def _fields(settings: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Settings as fields of the record: what to set, and what to remove (those that are None)."""
    sets: dict[str, str] = {}
    removals: list[str] = []
    for setting, value in settings.items():
        name = _FIELDS[setting]
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
            sets[name] = str(_epoch_ms(value))
        else:
            sets[name] = str(value)
    return sets, removals


def _epoch_ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
