"""API keys: records in Redis, and who a secret belongs to.

A key's record is also its scope in the ledger (see service.ledger.names), so that the reserve script
reads state and money from one hash. What never changes about a key (id, project, period, time zone)
is remembered in the process; its state and its limits never are.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import redis

from service import secrets
from service.errors import Conflict, InvalidRequest, NotFound
from service.key_record import (
    FIELDS,
    Key,
    epoch_ms,
    fields_of,
    insert,
    key_from,
    rename,
    require_active,
    revoke,
    rotate,
    shard_of_id,
)
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import Account, Scope
from service.ledger.ledger import Ledger, unavailable
from service.ledger.refusals import invalid_api_key, raise_key_state
from service.projects import Projects, project_scope
from service.schemas.admin import KeyCreate

__all__ = ["Key", "Keys"]

MOST_REMEMBERED = 10_000
PAGE = 100


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
        self._require_future(new.expires_at)
        try:
            shard = self._projects.ensure(new.project)
            key_id, secret = f"key_{shard}{secrets.random_text(16)}", secrets.new_api_key(shard)
            now_ms = int(time.time() * 1000)
            record, _ = fields_of({name: getattr(new, name) for name in FIELDS})
            record |= {
                "project": new.project,
                "status": "active",
                "period": new.period,
                "timezone": new.timezone,
                "created_at": str(now_ms),
            }
            taken = names.key_names(shard, new.project)
            self._client.transaction(lambda pipe: insert(pipe, shard, key_id, secret, record, taken), taken)
        except redis.RedisError as error:
            raise unavailable() from error
        return self.get(key_id), secret

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
        """Change settings (names as in FIELDS; None clears). Raises NotFound, Conflict, InvalidRequest."""
        self._require_future(changes.get("expires_at"))
        key = self.get(key_id)
        require_active(key)
        rest = dict(changes)
        if (name := rest.pop("name", None)) is not None:
            self._change(key_id, lambda pipe, key, taken: rename(pipe, key, taken, name))
        sets, removals = fields_of(rest)
        self._ledger.amend(self._scope(key), sets, removals)
        return self.get(key_id)

    def revoke(self, key_id: str) -> Key:
        """From the next request on, on every worker. The name becomes free; the books stay."""
        self._change(key_id, revoke)
        return self.get(key_id)

    def rotate(self, key_id: str, overlap_seconds: int) -> tuple[Key, str]:
        """A second secret for the same key. The old one is good for the overlap; at most two are."""
        secret = secrets.new_api_key(self.get(key_id).shard)
        self._change(key_id, lambda pipe, key, taken: rotate(pipe, key, taken, secret, overlap_seconds))
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
        if expires_at is not None and epoch_ms(expires_at) <= self._ledger.now_ms():
            raise InvalidRequest(
                "Invalid value for 'expires_at': expected a time in the future.", param="expires_at"
            )

    def _read(self, key_id: str) -> Key | None:
        return next(iter(self._read_many([key_id])), None)

    def _read_many(self, key_ids: Iterable[str]) -> list[Key]:
        """Those of the keys that there are, in their order."""
        known = [key_id for key_id in key_ids if shard_of_id(key_id) is not None]
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
        return [
            key_from(key_id, r, now_ms) for key_id, r in zip(known, records, strict=True) if "status" in r
        ]

    def _scope(self, key: Key) -> Scope:
        record = key.record
        return Scope("key", key.id, key.shard, record["period"], record["timezone"])
