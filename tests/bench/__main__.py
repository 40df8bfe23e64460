"""How much a call through Spendgate costs beside the same call straight to the upstream.

Both are driven by the same client against the same sandbox, in turns, so that what the machine does
meanwhile falls on both. Prints the median requests/s of each, their ratio, and the latency added.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

from tests.harness import HELLO, Caller, Sandbox, Service, at_once

CALLS = 400
CONNECTIONS = 16
ROUNDS = 5
BODY = {"model": "gpt-4o-mini", "messages": HELLO, "max_tokens": 5}


def main() -> None:
    sandbox = Sandbox()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(sandbox.url, SPENDGATE_DATA_DIR=folder, SPENDGATE_LOG_LEVEL="warning")
        try:
            _report(sandbox, service, service.new_key(hard_limit_usd="1000"))
        finally:
            service.kill()
            sandbox.kill()


def _report(sandbox: Sandbox, service: Service, caller: Caller) -> None:
    url = f"{sandbox.url}/chat/completions"
    calls: dict[str, Callable[[], int]] = {
        "straight to the upstream": lambda: service.http.request("POST", url, json=BODY).status,
        "through spendgate": lambda: caller.post("/v1/chat/completions", BODY).status,
    }
    rates: dict[str, list[float]] = {name: [] for name in calls}
    waits: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS + 1):
        for name, call in calls.items():
            rate, wait = _throughput(call), _latency_ms(call)
            if number:  # the first round warms up
                rates[name].append(rate)
                waits[name].append(wait)
    out = sys.stdout
    out.write(f"{os.cpu_count()} cores, {CONNECTIONS} connections, median of {ROUNDS} rounds\n")
    for name in calls:
        rate, wait = statistics.median(rates[name]), statistics.median(waits[name])
        out.write(f"{name:26} {rate:8.0f} requests/s   {wait:6.2f} ms alone\n")
    straight, through = (statistics.median(rates[name]) for name in calls)
    out.write(f"{'ratio':26} {through / straight:8.2f}\n")


def _throughput(call: Callable[[], int]) -> float:
    started = time.perf_counter()
    statuses = at_once([call] * CALLS, CONNECTIONS)
    assert statuses == [200] * CALLS, statuses
    return CALLS / (time.perf_counter() - started)


def _latency_ms(call: Callable[[], int]) -> float:
    times = []
    for _ in range(50):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
