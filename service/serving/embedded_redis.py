"""The embedded Redis: a real server of our own, for when no REDIS_URL is set.

It listens on a private unix socket only, appends every write to a file that is synced each second,
and never evicts. All it keeps is below one data directory:

    lock                held by the service that owns the directory, with its process id
    redis-server.json   the server that wrote the data
    redis.conf, redis.log, redis.sock
    redis/              the append-only file

The server has a session of its own, so Ctrl-C reaches the service alone, which still needs its Redis
to drain. On Linux the kernel ends it (SIGTERM: it syncs and exits) with the *thread* that started it, so
start it from the main thread. Elsewhere one that a killed service left behind is shut down by the next start.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from service.serving.redis_server import (
    ENVIRONMENT,
    EmbeddedRedisError,
    choose_server,
    remember_writer,
)
from service.serving.redis_socket import ask, make_private_directory, socket_path_of, url_of

__all__ = ["EmbeddedRedis", "EmbeddedRedisError", "running_url", "start_embedded_redis"]

START_TIMEOUT_SECONDS = 120  # Reading back a large append-only file takes its time.
STOP_TIMEOUT_SECONDS = 10
ORPHAN_TIMEOUT_SECONDS = 10
POLL_SECONDS = 0.01
LOG_TAIL_BYTES = 1000
PR_SET_PDEATHSIG = 1

CONFIG = """\
port 0
unixsocket {socket_path}
unixsocketperm 700
dir {redis_dir}
logfile {log_path}
loglevel warning
daemonize no
protected-mode yes
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


class EmbeddedRedis:
    """A running server and its hold on the directory. `url` is what a client connects to."""

    def __init__(self, process: subprocess.Popen[bytes], socket_path: Path, lock: IO[str]) -> None:
        self.url = url_of(socket_path)
        self.pid = process.pid
        self._process = process
        self._lock = lock
        self._owner_pid = os.getpid()

    def stop(self) -> None:
        """End the server (it syncs first) and let go of the directory. Harmless when repeated."""
        # A forked worker that unwinds through our `with` must not take the server from the others.
        if os.getpid() == self._owner_pid:
            _end(self._process)
            self._lock.close()

    def __enter__(self) -> "EmbeddedRedis":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_embedded_redis(data_dir: Path) -> EmbeddedRedis:
    """Start the server of `data_dir` (made if need be, mode 0700) and wait until it answers.

    Raises EmbeddedRedisError when the directory is another service's or cannot be written, when its
    data was written by a newer server or one of another family, or when the server does not start.
    """
    data_dir = data_dir.expanduser().resolve()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _take_lock(data_dir)
        try:
            return _start_owned(data_dir, lock)
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise EmbeddedRedisError(f"The data directory {data_dir} cannot be used: {error}") from error


def running_url(data_dir: Path) -> str | None:
    """The URL of the server that answers for `data_dir` now, or None. Changes nothing."""
    socket_path = socket_path_of(data_dir.expanduser().resolve())
    return url_of(socket_path) if ask(socket_path, b"PING") else None


def _take_lock(data_dir: Path) -> IO[str]:
    lock = (data_dir / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise EmbeddedRedisError(f"The data directory {data_dir} is in use by process {owner}") from None
    # The lock belongs to everyone who has the file open: a worker that outlives us must not keep it.
    os.register_at_fork(after_in_child=lock.close)
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _start_owned(data_dir: Path, lock: IO[str]) -> EmbeddedRedis:
    """Start the server of a directory whose lock is ours."""
    socket_path = socket_path_of(data_dir)
    if socket_path.parent != data_dir:
        make_private_directory(socket_path.parent)
    _send_orphan_away(socket_path)
    server = choose_server(data_dir)
    (data_dir / "redis").mkdir(mode=0o700, exist_ok=True)
    config_path = _write_config(data_dir, socket_path)
    remember_writer(data_dir, server)
    log_path = data_dir / "redis.log"
    with log_path.open("ab") as log:
        log_start = log.tell()
        process = _spawn([server.path, config_path], log)
    try:
        _wait_until_ready(process, socket_path)
    except BaseException as error:
        _end(process)
        if isinstance(error, EmbeddedRedisError):
            raise EmbeddedRedisError(f"{error}: {_log_tail(log_path, log_start)}") from None
        raise
    return EmbeddedRedis(process, socket_path, lock)


def _send_orphan_away(socket_path: Path) -> None:
    """See off a server whose service was killed; two must never append to the same file."""
    deadline = time.monotonic() + ORPHAN_TIMEOUT_SECONDS
    while ask(socket_path, b"SHUTDOWN") is not None:
        if time.monotonic() > deadline:
            raise EmbeddedRedisError(f"The Redis server of an earlier run still holds {socket_path}: end it")
        time.sleep(POLL_SECONDS)


def _write_config(data_dir: Path, socket_path: Path) -> Path:
    config_path = data_dir / "redis.conf"
    config_path.write_text(
        CONFIG.format(
            socket_path=_quoted(socket_path),
            redis_dir=_quoted(data_dir / "redis"),
            log_path=_quoted(data_dir / "redis.log"),
        )
    )
    return config_path


def _quoted(path: Path) -> str:
    """A path as redis.conf reads it."""
    return '"{}"'.format(str(path).replace("\\", "\\\\").replace('"', '\\"'))


def _spawn(command: list[Path], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        umask=0o077,
        start_new_session=True,
        preexec_fn=death_with_parent() if sys.platform == "linux" else None,
    )


def death_with_parent() -> Callable[[], None]:
    """What the child does before it becomes the server: ask the kernel for a SIGTERM when we die."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # Looked up here: between fork and exec little is safe.
    parent_pid = os.getpid()

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # We died before the kernel was asked.
            os._exit(1)

    return ask_kernel


def _wait_until_ready(process: subprocess.Popen[bytes], socket_path: Path) -> None:
    """Return once the server has read its data back and answers."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while ask(socket_path, b"PING") != b"+PONG":
        if process.poll() is not None:
            raise EmbeddedRedisError(f"The embedded Redis ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise EmbeddedRedisError(f"The embedded Redis was not ready in {START_TIMEOUT_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _log_tail(log_path: Path, start: int) -> str:
    """The last lines this run has logged, as one."""
    with log_path.open("rb") as log:
        log.seek(max(start, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return " | ".join(filter(None, map(str.strip, lines))) or f"see {log_path}"
