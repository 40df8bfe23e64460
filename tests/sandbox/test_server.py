"""The sandbox as a process: quick under a crowd, and gone when told."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox.conftest import LAUNCH, Sandbox


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly_even_with_a_call_running(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", LAUNCH], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split(":")[2].removesuffix("/v1\n"))
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n")
            process.send_signal(number)
            assert process.wait(timeout=5) == 0


def test_three_hundred_calls_at_once_are_soon_answered(sandbox: Sandbox) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(50) as crowd:
        statuses = list(crowd.map(lambda n: sandbox.chat(f"prompt {n}").status, range(300)))
    assert statuses == [200] * 300
    # Far above what it takes; a machine that is busy otherwise must not fail this.
    assert time.monotonic() - started < 10
