"""The embedded Redis' unix socket: where it lies, and a word or two with whoever listens there."""

import hashlib
import os
import socket
from pathlib import Path
from urllib.parse import quote

ANSWER_TIMEOUT_SECONDS = 1.0
LONGEST_PATH_BYTES = 100  # The kernel's limit is 104 (macOS) or 108 (Linux), a NUL included.


def socket_path_of(data_dir: Path) -> Path:
    """The socket of `data_dir` (absolute): inside it, or, where that is too long, in a private directory.

    That other directory depends on the data directory and the user alone, not on TMPDIR, so that a
    command line started elsewhere finds the same socket.
    """
    path = data_dir / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(f"/tmp/spendgate-{os.getuid()}-{digest}/redis.sock")


def make_private_directory(directory: Path) -> None:
    """Make `directory` for this user only. Raises PermissionError if it is there and somebody else's."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or directory.is_symlink():
        raise PermissionError(f"{directory} is not private to this user")


def url_of(socket_path: Path) -> str:
    """`unix:///...`, quoted as clients expect it."""
    return f"unix://{quote(str(socket_path))}"


def ask(socket_path: Path, command: bytes) -> bytes | None:
    """The first line of the reply; b"" from a listener that stays silent; None where nobody listens."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_TIMEOUT_SECONDS)
            connection.connect(str(socket_path))
            connection.sendall(command + b"\r\n")
            return connection.makefile("rb").readline().strip()
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError:
        return b""
