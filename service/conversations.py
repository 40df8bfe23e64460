"""Continuations that were asked to be kept (`store: true`), to be read again and continued.

Nothing else of what callers say or models answer is stored anywhere. What is kept is the answer as its
caller got it, transcript and all; it expires after SPENDGATE_CONTINUATION_TTL_SECONDS.
"""

import json
from typing import Any

import redis

from service.errors import NotFound
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import Account
from service.ledger.ledger import unavailable
from service.logs import log

# They share their memory with the ledger; a transcript that fits a model's window is smaller.
MOST_BYTES = 8 * 1024 * 1024


class Conversations:
    """The store of continuations. Whatever is not of the account's project is not there."""

    def __init__(self, client: Client, ttl_seconds: int) -> None:
        self._client = client
        self._ttl_seconds = ttl_seconds

    def keep(self, account: Account, body: dict[str, Any]) -> bool:
        """Keep an ended run; whether it could be. Its answer is paid, so it goes out in either case."""
        text = json.dumps(body, separators=(",", ":"))
        try:
            if len(text) <= MOST_BYTES:
                self._client.set(_name(account, body["id"]), text, ex=self._ttl_seconds)
                return True
            log.error("continuation_not_kept", id=body["id"], why="it is too large")
        except redis.RedisError:
            log.error("continuation_not_kept", id=body["id"], why="Redis does not answer")
        return False

    def get(self, account: Account, id: str) -> dict[str, Any]:
        """An ended run as its caller got it. Raises NotFound."""
        try:
            text = self._client.get(_name(account, id))
        except redis.RedisError as error:
            raise unavailable() from error
        if text is None:
            raise _unknown(id)
        body: dict[str, Any] = json.loads(text)
        return body

    def remove(self, account: Account, id: str) -> None:
        """Raises NotFound."""
        try:
            removed = self._client.delete(_name(account, id))
        except redis.RedisError as error:
            raise unavailable() from error
        if not removed:
            raise _unknown(id)


def _name(account: Account, id: str) -> str:
    return names.kept(account.shard, account.project, id)


def _unknown(id: str) -> NotFound:
    return NotFound(f"There is no continuation '{id[:100]}' in this project.", param="id")
