"""/v1/presets: what a continuation may leave out, kept by name in the key's project."""

import re

from flask import Blueprint, Response, jsonify

from service.api.http import current_caller, read_body, require_json, services
from service.api.metering import free
from service.api.query import invalid, limit, page
from service.schemas.check import check
from service.schemas.continuation import MAX_PRESET_NAME, PRESET, PRESET_NAME
from service.schemas.json_body import read_json

blueprint = Blueprint("presets", __name__)

MOST_LISTED = 100
_NAME, _EXPECTED = re.compile(PRESET_NAME[0]), PRESET_NAME[1]


@blueprint.put("/v1/presets/<name>")
@free
def put_preset(name: str) -> Response:
    """Keep a preset, in the place of one of the same name."""
    account = current_caller()
    if len(name) > MAX_PRESET_NAME or not _NAME.fullmatch(name):
        raise invalid("name", f"expected {_EXPECTED}, {MAX_PRESET_NAME} characters at most")
    require_json()
    fields = read_json(read_body())
    check(PRESET, fields)
    return jsonify(services().stores.presets.put(account, name, fields))


@blueprint.get("/v1/presets/<name>")
@free
def show_preset(name: str) -> Response:
    """Show a preset."""
    return jsonify(services().stores.presets.get(current_caller(), name))


@blueprint.delete("/v1/presets/<name>")
@free
def delete_preset(name: str) -> Response:
    """Delete a preset."""
    services().stores.presets.remove(current_caller(), name)
    return jsonify({"name": name, "object": "preset", "deleted": True})


@blueprint.get("/v1/presets")
@free
def list_presets() -> Response:
    """List the project's presets, by name."""
    return page(services().stores.presets.all(current_caller()), id="name", limit=limit(most=MOST_LISTED))
