"""What a continuation's body stands for: its preset, its examples and what it goes on from, put in.

Reads stores, never the upstream; the same for a run and for its quote.
"""

from dataclasses import dataclass
from typing import Any

from service.conversations import Conversations
from service.errors import NotFound
from service.keys import Keys
from service.ledger.holds import Account
from service.presets import Presets, expanded, filled_in
from service.schemas.check import check
from service.schemas.continuation import CONTINUATION
from service.schemas.json_body import read_json


@dataclass(frozen=True)
class Asked:
    """A run as it is to be made: `fields` need no store any more; `before` is what was said already."""

    account: Account
    fields: dict[str, Any]
    before: tuple[dict[str, Any], ...] = ()


class ContinuationRequests:
    """Reads bodies of POST /v1/continuations, and keeps what is to be kept at the end."""

    def __init__(self, keys: Keys, presets: Presets, conversations: Conversations) -> None:
        self._keys = keys
        self._presets = presets
        self._conversations = conversations

    def read(self, secret: str, raw: bytes) -> Asked:
        """The run a body asks for. Raises Unauthenticated, InvalidRequest, NotFound."""
        account = self._keys.authenticate(secret)
        fields = read_json(raw)
        check(CONTINUATION, fields)
        preset, previous = fields.get("preset"), fields.get("previous_continuation_id")
        before: list[dict[str, Any]] = []
        if preset is not None or previous is not None:
            # Everything else is decided at the first reserve; a revoked key must not even read.
            self._keys.current(account)
        if preset is not None:
            fields = filled_in(fields, self._presets.get(account, preset))
        if previous is not None:
            fields, before = self._after(account, previous, fields)
        check(CONTINUATION, fields)
        return Asked(account, expanded(fields), tuple(before))

    def ended(self, asked: Asked, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of a run; kept if that was asked for, and then it says whether it was."""
        if not asked.fields.get("store"):
            return body
        return body | {"store": self._conversations.keep(asked.account, body | {"store": True})}

    def _after(
        self, account: Account, previous: str, fields: dict[str, Any]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The body with the model of the run before unless it names one, and that run's messages."""
        try:
            kept = self._conversations.get(account, previous)
        except NotFound as error:
            raise NotFound(error.message, param="previous_continuation_id") from None
        own = {name: value for name, value in fields.items() if value is not None}
        return {"model": kept["model"], **own}, kept["messages"]
