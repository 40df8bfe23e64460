"""The embedded Redis against a real server: what is written stays, and nobody else gets at it."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from service.serving.embedded_redis import EmbeddedRedisError, running_url, start_embedded_redis
from service.serving.redis_server import RedisServer, choose_server

only_on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: prctl, pidfd, /proc")
# Other tests' servers may have threads here; the children below only end.
forks = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

# A service as the embedded Redis sees one: starts it, writes, and is there until it is killed.
SERVICE = """
import sys
from pathlib import Path
import redis
from service.serving.embedded_redis import start_embedded_redis
with start_embedded_redis(Path(sys.argv[1])) as server:
    redis.Redis.from_url(server.url).incrby("spent", 5)
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def a_server_is_installed(tmp_path: Path) -> None:
    try:
        choose_server(tmp_path)
    except EmbeddedRedisError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture
def other_service(tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts services of their own process, which end with the test."""
    started = []

    def start(data_dir: Path) -> subprocess.Popen[str]:
        service = subprocess.Popen(
            [sys.executable, "-c", SERVICE, data_dir],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(service)
        return service

    yield start
    for service in started:
        service.communicate()


def client_of(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def wait_for_end(pid: int) -> None:
    """Return when the process has ended, by itself; fail after 10 s."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([process], [], [], 10)
    os.close(process)
    assert ended, f"process {pid} is still there"


def put_on_path(monkeypatch: pytest.MonkeyPatch, directory: Path, version: str, run: str) -> Path:
    """A `redis-server` in front of PATH that claims to be `version` and, when started, does `run`."""
    directory.mkdir()
    program = directory / "redis-server"
    program.write_text(f"#!/bin/sh\ncase $1 in --version) echo '{version}';; *) {run};; esac\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)
    return program


def test_what_was_written_survives_a_stop_and_a_start(tmp_path: Path) -> None:
    with start_embedded_redis(tmp_path) as server, client_of(server.url) as client:
        client.set("spent", 7)
    with start_embedded_redis(tmp_path) as server, client_of(server.url) as client:
        assert client.get("spent") == "7"


def test_server_is_durable_private_and_never_evicts(tmp_path: Path) -> None:
    data_dir = tmp_path / 'new "dir"'
    with start_embedded_redis(data_dir) as server, client_of(server.url) as client:
        settings = client.config_get("*")
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "everysec"
        assert settings["maxmemory-policy"] == "noeviction"
        assert settings["save"] == ""
        assert settings["port"] == "0"
        assert settings["dir"] == str(data_dir / "redis")
        assert data_dir.stat().st_mode & 0o777 == 0o700
        assert Path(settings["unixsocket"]).stat().st_mode & 0o777 == 0o700


def test_server_sees_no_secret_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = put_on_path(
        monkeypatch, tmp_path / "bin", "Redis server v=99.0", f"env >{tmp_path}/environment; exit 3"
    )
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-operators")
    with pytest.raises(EmbeddedRedisError, match="ended with status 3"):
        start_embedded_redis(tmp_path / "data")
    assert choose_server(tmp_path / "data").path == spy
    environment = (tmp_path / "environment").read_text()
    assert "PATH=" in environment
    assert "sk-the-operators" not in environment


@only_on_linux
def test_server_dies_with_a_killed_service_and_its_data_is_there_again(tmp_path, other_service) -> None:
    service = other_service(tmp_path)
    server_pid = int(service.stdout.readline())
    service.kill()
    service.wait()
    wait_for_end(server_pid)
    with start_embedded_redis(tmp_path) as server, client_of(server.url) as client:
        assert client.get("spent") == "5"


def test_service_killed_a_moment_ago_does_not_hinder_the_next(tmp_path, other_service) -> None:
    for run in range(1, 4):
        service = other_service(tmp_path)
        assert service.stdout.readline(), f"run {run} did not start"
        service.kill()
        service.wait()
    with start_embedded_redis(tmp_path) as server, client_of(server.url) as client:
        assert client.get("spent") == "15"


def test_server_left_behind_is_shut_down_by_the_next_start(tmp_path: Path) -> None:
    with start_embedded_redis(tmp_path) as first:
        program = json.loads((tmp_path / "redis-server.json").read_text())["path"]
    orphan = subprocess.Popen([program, tmp_path / "redis.conf"], stdout=subprocess.DEVNULL)
    while running_url(tmp_path) is None:
        time.sleep(0.01)  # there is no event to wait for in another process
    with start_embedded_redis(tmp_path) as second, client_of(second.url) as client:
        assert orphan.wait(10) == 0
        assert client.info()["process_id"] == second.pid != first.pid


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(tmp_path: Path) -> None:
    with start_embedded_redis(tmp_path) as server:
        assert os.getsid(server.pid) != os.getsid(0)


def test_second_service_is_refused_and_told_who_has_the_directory(tmp_path, other_service) -> None:
    with start_embedded_redis(tmp_path) as server, client_of(server.url) as client:
        with pytest.raises(EmbeddedRedisError, match=f"{tmp_path} is in use by process {os.getpid()}"):
            start_embedded_redis(tmp_path)
        second = other_service(tmp_path)
        assert second.wait(30) != 0
        assert client.ping()


@forks
def test_worker_that_ends_leaves_the_server_to_the_others(tmp_path: Path) -> None:
    with start_embedded_redis(tmp_path) as server, client_of(server.url) as client:
        worker = os.fork()
        if worker == 0:
            server.stop()
            os._exit(0)
        os.waitpid(worker, 0)
        assert client.ping()


@forks
def test_worker_that_outlives_the_service_does_not_keep_the_directory(tmp_path: Path) -> None:
    release, wait_here = os.pipe()
    server = start_embedded_redis(tmp_path)
    worker = os.fork()
    if worker == 0:
        os.close(wait_here)
        os.read(release, 1)
        os._exit(0)
    server.stop()
    with start_embedded_redis(tmp_path) as again:
        assert running_url(tmp_path) == again.url
    os.close(wait_here)
    os.waitpid(worker, 0)


def test_data_directory_with_a_long_path_works(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30) / "still longer"
    with start_embedded_redis(data_dir) as server, client_of(server.url) as client:
        assert client.ping()
        assert len(os.fsencode(server.url)) < 110
        assert running_url(data_dir) == server.url


def test_running_url_is_none_where_no_server_answers(tmp_path: Path) -> None:
    assert running_url(tmp_path) is None
    with start_embedded_redis(tmp_path) as server:
        assert running_url(tmp_path) == server.url
        assert client_of(running_url(tmp_path)).ping()
    assert running_url(tmp_path) is None
    assert running_url(tmp_path / "nowhere") is None
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(("family", "version"), [("valkey", "7.2.0"), ("redis", "99.0.1")])
def test_data_of_another_family_or_a_newer_server_is_refused(
    tmp_path: Path, family: str, version: str
) -> None:
    record = json.dumps({"server": family, "version": version, "path": "/usr/bin/gone"})
    (tmp_path / "redis-server.json").write_text(record)
    with pytest.raises(EmbeddedRedisError, match=f"was written by {family} {version}.* cannot read"):
        start_embedded_redis(tmp_path)
    assert (tmp_path / "redis-server.json").read_text() == record
    assert running_url(tmp_path) is None


def test_server_on_path_goes_first_unless_it_cannot_read_the_data(tmp_path: Path, monkeypatch) -> None:
    usual = choose_server(tmp_path)
    valkey = put_on_path(monkeypatch, tmp_path / "bin", "Valkey server v=8.1.1 sha=0:0", "exit 1")
    assert choose_server(tmp_path) == RedisServer("valkey", "8.1.1", valkey)
    (tmp_path / "redis-server.json").write_text(
        json.dumps({"server": usual.family, "version": "7.0", "path": ""})
    )
    assert choose_server(tmp_path) == usual


def test_data_is_remembered_with_the_server_that_wrote_it(tmp_path: Path) -> None:
    expected = choose_server(tmp_path)
    start_embedded_redis(tmp_path).stop()
    record = json.loads((tmp_path / "redis-server.json").read_text())
    assert record == {"server": expected.family, "version": expected.version, "path": str(expected.path)}


def test_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    start_embedded_redis(tmp_path).stop()
    manifest = next((tmp_path / "redis" / "appendonlydir").glob("*.manifest"))
    manifest.write_text("nonsense\n")
    with pytest.raises(EmbeddedRedisError, match=r"ended with status 1: .*manifest") as refusal:
        start_embedded_redis(tmp_path)
    assert "\n" not in str(refusal.value)
    manifest.unlink()
    start_embedded_redis(tmp_path).stop()


def test_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedRedisError, match=f"{tmp_path}/file/data cannot be used"):
        start_embedded_redis(tmp_path / "file" / "data")
