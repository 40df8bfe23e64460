"""GET /v1/key: what a caller may know of its own key."""

from flask import Blueprint, Response, jsonify

from service.api.http import caller, services
from service.api.metering import free
from service.key_view import key_object

blueprint = Blueprint("key", __name__)


@blueprint.get("/v1/key")
@free
def show_own_key() -> Response:
    """Show the key of this call: its limits, what it has spent, and what remains."""
    shown = key_object(services().stores.keys.current(caller()))
    shown.pop("metadata")
    return jsonify(shown)
