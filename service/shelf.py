"""A shelf: small JSON records that belong to a project, each under a name of its own.

One hash a project, so another project's records are not there rather than forbidden. What is asked for by
name costs one round trip; a list reads the whole hash, which `most` keeps small.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import redis

from service.errors import Conflict
from service.ledger.connection import Client
from service.ledger.holds import Account
from service.ledger.ledger import unavailable

Record = dict[str, Any]


class Shelf:
    """The records of one kind. `name`: the hash's, from shard and project; `what`: the kind, for people."""

    def __init__(self, client: Client, name: Callable[[str, str], str], *, most: int, what: str) -> None:
        self._client = client
        self._name = name
        self._most = most
        self._what = what

    def get(self, account: Account, id: str) -> Record | None:
        record: str | None = self._ask("hget", account, id)
        return None if record is None else json.loads(record)

    def has_all(self, account: Account, ids: Iterable[str]) -> dict[str, bool]:
        """Which of the ids are on the shelf."""
        asked = list(ids)
        found: list[str | None] = self._ask("hmget", account, asked)
        return {id: record is not None for id, record in zip(asked, found, strict=True)}

    def all(self, account: Account) -> dict[str, Record]:
        """Every record by its id, in no order."""
        found: dict[str, str] = self._ask("hgetall", account)
        return {id: json.loads(record) for id, record in found.items()}

    def put(self, account: Account, id: str, record: Record) -> None:
        """Keep a record, in the place of one of the same id. Raises Conflict if the shelf is full."""
        self.require_room(account, id)
        self._ask("hset", account, id, json.dumps(record, separators=(",", ":")))

    def require_room(self, account: Account, id: str | None = None) -> None:
        """Raise Conflict if a further record (or the one of that id) has no place."""
        if self._ask("hlen", account) >= self._most and (id is None or not self._ask("hexists", account, id)):
            raise Conflict(f"The project has {self._most} {self._what}, its most; delete some.")

    def remove(self, account: Account, id: str) -> bool:
        """Take a record away; False if there was none."""
        return bool(self._ask("hdel", account, id))

    def _ask(self, command: str, account: Account, *arguments: Any) -> Any:
        try:
            return getattr(self._client, command)(self._name(account.shard, account.project), *arguments)
        except redis.RedisError as error:
            raise unavailable() from error
