"""The API reference as a browser gets it: from this service alone."""

import re
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import urllib3
import yaml
from werkzeug.serving import make_server

from service.app import create_app
from service.config import Settings
from service.openapi import openapi_yaml

ROOT = Path(__file__).resolve().parent.parent
Get = Callable[..., urllib3.BaseHTTPResponse]
ADDRESSES = {"src", "href", "spec-url", "srcset", "action", "poster"}


class Page(HTMLParser):
    """Every address a page names, and what it says inside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.addresses += [value or "" for name, value in attrs if name in ADDRESSES]

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style") and data.strip():
            self.inline.append(data)


@pytest.fixture(scope="module")
def get(redis_url: str) -> Iterator[Get]:
    app = create_app(Settings(redis_url=redis_url))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    with urllib3.PoolManager(retries=False, timeout=10) as http:
        yield lambda path, **options: http.request("GET", url + path, **options)
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["spendgate"].shut_down(1)


@pytest.fixture
def page(get: Get) -> Page:
    answer = get("/docs")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.data.decode())


def test_reference_takes_nothing_from_elsewhere(page: Page) -> None:
    outside = [
        address
        for address in page.addresses
        if urlsplit(address).netloc or urlsplit(address).scheme not in ("", "data")
    ]
    assert "/openapi.yaml" in page.addresses
    assert outside == []
    assert page.inline == []


def test_everything_the_reference_names_is_served(page: Page, get: Get) -> None:
    local = {urljoin("/docs", address) for address in page.addresses if not address.startswith("data:")}
    assert len(local) >= 2
    for address in local:
        answer = get(address)
        assert answer.status == 200, address
        assert len(answer.data) > 1000


def test_browsers_are_told_to_load_nothing_from_elsewhere(get: Get) -> None:
    policy = get("/docs").headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert "://" not in policy
    assert "*" not in policy


def test_served_description_is_the_codes_own(get: Get) -> None:
    answer = get("/openapi.yaml")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/yaml"
    assert answer.data.decode() == openapi_yaml()


@pytest.mark.parametrize("path", ["/docs", "/openapi.yaml"])
def test_reference_needs_no_key(get: Get, path: str) -> None:
    assert get(path).status == 200
    assert get(path, headers={"Authorization": "Bearer wrong"}).status == 200


@pytest.mark.parametrize("name", ["..%2fdocs.py", "rapidoc%2f..%2f..%2fdocs.py", "no-such-file"])
def test_assets_end_at_their_folder(get: Get, name: str) -> None:
    answer = get(f"/docs/static/{name}")
    assert answer.status == 404
    assert answer.json()["error"]["code"] == "unknown_url"


def test_addresses_in_the_readme_are_described() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = set(re.findall(r"(?:127\.0\.0\.1:8080|`)(/(?:v1|admin)/[a-z/_]+)", readme))
    assert len(shown) >= 3
    described = [re.sub(r"\{\w+\}", ".+", path) for path in yaml.safe_load(openapi_yaml())["paths"]]
    assert [a for a in shown if not any(re.fullmatch(path, a) for path in described)] == []
