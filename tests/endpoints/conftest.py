"""One sandbox and one service for all these tests; each test finds an empty bill and has a key of its own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.harness import Caller, Sandbox, Service


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    upstream = Sandbox()
    yield upstream
    upstream.kill()


@pytest.fixture(scope="session")
def service(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(sandbox.url, workers=1, SPENDGATE_DATA_DIR=tmp_path_factory.mktemp("data"))
    yield running
    running.kill()


@pytest.fixture(autouse=True)
def _clean_bill(request: pytest.FixtureRequest) -> None:
    if "sandbox" in request.fixturenames:
        upstream: Sandbox = request.getfixturevalue("sandbox")
        upstream.misbehave()
        upstream.forget()


@pytest.fixture
def caller(service: Service) -> Caller:
    return service.new_key(hard_limit_usd="5")


def error_of(answer: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer.data)["error"]
    return error
