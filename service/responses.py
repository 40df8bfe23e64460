"""Responses that the upstream stores: whose they are, and what they count when they are continued.

The upstream knows one account, ours; which project may read, delete or continue a response is known here
alone. A response's reasoning has a record of its own, since a body can name that by its id, too. Nothing of
what was said is in them. They expire when OpenAI itself no longer promises to have the response.
"""

import time
from collections.abc import Iterable, Mapping

import redis

from service.errors import NotFound
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import Account
from service.ledger.ledger import unavailable
from service.logs import log
from service.operations.base import StoredResponse

# https://developers.openai.com/api/docs/guides/your-data: stored "for at least 30 days".
TTL_SECONDS = 30 * 86_400
_SHOWN_CHARACTERS = 200


class Responses:
    """The records. Whatever is not of the account's project is not there."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def keep(self, account: Account, stored: Mapping[str, StoredResponse]) -> bool:
        """Record what an answer left at the upstream; whether it could be. The answer is paid, so it goes
        out in either case; without a record nobody can continue it."""
        if not stored:
            return True
        pipe = self._client.pipeline(transaction=False)
        for id, each in stored.items():
            name = names.response(account.shard, id)
            record = {**vars(each), "project": account.project, "created_at": int(time.time() * 1000)}
            pipe.hset(name, mapping=record).expire(name, TTL_SECONDS)
        try:
            pipe.execute()
        except redis.RedisError:
            log.error("response_not_recorded", ids=list(stored), project=account.project)
            return False
        return True

    def find(self, account: Account, named: Iterable[tuple[str, str]]) -> dict[str, StoredResponse]:
        """The records of the (path, id) in a body, by id. Raises NotFound for one of another project."""
        places = list(named)
        if not places:
            return {}
        pipe = self._client.pipeline(transaction=False)
        for _, id in places:
            pipe.hgetall(names.response(account.shard, id))
        try:
            records = pipe.execute()
        except redis.RedisError as error:
            raise unavailable() from error
        found = {}
        for (path, id), record in zip(places, records, strict=True):
            if record.get("project") != account.project:
                raise NotFound(f"This project has no response '{id[:_SHOWN_CHARACTERS]}'.", param=path)
            tokens, hidden_tokens = int(record["tokens"]), int(record["hidden_tokens"])
            found[id] = StoredResponse(tokens, hidden_tokens, record["counted_by"])
        return found

    def forget(self, account: Account, response_id: str) -> None:
        """It was deleted at the upstream. The caller has found it to be its own."""
        try:
            self._client.delete(names.response(account.shard, response_id))
        except redis.RedisError as error:
            raise unavailable() from error
