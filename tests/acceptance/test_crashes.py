"""Whatever dies, no money is lost and none leaks."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import urllib3

from service.config import Settings
from service.serving.embedded_redis import EmbeddedRedis, start_embedded_redis
from service.wiring import open_stores
from tests.harness import Caller, Sandbox, Service, at_once, eventually

IN_FLIGHT = 50


def test_kill_nine_of_everything_with_calls_in_flight(sandbox: Sandbox, tmp_path: Path) -> None:
    first = Service(sandbox.url, SPENDGATE_DATA_DIR=tmp_path, SPENDGATE_WORKER_LEASE_SECONDS=2)
    caller = first.new_key(hard_limit_usd="0.01")
    calls = threading.Thread(
        target=at_once,
        args=([lambda: caller.chat(max_tokens=100, knobs={"delay_ms": 2000})] * IN_FLIGHT, IN_FLIGHT),
    )
    calls.start()
    eventually(lambda: sandbox.bill()["requests_seen"] == IN_FLIGHT)
    first.kill()
    calls.join()
    eventually(lambda: sandbox.bill()["count"] == IN_FLIGHT)

    second = Service(sandbox.url, SPENDGATE_DATA_DIR=tmp_path, SPENDGATE_WORKER_LEASE_SECONDS=2)
    try:
        again = Caller(second, {"id": caller.id, "key": caller.secret})
        billed = sandbox.billed_nano_usd()
        assert again.spent() + again.held() + again.in_doubt() >= billed > 0
        eventually(lambda: again.held() == 0, seconds=20)
        assert again.in_doubt() >= billed
        sandbox.forget()
        at_once([lambda: again.chat(max_tokens=100, knobs={"tokens": 100})] * 200, 100)
        eventually(lambda: again.held() == 0)
        assert again.in_doubt() + again.spent() <= 10_000_000
        assert sandbox.billed_nano_usd() + billed <= 10_000_000
        _resolve_all(tmp_path, again)
    finally:
        second.kill()


def _resolve_all(data_dir: Path, caller: Caller) -> None:
    """An operator settles one hold at its true cost and releases the others."""
    spent = caller.spent()
    holds = json.loads(_cli(data_dir, "holds", "list", "--json"))
    ids = [hold["id"] for hold in (holds["data"] if isinstance(holds, dict) else holds)]
    assert len(ids) == IN_FLIGHT
    _cli(data_dir, "holds", "settle", ids[0], "--cost-usd", "0.00002")
    for hold_id in ids[1:]:
        caller.service.admin("POST", f"/holds/{hold_id}/release")
    assert caller.in_doubt() == 0
    assert caller.spent() == spent + 20_000
    assert "operator" in _cli(data_dir, "ledger", "export", "--format", "jsonl")
    _cli(data_dir, "ledger", "verify")


def _cli(data_dir: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", *args],
        env={"SPENDGATE_DATA_DIR": str(data_dir), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kill_nine_of_one_worker_leaves_its_calls_in_doubt(sandbox: Sandbox, tmp_path: Path) -> None:
    service = Service(sandbox.url, workers=1, SPENDGATE_DATA_DIR=tmp_path, SPENDGATE_WORKER_LEASE_SECONDS=2)
    try:
        caller = service.new_key()
        calls = threading.Thread(
            target=at_once, args=([lambda: caller.chat(max_tokens=10, knobs={"delay_ms": 3000})] * 5, 5)
        )
        calls.start()
        eventually(lambda: sandbox.bill()["requests_seen"] == 5)
        os.kill(_children(service.popen.pid, "worker"), signal.SIGKILL)
        calls.join()
        eventually(lambda: service.request("GET", "/readyz").status == 200)
        eventually(lambda: caller.held() == 0 and caller.in_doubt() > 0, seconds=20)
        assert caller.chat(max_tokens=1).status == 200
    finally:
        service.kill()


def _children(parent: int, kind: str) -> int:
    """The pid of a gunicorn worker: the child that runs Python as its parent does."""
    assert kind == "worker"
    own = Path(f"/proc/{parent}/cmdline").read_bytes()
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if Path(f"/proc/{child}/cmdline").read_bytes() == own:
            return int(child)
    raise AssertionError("no worker")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = start_embedded_redis(tmp_path / "redis")
    yield server
    with suppress(ProcessLookupError):  # a test may have stopped it for good
        os.kill(server.pid, signal.SIGCONT)
    server.stop()


@pytest.fixture
def service(sandbox: Sandbox, redis_server: EmbeddedRedis) -> Iterator[Service]:
    running = Service(sandbox.url, REDIS_URL=redis_server.url)
    yield running
    running.kill()


def test_redis_frozen_for_a_second_while_calls_arrive(
    service: Service, sandbox: Sandbox, redis_server: EmbeddedRedis
) -> None:
    caller = service.new_key(hard_limit_usd="1")
    assert caller.chat(max_tokens=1).status == 200
    before = caller.spent()
    sandbox.forget()
    os.kill(redis_server.pid, signal.SIGSTOP)
    thaw = threading.Timer(1.0, os.kill, (redis_server.pid, signal.SIGCONT))
    thaw.start()
    answers = at_once([lambda: caller.chat(max_tokens=10)] * 100, 100)
    thaw.join()
    codes = {(a.status, json.loads(a.data)["error"]["code"], a.headers["Retry-After"]) for a in answers}
    assert codes == {(503, "ledger_unavailable", "1")}
    eventually(lambda: service.request("GET", "/readyz").status == 200)
    eventually(lambda: caller.held() == 0)
    assert caller.spent() == before
    assert caller.in_doubt() == 0
    assert sandbox.bill()["requests_seen"] == 0
    assert caller.chat(max_tokens=1).status == 200


def test_redis_frozen_or_stopped_is_a_quick_503_and_comes_back_by_itself(
    service: Service, sandbox: Sandbox, redis_server: EmbeddedRedis
) -> None:
    caller = service.new_key()
    assert caller.chat(max_tokens=1).status == 200
    sandbox.forget()
    os.kill(redis_server.pid, signal.SIGSTOP)
    _expect_quick_503(caller)
    os.kill(redis_server.pid, signal.SIGCONT)
    eventually(lambda: caller.chat(max_tokens=1).status == 200)
    sandbox.forget()
    redis_server.stop()
    _expect_quick_503(caller)
    assert sandbox.bill()["requests_seen"] == 0
    folder = Path(re.sub("^unix://", "", redis_server.url)).parent
    with start_embedded_redis(folder):
        eventually(lambda: caller.chat(max_tokens=1).status == 200)


def _expect_quick_503(caller: Caller) -> None:
    started = time.monotonic()
    answer = caller.chat(max_tokens=1)
    assert time.monotonic() - started < 1
    assert (answer.status, json.loads(answer.data)["error"]["code"]) == (503, "ledger_unavailable")


def test_a_paid_reply_is_delivered_and_booked_later_when_redis_goes_away_meanwhile(
    service: Service, sandbox: Sandbox, redis_server: EmbeddedRedis
) -> None:
    caller = service.new_key()
    answers: list[int] = []
    call = threading.Thread(
        target=lambda: answers.append(caller.chat(max_tokens=5, knobs={"delay_ms": 500}).status)
    )
    call.start()
    eventually(lambda: sandbox.bill()["requests_seen"] == 1)
    os.kill(redis_server.pid, signal.SIGSTOP)
    call.join()
    assert answers == [200]
    os.kill(redis_server.pid, signal.SIGCONT)
    eventually(lambda: caller.held() == 0 and caller.spent() == sandbox.billed_nano_usd())


def test_sigterm_with_fifty_open_streams_settles_them_all_and_exits_with_zero(
    sandbox: Sandbox, redis_server: EmbeddedRedis
) -> None:
    service = Service(sandbox.url, REDIS_URL=redis_server.url, SPENDGATE_DRAIN_SECONDS=2)
    caller = service.new_key()
    streams = at_once(
        [
            lambda: caller.chat(
                stream=True, by_hand=True, knobs={"tokens": 5000, "token_delay_ms": 20}, max_tokens=5000
            )
        ]
        * IN_FLIGHT,
        IN_FLIGHT,
    )
    assert [stream.status for stream in streams] == [200] * IN_FLIGHT
    reading = threading.Thread(target=at_once, args=([stream.read for stream in streams], IN_FLIGHT))
    reading.start()
    started = time.monotonic()
    assert service.terminate() == 0
    took_seconds = time.monotonic() - started
    reading.join()
    assert took_seconds < 2 + 5
    after = Service(sandbox.url, REDIS_URL=redis_server.url)
    try:
        again = Caller(after, {"id": caller.id, "key": caller.secret})
        assert (again.held(), again.in_doubt()) == (0, 0)
        billed = sandbox.billed_nano_usd()
        assert billed <= again.spent() <= billed * 110 // 100
    finally:
        after.kill()


def test_sigterm_ends_a_continuation_after_the_round_it_is_in(
    sandbox: Sandbox, redis_server: EmbeddedRedis
) -> None:
    service = Service(sandbox.url, REDIS_URL=redis_server.url, SPENDGATE_DRAIN_SECONDS=3)
    caller = service.new_key()
    body = {"model": "gpt-4o-mini", "prompt": "Listen to your", "rounds": 32, "max_tokens": 5}
    sandbox.misbehave(delay_ms=400)
    answers: list[dict[str, object]] = []
    run = threading.Thread(target=lambda: answers.append(caller.post("/v1/continuations", body).json()))
    run.start()
    eventually(lambda: sandbox.bill()["count"] == 2)
    assert service.terminate() == 0
    run.join()
    assert answers[0]["status"] == "incomplete"
    after = Service(sandbox.url, REDIS_URL=redis_server.url)
    try:
        again = Caller(after, {"id": caller.id, "key": caller.secret})
        assert (again.held(), again.in_doubt()) == (0, 0)
        assert again.spent() == sandbox.billed_nano_usd()
    finally:
        after.kill()


def test_a_worker_that_comes_up_while_redis_is_unfit_waits_for_it(
    sandbox: Sandbox, redis_server: EmbeddedRedis
) -> None:
    service = Service(sandbox.url, workers=1, REDIS_URL=redis_server.url, SPENDGATE_WORKER_LEASE_SECONDS=2)
    try:
        caller = service.new_key()
        with open_stores(Settings(), redis_server.url).client as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
            eventually(lambda: caller.chat(max_tokens=1).status == 503)
            os.kill(_children(service.popen.pid, "worker"), signal.SIGKILL)
            eventually(lambda: _answers(service), seconds=20)
            assert caller.chat(max_tokens=1).status == 503
            client.config_set("maxmemory-policy", "noeviction")
        eventually(lambda: caller.chat(max_tokens=1).status == 200, seconds=20)
    finally:
        service.kill()


def _answers(service: Service) -> bool:
    try:
        return service.request("GET", "/healthz").status == 200
    except urllib3.exceptions.HTTPError:
        return False
