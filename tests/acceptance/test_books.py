"""The books agree with the upstream's own bill, to the nano-dollar."""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.config import Settings
from service.ledger import names
from service.serving.embedded_redis import running_url
from service.wiring import open_stores
from tests.harness import Caller, Sandbox, Service, at_once, eventually

CALLS = 1_000
HANGUPS = 200


def _kinds() -> list[dict[str, Any]]:
    """The mix, by what is sent; each with its own length, so that costs differ."""
    return [
        {"knobs": {"tokens": 40}},
        {"stream": True, "knobs": {"tokens": 40}},
        {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 20},
        {"n": 3, "max_tokens": 30},
        {"knobs": {"cached_tokens": 7, "tokens": 30}},
        {"knobs": {"status": 429}},
        {"knobs": {"status": 500}},
        {"model": "gpt-5-mini", "knobs": {"reasoning_tokens": 30, "cached_tokens": 5}},
        {"model": "gpt-5.6-sol", "knobs": {"cache_write_tokens": 9}, "max_completion_tokens": 40},
        {"model": "gpt-4.1", "service_tier": "priority", "knobs": {"service_tier": "priority"}},
        {"model": "gpt-3.5-turbo", "temperature": 2, "max_tokens": 9},
    ]


def test_a_thousand_mixed_calls_are_booked_as_they_are_billed(
    service: Service, sandbox: Sandbox, data_dir: Path
) -> None:
    caller = service.new_key(hard_limit_usd="50", project="mixed")
    rng, kinds = random.Random(7), _kinds()

    def one(number: int) -> Callable[[], int]:
        fields = dict(rng.choice(kinds))
        words = " ".join(rng.choice(["heart", "listen", "canción", "時"]) for _ in range(rng.randint(1, 300)))
        messages = [{"role": "user", "content": f"{number} {words}"}]
        return lambda: caller.chat(messages=messages, **fields).status

    statuses = Counter(at_once([one(number) for number in range(CALLS)], 40))
    assert set(statuses) == {200, 429, 500}
    assert sum(statuses.values()) == CALLS
    eventually(lambda: caller.held() == 0)
    assert caller.spent() == sandbox.billed_nano_usd() > 0
    assert caller.in_doubt() == 0
    _verify_finds_what_is_changed_by_hand(caller, data_dir)


def _verify_finds_what_is_changed_by_hand(caller: Caller, data_dir: Path) -> None:
    assert _verify(data_dir).returncode == 0
    url = running_url(data_dir)
    assert url is not None
    with open_stores(Settings(), url).client as client:
        _change_one_counter(caller, data_dir, client)


def _change_one_counter(caller: Caller, data_dir: Path, client: Any) -> None:
    record = names.key(caller.id[4], caller.id)
    counter = next(field for field in client.hkeys(record) if field.startswith("spent:"))
    client.hincrby(record, counter, 1)
    found = _verify(data_dir)
    assert found.returncode == 1
    assert caller.id in found.stdout
    client.hincrby(record, counter, -1)
    assert _verify(data_dir).returncode == 0


def _verify(data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", "ledger", "verify"],
        env={"SPENDGATE_DATA_DIR": str(data_dir), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_hundred_hung_up_streams_are_charged_for_what_was_made(
    service: Service, sandbox: Sandbox
) -> None:
    caller = service.new_key()

    def hang_up() -> None:
        answer = caller.chat(stream=True, by_hand=True, knobs={"tokens": 400, "token_delay_ms": 5})
        received = b""
        while received.count(b"\n\n") < 200:
            received += answer.read1(4096)
        answer.close()

    assert at_once([hang_up] * HANGUPS, 50) == [None] * HANGUPS
    eventually(lambda: caller.held() == 0)
    eventually(lambda: sandbox.bill()["count"] == HANGUPS)
    billed = sandbox.billed_nano_usd()
    assert all(record["hung_up"] for record in sandbox.bill()["records"])
    assert billed <= caller.spent() <= billed * 110 // 100
    assert caller.in_doubt() == 0


def test_a_caller_that_closes_at_done_pays_what_the_provider_said(service: Service, sandbox: Sandbox) -> None:
    caller = service.new_key()

    def close_at_done() -> None:
        answer = caller.chat(stream=True, by_hand=True, max_tokens=20)
        received = b""
        while b"[DONE]" not in received:
            received += answer.read1(4096)
        answer.close()

    assert at_once([close_at_done] * 50, 25) == [None] * 50
    assert caller.held() == 0
    assert caller.spent() == sandbox.billed_nano_usd()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("books")


@pytest.fixture(scope="module")
def service(sandbox: Sandbox, data_dir: Path) -> Iterator[Service]:
    running = Service(sandbox.url, SPENDGATE_DATA_DIR=data_dir)
    yield running
    running.kill()
