"""The rooms of the code and which way they look: imports point down, and each library has its place.

Read off the source, so that an import inside a function counts as well.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERVICE = ROOT / "service"

# Rooms, the highest first. A room imports from those below it and from itself, not from its neighbours.
LEVELS = (
    ("cli",),
    ("serving",),
    ("app",),
    ("openapi",),
    ("admin",),
    ("api",),
    ("services",),
    ("continuation_stream", "quotes", "file_calls"),
    ("continuation", "free_calls"),
    ("gateway",),
    ("streaming", "passing", "usage_log"),
    ("call",),
    ("key_view", "hold_view"),
    ("continuation_run", "continuation_request"),
    ("wiring",),
    ("keys", "admins", "usage", "presets", "conversations", "files", "responses"),
    ("key_record", "projects", "shelf"),
    ("operations",),
    ("ledger", "upstream", "pricing", "uploads"),
    ("schemas",),
    ("config", "errors", "logs", "money", "secrets", "times"),
    ("upstream.sandbox",),
)
HEIGHT = {room: -depth for depth, rooms in enumerate(LEVELS) for room in rooms}

# Below it or not, a room has no business there.
KNOWS_NOTHING_OF = {
    "admin": {"upstream", "gateway", "continuation", "operations", "pricing"},
    "ledger": {"schemas"},
    "pricing": {"schemas"},
    "upstream": {"schemas"},
}

# A page about all routes is itself a route: it asks for the description when it is asked for.
UPWARDS = {("service/api/docs.py", "openapi")}

# Where each library may be imported: rooms, or single modules.
FENCES = {
    "apispec": {"openapi"},
    "av": {"uploads.audio_length", "upstream.sandbox"},
    "python_multipart": {"uploads.multipart"},
    "bpe_openai": {"pricing", "upstream.sandbox"},
    "click": {"cli"},
    "environs": {"config"},
    "flask": {"app", "api", "admin", "openapi.routes"},
    "genai_prices": {"pricing", "upstream.sandbox"},
    "gevent": {"serving", "cli.serve", "upstream.sandbox"},
    "gunicorn": {"serving"},
    "httpx2": {"upstream"},
    "marshmallow": {"schemas"},
    "openai": {"upstream"},
    "redis": {"ledger", "keys", "admins", "shelf", "conversations", "responses"},
    "structlog": {"logs"},
    "urllib3": {"upstream"},
    "werkzeug": {"api", "upstream.sandbox"},
    "yaml": {"openapi"},
}

MOST_LINES_OF_FILE = 350
MOST_LINES_OF_FUNCTION = 60
# Written so that this file does not find itself.
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HAC[K])\b")
REGISTRIES = re.compile(r"py[p]i\.org|python[h]osted|npm[j]s\.|index\.cra[t]es|proxy\.go[l]ang")


class Import(NamedTuple):
    """One import: in which file, room and module, of what (`service.ledger.names`, `flask`)."""

    file: str
    room: str
    module: str
    line: int
    target: str


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def room_of(module: str) -> str:
    """`service.ledger.names` -> `ledger`. The sandbox is a room of its own: it shares nothing."""
    below = module.removeprefix("service").lstrip(".")
    return "upstream.sandbox" if below.startswith("upstream.sandbox") else below.split(".")[0]


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for file in files(SERVICE) for found in _imports_in(file))


def _imports_in(file: Path) -> Iterator[Import]:
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative"
            # `from service.api import chat` may name a module or something in one.
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            name = file.relative_to(ROOT).as_posix()
            yield Import(name, room_of(module), module, node.lineno, target)


def rooms_imported() -> Iterator[tuple[Import, str]]:
    for found in imports():
        if found.target.split(".")[0] == "service":
            other = room_of(found.target)
            # The package's own name and version belong to nobody.
            if not other.startswith("__") and other != found.room:
                yield found, other


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for file in files(SERVICE):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", node


@cache
def kept_files() -> tuple[Path, ...]:
    """What is in the repository, or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"not a git checkout: {error}")
    found = [ROOT / name for name in listed.split("\0") if name]
    return tuple(file for file in found if file.is_file())


def texts() -> Iterator[tuple[str, str]]:
    """Names and texts of the files of our own making."""
    for file in kept_files():
        name = file.relative_to(ROOT).as_posix()
        if "/static/rapidoc/" not in name:
            yield name, file.read_text(errors="replace")


def test_every_module_has_a_room() -> None:
    rooms = {room_of(".".join(file.relative_to(ROOT).with_suffix("").parts)) for file in files(SERVICE)}
    assert rooms - {"__init__"} == set(HEIGHT)


def test_imports_point_down() -> None:
    wrong = [
        f"{found.file}:{found.line} ({found.room}) imports {other}"
        for found, other in rooms_imported()
        if HEIGHT[other] >= HEIGHT[found.room] and (found.file, other) not in UPWARDS
    ]
    assert wrong == []


def test_every_exception_to_that_is_still_needed() -> None:
    assert {(found.file, other) for found, other in rooms_imported()} >= UPWARDS


def test_rooms_leave_alone_what_is_not_their_business() -> None:
    wrong = [
        f"{found.file}:{found.line} ({found.room}) imports {other}"
        for found, other in rooms_imported()
        if other in KNOWS_NOTHING_OF.get(found.room, set())
    ]
    assert wrong == []


def test_every_library_stays_in_its_place() -> None:
    wrong = []
    for found in imports():
        library = found.target.split(".")[0]
        if library == "service" or library in sys.stdlib_module_names:
            continue
        assert library in FENCES, f"{found.file}:{found.line}: {library} has no place yet"
        if not {found.room, found.module.removeprefix("service.")} & FENCES[library]:
            wrong.append(f"{found.file}:{found.line} imports {library}")
    assert wrong == []


def test_every_place_is_used() -> None:
    for library, places in FENCES.items():
        users = [found for found in imports() if found.target.split(".")[0] == library]
        used = {place for found in users for place in (found.room, found.module.removeprefix("service."))}
        assert places <= used, library


def test_files_are_short() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files(SERVICE)}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_FILE} == {}


def test_functions_are_short() -> None:
    lengths = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in functions()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_FUNCTION} == {}


def test_every_module_says_what_it_is() -> None:
    for file in files(SERVICE):
        assert ast.get_docstring(ast.parse(file.read_text())), file


def test_no_test_sleeps_without_saying_why() -> None:
    wrong = []
    for file in files(ROOT / "tests"):
        lines = ["", *file.read_text().splitlines()]
        for before, line in pairwise(lines):
            if re.search(r"\b(?:time|gevent)\.sleep\(", line) and "#" not in line and "#" not in before:
                wrong.append(f"{file.relative_to(ROOT)}: {line.strip()}")
    assert wrong == []


def test_nothing_is_left_for_later() -> None:
    assert [name for name, text in texts() if UNFINISHED.search(text)] == []


def test_no_file_says_where_packages_come_from() -> None:
    assert [name for name, text in texts() if REGISTRIES.search(text)] == []
