"""A sandbox in a process of its own, on a real socket; each test finds an empty bill."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3

LAUNCH = """
from gevent import monkey
monkey.patch_all()
from service.upstream.sandbox import serve_sandbox
serve_sandbox("127.0.0.1", 0, lambda url: print(url, flush=True))
"""


@dataclass
class Sandbox:
    """A running sandbox and how tests talk to it. Calls wait ten seconds at most, without retries."""

    base_url: str
    process: subprocess.Popen[str]
    http: urllib3.PoolManager

    def request(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        url = self.base_url.removesuffix("/v1") + path
        return self.http.request(method, url, retries=False, **{"timeout": 10, **options})

    def chat(self, prompt: str = "Listen to your", **fields: Any) -> urllib3.BaseHTTPResponse:
        """A chat completion; fields named sandbox_* go into its metadata, headers= to its headers."""
        options = {
            name: fields.pop(name) for name in ("headers", "preload_content", "timeout") if name in fields
        }
        return self.request("POST", "/v1/chat/completions", json=chat_body(prompt, **fields), **options)

    def answer(self, prompt: str = "Listen to your", **fields: Any) -> Any:
        response = self.chat(prompt, **fields)
        assert response.status == 200, response.data
        return response.json()

    def events(self, prompt: str = "Listen to your", **fields: Any) -> list[Any]:
        """The events of a stream, without the [DONE] that must end it."""
        text = self.chat(prompt, stream=True, **fields).data.decode()
        *frames, done, end = text.split("\n\n")
        assert (done, end) == ("data: [DONE]", "")
        return [json.loads(frame.removeprefix("data: ")) for frame in frames]

    def bill(self) -> Any:
        return self.request("GET", "/sandbox/bill").json()


def chat_body(prompt: str, **fields: Any) -> dict[str, Any]:
    knobs = {name: str(fields.pop(name)) for name in list(fields) if name.startswith("sandbox_")}
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}], **fields}
    return {**body, "metadata": knobs} if knobs else body


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    command = [sys.executable, "-c", LAUNCH]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Sandbox(process.stdout.readline().strip(), process, urllib3.PoolManager(maxsize=50))
        finally:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.request("DELETE", "/sandbox/bill")
    running_sandbox.request("DELETE", "/sandbox/defaults")
    return running_sandbox
