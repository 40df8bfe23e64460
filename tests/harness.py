"""Real servers for tests: the sandbox upstream and the whole service, each a process behind a socket."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3

from service.serving.embedded_redis import death_with_parent

ADMIN_KEY = "an-admin-key-for-tests"
START_SECONDS = 30
HELLO = [{"role": "user", "content": "Listen to your"}]


class Process:
    """A child that says on stdout where it listens. Its output is kept in `lines`."""

    def __init__(self, command: list[str], env: dict[str, str], marker: str) -> None:
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._marker = marker
        self.url = ""
        self.http = urllib3.PoolManager(maxsize=400, retries=False)
        self.popen = subprocess.Popen(
            command,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A run that is cut short leaves nothing behind.
            preexec_fn=death_with_parent() if sys.platform == "linux" else None,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_SECONDS):
            self.kill()
            raise AssertionError("did not start:\n" + "".join(self.lines))

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as output:
            for line in output:
                self.lines.append(line)
                if self._marker in line and not self.url:
                    self.url = line[line.index("http") :].strip()
                    self._ready.set()

    def terminate(self, timeout_seconds: float = 30) -> int:
        """SIGTERM; gives the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        code = self.popen.wait(timeout_seconds)
        self._reader.join(5)
        self.http.clear()
        return code

    def kill(self) -> None:
        """kill -9 of the whole process group: nothing gets to say goodbye."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
        self._reader.join(5)
        self.http.clear()


class Sandbox(Process):
    """A sandbox upstream of its own, with its bill."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-m", "service.cli", "sandbox", "--port", "0"], {}, "http://")
        self._root = self.url.removesuffix("/v1")

    def bill(self) -> dict[str, Any]:
        return json.loads(self.http.request("GET", f"{self._root}/sandbox/bill").data)

    def billed_nano_usd(self) -> int:
        return nano(self.bill()["total_usd"])

    def forget(self) -> None:
        self.http.request("DELETE", f"{self._root}/sandbox/bill")

    def misbehave(self, **knobs: object) -> None:
        """Lay `sandbox_*` knobs under every request; without any, behave again."""
        url = f"{self._root}/sandbox/defaults"
        if not knobs:
            self.http.request("DELETE", url)
            return
        body = {f"sandbox_{name}": str(value) for name, value in knobs.items()}
        assert self.http.request("PUT", url, json=body).status == 200


class Service(Process):
    """The service as an operator runs it: `spendgate serve`, gunicorn and all."""

    def __init__(self, upstream_url: str, *, workers: int = 2, **settings: object) -> None:
        env = {
            "OPENAI_BASE_URL": upstream_url,
            "OPENAI_API_KEY": "sk-upstream",
            "SPENDGATE_ADMIN_KEY": ADMIN_KEY,
            **{name: str(value) for name, value in settings.items()},
        }
        command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--workers", str(workers)]
        super().__init__(command, env, "serves on http://")
        self._wait_until_all_workers_answer()

    def _wait_until_all_workers_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.request("GET", "/readyz").status != 200:
            assert time.monotonic() < deadline, "".join(self.lines)
            time.sleep(0.05)  # there is no event to wait for in another process

    def request(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        return self.http.request(method, self.url + path, timeout=60, **options)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.request(
            method, f"/admin{path}", json=body, headers={"authorization": f"Bearer {ADMIN_KEY}"}
        )
        assert answer.status < 300, answer.data
        return json.loads(answer.data)

    def new_key(self, **settings: object) -> "Caller":
        name = f"test-{os.urandom(6).hex()}"
        return Caller(self, self.admin("POST", "/keys", {"name": name, **settings}))


class Caller:
    """One key and how to call with it."""

    def __init__(self, service: Service, key: dict[str, Any]) -> None:
        self.service = service
        self.id: str = key["id"]
        self.secret: str = key["key"]

    def post(self, path: str, body: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {"authorization": f"Bearer {self.secret}", **options.pop("headers", {})}
        return self.service.request("POST", path, json=body, headers=headers, **options)

    def chat(self, *, knobs: dict[str, object] | None = None, **fields: Any) -> urllib3.BaseHTTPResponse:
        """A chat call with gpt-4o-mini, and the sandbox's knobs in its metadata."""
        preload = not (fields.get("stream") and fields.pop("by_hand", False))
        body = {"model": "gpt-4o-mini", "messages": HELLO, **fields}
        if knobs:
            body["metadata"] = {f"sandbox_{name}": str(value) for name, value in knobs.items()}
        return self.post("/v1/chat/completions", body, preload_content=preload)

    def state(self) -> dict[str, Any]:
        return self.service.admin("GET", f"/keys/{self.id}")

    def spent(self) -> int:
        return nano(self.state()["spent_usd"])

    def held(self) -> int:
        return nano(self.state()["held_usd"])

    def in_doubt(self) -> int:
        return nano(self.state()["in_doubt_usd"])


def nano(usd: str) -> int:
    """Decimal dollars as nano-USD."""
    dollars, _, rest = usd.partition(".")
    return int(dollars) * 1_000_000_000 + int(rest.ljust(9, "0"))


def at_once(calls: Iterable[Callable[[], Any]], threads: int) -> list[Any]:
    """Run the calls on so many threads that all start together; gives results or exceptions, in order."""
    work = list(calls)

    def run(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - what went wrong is the result
            return error

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, work))


def eventually(check: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something another process does. Fails when it doesn't."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)  # there is no event to wait for in another process


def data_dir_settings(folder: Path) -> dict[str, str]:
    return {"SPENDGATE_DATA_DIR": str(folder)}
