"""openapi.yaml, the routes and the code say the same."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from schemathesis.specs.openapi.definitions import OPENAPI_31

from service.app import create_app
from service.config import Settings
from service.errors import SpendgateError
from service.openapi import openapi_yaml
from service.openapi.faults import FAULTS, STREAM_FAULT
from service.openapi.routes import Route, routes
from service.openapi.table import TABLE

ROOT = Path(__file__).resolve().parent.parent
METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(openapi_yaml())


@pytest.fixture(scope="module")
def served(redis_url: str) -> Iterator[list[Route]]:
    """The routes of the app as it is really wired."""
    app = create_app(Settings(redis_url=redis_url))
    yield routes(app)
    app.extensions["spendgate"].shut_down(1)


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def test_file_is_what_the_code_says() -> None:
    assert (ROOT / "openapi.yaml").read_text() == openapi_yaml(), "run `make openapi`"


def test_same_text_each_time() -> None:
    assert openapi_yaml() == openapi_yaml()


def test_every_route_is_described_and_nothing_else(document: Any, served: list[Route]) -> None:
    described = {(path, method) for path, method, _ in operations(document)}
    assert described == {(route.path, route.method) for route in served}


def test_table_has_every_endpoint_and_nothing_else(served: list[Route]) -> None:
    assert TABLE.keys() == {route.endpoint for route in served}


def test_every_operation_has_an_id_of_its_own_and_a_summary(document: Any) -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations(document))
    assert max(ids.values()) == 1
    assert all(operation["summary"] for _, _, operation in operations(document))


def test_document_is_valid_openapi(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    jsonschema_rs.validator_for(OPENAPI_31).validate(document)


def test_every_schema_is_a_valid_json_schema(document: Any) -> None:
    assert len(document["components"]["schemas"]) > 40
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema)


def test_every_reference_leads_somewhere_and_every_component_is_used(document: Any) -> None:
    there = {
        f"#/components/{kind}/{name}"
        for kind, components in document["components"].items()
        for name in components
        if kind != "securitySchemes"
    }
    assert set(references(document)) == there


def test_every_operation_says_who_may_call_it(document: Any) -> None:
    for path, _, operation in operations(document):
        wanted = {"v1": [{"apiKey": []}], "admin": [{"adminKey": []}]}.get(path.split("/")[1], [])
        assert operation["security"] == wanted, path


def test_no_host_is_named(document: Any) -> None:
    assert document["servers"] == [{"url": "/"}]
    assert "://" not in openapi_yaml()


def test_every_error_code_is_described() -> None:
    described = {status: set(codes) for status, (_, _, codes, _) in FAULTS.items()}
    for error in subclasses(SpendgateError):
        if "code" in vars(error) and error.__module__ == "service.errors":
            assert error.code in described[error.status], error


def test_every_code_in_the_source_is_described_and_nothing_else() -> None:
    described = {code for _, _, codes, _ in FAULTS.values() for code in codes} | {STREAM_FAULT}
    sources = [file.read_text() for file in (ROOT / "service").rglob("*.py") if "sandbox" not in file.parts]
    used = {code for text in sources for code in re.findall(r"""\bcode(?:=| = |": )"([a-z_]+)\"""", text)}
    # A round's, never shown: it becomes the reason why a run is incomplete.
    assert used - described == {"upstream_error"}
    text = "\n".join(sources)
    assert {code for code in described if text.count(f'"{code}"') < 2} == set()


def subclasses(kind: type[SpendgateError]) -> Iterator[type[SpendgateError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)
