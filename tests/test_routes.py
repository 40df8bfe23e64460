"""No way past the ledger: a route under /v1 holds money or is free; only the gateway posts to an upstream."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from service.api.metering import METERING
from service.app import create_app
from service.config import Settings
from service.errors import InvalidRequest
from service.operations.files import FILE_UPLOAD
from service.operations.moderations import MODERATIONS
from service.operations.responses import RESPONSE_INPUT_TOKENS
from service.schemas.check import check

ROOT = Path(__file__).resolve().parent.parent
SERVICE = ROOT / "service"
FORBIDDEN_TO_FREE = {"gateway", "continuations", "Operation", "Gateway", "Continuations"}


@pytest.fixture(scope="module")
def app(redis_url: str) -> Iterator[Flask]:
    app = create_app(Settings(redis_url=redis_url))
    yield app
    app.extensions["spendgate"].shut_down(1)


def data_plane(app: Flask) -> dict[str, str | None]:
    """Each endpoint under /v1 and how it says it is metered."""
    return {
        rule.endpoint: getattr(app.view_functions[rule.endpoint], METERING, None)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
    }


def words(tree: ast.AST) -> set[str]:
    """Every name a piece of code uses: variables, attributes, imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {part for alias in node.names for part in alias.name.split(".")}
    return found


def reached(tree: ast.Module, start: str) -> set[str]:
    """The words of a function and of all functions of its module that it leads to."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    seen, ahead, found = set(), [start], set()
    while ahead:
        name = ahead.pop()
        if name in functions and name not in seen:
            seen.add(name)
            used = words(functions[name])
            found |= used
            ahead += used
    return found


def calls_of(method: str) -> Iterator[tuple[str, str]]:
    """Where the service calls a method of that name, and on what."""
    for file in sorted(SERVICE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr == method:
                yield file.relative_to(ROOT).as_posix(), ast.unparse(called.value)


def test_every_data_plane_route_holds_or_is_free(app: Flask) -> None:
    metering = data_plane(app)
    assert {"chat.complete_chat", "key.show_own_key"} <= metering.keys()
    assert {name: how for name, how in metering.items() if how not in ("hold", "free")} == {}


def test_routes_that_call_a_model_hold(app: Flask) -> None:
    """By name, so that a decorator that is swapped by mistake is seen."""
    metering = data_plane(app)
    assert metering["chat.complete_chat"] == metering["chat.run_continuation"] == "hold"
    assert metering["completions.complete_text"] == metering["embeddings.embed"] == "hold"
    assert metering["responses.create_response"] == "hold"
    assert metering["images.generate_images"] == metering["images.edit_images"] == "hold"
    assert metering["audio.transcribe"] == metering["audio.translate"] == metering["audio.speak"] == "hold"


def test_free_routes_never_reach_the_gateway(app: Flask) -> None:
    for endpoint, how in data_plane(app).items():
        view = app.view_functions[endpoint]
        tree = ast.parse(Path(str(sys.modules[view.__module__].__file__)).read_text())
        meets = reached(tree, view.__name__) & FORBIDDEN_TO_FREE
        assert bool(meets) is (how == "hold"), f"{endpoint} is {how} and uses {meets or 'no gateway'}"


def test_every_route_outside_the_data_plane_says_nothing_of_metering(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/v1/"):
            assert not hasattr(app.view_functions[rule.endpoint], METERING), rule.rule


def test_only_the_gateway_and_its_free_neighbour_post_to_the_upstream() -> None:
    posts = [(file, on) for file, on in calls_of("post") if not on.endswith("blueprint")]
    assert posts == [
        ("service/free_calls.py", "self._upstream"),
        ("service/gateway.py", "self._upstream"),
        ("service/upstream/client.py", "self._client"),
    ]


def test_what_goes_up_without_a_hold_is_known_to_be_free() -> None:
    """By name: an endpoint that costs money must not be declared free by mistake."""
    declared = {
        file.stem
        for file in (SERVICE / "operations").glob("*.py")
        if "FreeOperation" in words(ast.parse(file.read_text())) and file.stem != "base"
    }
    assert declared == {"files", "moderations", "responses"}
    assert FILE_UPLOAD.upstream_path == "/files"
    assert MODERATIONS.upstream_path == "/moderations"
    assert RESPONSE_INPUT_TOKENS.upstream_path == "/responses/input_tokens"


@pytest.mark.parametrize("model", ["gpt-4o-mini", "o1-pro", "ft:gpt-4o:acme:moderation:1", "*", ""])
def test_the_free_endpoint_takes_no_model_that_costs_money(model: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check(MODERATIONS.schema, {"model": model, "input": "x"})
    assert refusal.value.param == "model"


def test_only_they_are_given_an_upstream_to_call() -> None:
    """What is free may ask the upstream for lists (`get`); nothing else makes or holds one."""
    users = {
        file.relative_to(ROOT).as_posix()
        for file in SERVICE.rglob("*.py")
        if "Upstream" in words(ast.parse(file.read_text()))
    }
    assert users == {
        "service/app.py",
        "service/free_calls.py",
        "service/gateway.py",
        "service/services.py",
    }
    assert {file for file, on in calls_of("get") if on.endswith("upstream")} == {
        "service/api/models.py",
        "service/free_calls.py",
    }
