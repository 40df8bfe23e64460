"""The Lua verbs, loaded once: `lua/<verb>.lua`, run by EVALSHA with the text as a fall-back."""

import re
from importlib.resources import files
from typing import Any

from service.ledger.connection import Client

VERBS = ("reserve", "settle", "release", "cancel", "doubt", "lease", "amend")
_INCLUDE = re.compile(r"^-- @include (\w+)$", re.MULTILINE)


def source(verb: str) -> str:
    """The text of a verb, with the functions it shares with another one put in."""
    folder = files(__package__) / "lua"
    text = (folder / f"{verb}.lua").read_text()
    return _INCLUDE.sub(lambda m: (folder / f"{m[1]}.lua").read_text(), text)


class Scripts:
    """Calls a verb by its name: `scripts.run("settle", keys, args)` gives the raw reply."""

    def __init__(self, client: Client) -> None:
        self._scripts = {verb: client.register_script(source(verb)) for verb in VERBS}

    def run(self, verb: str, keys: list[str], args: list[Any]) -> Any:
        return self._scripts[verb](keys=keys, args=args)
