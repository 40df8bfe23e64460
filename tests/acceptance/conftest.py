"""One sandbox and one service for the tests that leave it standing; the others start their own."""

from collections.abc import Iterator

import pytest

from tests.harness import Sandbox, Service


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    upstream = Sandbox()
    yield upstream
    upstream.kill()


@pytest.fixture(autouse=True)
def _clean_bill(request: pytest.FixtureRequest) -> None:
    if "sandbox" in request.fixturenames:
        upstream: Sandbox = request.getfixturevalue("sandbox")
        upstream.misbehave()
        upstream.forget()


@pytest.fixture(scope="module")
def service(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(sandbox.url, SPENDGATE_DATA_DIR=tmp_path_factory.mktemp("data"))
    yield running
    running.kill()
