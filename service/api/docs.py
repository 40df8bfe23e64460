"""GET /docs and /openapi.yaml: the API reference, from the code, without any outside asset."""

from functools import lru_cache

from flask import Blueprint, Response, render_template, send_from_directory

blueprint = Blueprint("docs", __name__, template_folder="templates")

# The page's own script and styles, and nothing from anywhere else.
CONTENT_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


@blueprint.get("/docs")
def show_docs() -> Response:
    """Show the API reference."""
    return Response(
        render_template("docs.html"),
        content_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": CONTENT_POLICY},
    )


@blueprint.get("/docs/static/<path:name>")
def docs_asset(name: str) -> Response:
    """Serve a vendored asset of the API reference."""
    assert blueprint.root_path is not None
    return send_from_directory(f"{blueprint.root_path}/static", name, max_age=86_400)


@blueprint.get("/openapi.yaml")
def openapi() -> Response:
    """Serve the API's description."""
    return Response(_openapi_text(), content_type="application/yaml")


@lru_cache(maxsize=1)
def _openapi_text() -> str:
    from service.openapi import openapi_yaml

    return openapi_yaml()
