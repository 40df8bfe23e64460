"""The whole service on a real socket, and an operator who talks to its control plane."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3
from flask import Flask
from werkzeug.serving import make_server

from service.app import create_app
from service.config import Settings

ADMIN_KEY = "an-admin-key-of-tests"


@dataclass
class Operator:
    """Speaks to /admin. Calls wait ten seconds at most, without retries."""

    base_url: str
    http: urllib3.PoolManager
    key: str | None = ADMIN_KEY

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key is not None else {}
        options = {"headers": headers, "retries": False, "timeout": 10, **options}
        if body is not None:
            options["json"] = body
        return self.http.request(method, self.base_url + path, **options)

    def get(self, path: str, **fields: Any) -> Any:
        response = self.request("GET", path, fields=fields)
        assert response.status == 200, response.data
        return response.json()

    def do(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = self.request(method, path, body)
        assert response.status == status, response.data
        return response.json()

    def error(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str, str | None]:
        """Status, code and param of an error, which must have OpenAI's shape."""
        response = self.request(method, path, body, **options)
        error = response.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert response.headers["x-spendgate-error-source"] == "spendgate"
        return response.status, error["code"], error["param"]

    def every(self, path: str, **fields: Any) -> list[Any]:
        """All pages of a list."""
        found: list[Any] = []
        while True:
            page = self.get(path, **fields)
            found += page["data"]
            if not page["has_more"]:
                return found
            fields["after"] = page["last_id"]


@pytest.fixture(scope="session")
def app(redis_url: str) -> Iterator[Flask]:
    app = create_app(Settings(redis_url=redis_url, admin_key=ADMIN_KEY, openai_api_key="sk-none"))
    yield app
    app.extensions["spendgate"].shut_down(1)


@pytest.fixture(scope="session")
def base_url(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def operator(base_url: str) -> Iterator[Operator]:
    with urllib3.PoolManager() as http:
        yield Operator(base_url, http)
