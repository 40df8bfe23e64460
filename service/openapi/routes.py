"""The routes as Flask has them, read without Redis and upstream: blueprints are registered without either."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask

from service import admin, api
from service.api.metering import METERING

# Not part of the API: they are the pages' own scripts and styles.
ASSETS = ("/static/",)
_UNSAID = {"HEAD", "OPTIONS"}  # Flask answers these by itself
_VARIABLE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


@dataclass(frozen=True)
class Route:
    """One method of one path. `metering` is `hold` or `free` on the data plane, None elsewhere."""

    endpoint: str
    method: str
    path: str
    variables: tuple[str, ...]
    summary: str
    metering: str | None

    @property
    def tag(self) -> str:
        return self.endpoint.rsplit(".", 1)[0]


def routes(app: Flask | None = None) -> list[Route]:
    """Every route that is no asset, by path and method; of that app, or of all blueprints."""
    app = app or _blueprints_alone()
    return sorted(_routes(app), key=lambda route: (route.path, route.method))


def _routes(app: Flask) -> Iterator[Route]:
    for rule in app.url_map.iter_rules():
        if any(part in rule.rule for part in ASSETS):
            continue
        view = app.view_functions[rule.endpoint]
        for method in (rule.methods or set()) - _UNSAID:
            yield Route(
                endpoint=rule.endpoint,
                method=method.lower(),
                path=_VARIABLE.sub(r"{\1}", rule.rule),
                variables=tuple(_VARIABLE.findall(rule.rule)),
                summary=(view.__doc__ or "").strip().split("\n")[0].rstrip("."),
                metering=getattr(view, METERING, None),
            )


def _blueprints_alone() -> Flask:
    app = Flask("spendgate", static_folder=None)
    for found in pkgutil.iter_modules(api.__path__, f"{api.__name__}."):
        if (blueprint := getattr(importlib.import_module(found.name), "blueprint", None)) is not None:
            app.register_blueprint(blueprint)
    for blueprint in admin.blueprints:
        app.register_blueprint(blueprint)
    return app
