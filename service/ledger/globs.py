"""Model globs (`gpt-4o*`): matched in Python for lists, and in Lua at each admission.

`*` stands for any run of characters, `?` for one; everything else for itself. Both sides are case
sensitive, as model names are.
"""

import re
from collections.abc import Iterable

_LUA_MAGIC = re.compile(r"[\^$()%.\[\]*+\-?]")


def lua_patterns(globs: Iterable[str]) -> str:
    """The globs as anchored Lua patterns, one a line."""
    return "\n".join(f"^{_LUA_MAGIC.sub(_lua_piece, glob)}$" for glob in globs)


def _lua_piece(match: re.Match[str]) -> str:
    return {"*": ".-", "?": "."}.get(match[0], "%" + match[0])


def matches(globs: Iterable[str], name: str) -> bool:
    """Whether one of the globs matches the whole name."""
    return any(_regex(glob).fullmatch(name) for glob in globs)


def _regex(glob: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in glob), re.DOTALL)
