"""Presets: the part of a continuation that stays the same, kept by name in the project.

A preset is what a continuation's body may leave out: model, system, examples and the parameters of its
rounds. The body's own fields go before the preset's; the whole is validated again.
"""

import json
from datetime import UTC, datetime
from typing import Any

from service.errors import NotFound, TooLarge
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import Account
from service.schemas.continuation import SHOTS
from service.schemas.fine_tuning import read_examples
from service.shelf import Shelf
from service.times import rfc3339

# Presets are free to keep, and share their memory with the ledger.
MOST_PRESETS = 200
MOST_BYTES = 256 * 1024
_CAPS = {"max_tokens", "max_completion_tokens"}
# What a preset that is read has besides; it may be put as it was read.
_MARKS = ("object", "name", "updated_at")

Preset = dict[str, Any]


class Presets:
    """The store of presets. Whatever is not of the account's project is not there."""

    def __init__(self, client: Client) -> None:
        self._shelf = Shelf(client, names.presets, most=MOST_PRESETS, what="presets")

    def put(self, account: Account, name: str, fields: dict[str, Any]) -> Preset:
        """Keep a preset, made from a valid body. Raises TooLarge, Conflict if there are too many."""
        preset = _preset(name, fields)
        if len(json.dumps(preset)) > MOST_BYTES:
            raise TooLarge(f"A preset takes at most {MOST_BYTES // 1024} kB.")
        self._shelf.put(account, name, preset)
        return preset

    def get(self, account: Account, name: str) -> Preset:
        """Raises NotFound."""
        preset = self._shelf.get(account, name)
        if preset is None:
            raise _unknown(name)
        return preset

    def all(self, account: Account) -> list[Preset]:
        """Every preset of the project, by name."""
        return [preset for _, preset in sorted(self._shelf.all(account).items())]

    def remove(self, account: Account, name: str) -> None:
        """Raises NotFound."""
        if not self._shelf.remove(account, name):
            raise _unknown(name)


def filled_in(fields: dict[str, Any], preset: Preset) -> dict[str, Any]:
    """A continuation's body with what its preset gives; what it goes on from has its own beginning."""
    own = {name: value for name, value in fields.items() if value is not None}
    given = preset["parameters"] | {name: preset[name] for name in SHOTS if preset[name] is not None}
    if "previous_continuation_id" in own:
        given = {name: value for name, value in given.items() if name not in ("system", "examples")}
    if _CAPS & own.keys():
        given = {name: value for name, value in given.items() if name not in _CAPS}
    own.pop("preset", None)
    return {**given, **own}


def expanded(fields: dict[str, Any]) -> dict[str, Any]:
    """A body whose examples are pairs, with the system message that their text may have brought along."""
    if not isinstance(fields.get("examples"), str):
        return fields
    system, examples = read_examples(fields["examples"])
    return fields | {"examples": examples, "system": fields.get("system") or system}


def _preset(name: str, fields: dict[str, Any]) -> Preset:
    given = {f: value for f, value in expanded(fields).items() if value is not None and f not in _MARKS}
    shots = {field: given.pop(field, None) for field in SHOTS}
    inner = given.pop("parameters", {})
    parameters = given | {field: value for field, value in inner.items() if value is not None}
    return {
        "object": "preset",
        "name": name,
        **shots,
        "parameters": parameters,
        "updated_at": rfc3339(datetime.now(UTC)),
    }


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no preset '{name[:100]}' in this project.", param="preset")
