"""/admin/keys: make, list, show, change, revoke and rotate API keys."""

from flask import Blueprint, Response, jsonify

from service.admin.query import body, body_or_nothing, limit, parameter
from service.admin.views import list_response
from service.api.http import services
from service.key_view import key_object
from service.keys import Keys
from service.schemas.admin import load_key_create, load_key_rotate, load_key_update

blueprint = Blueprint("keys", __name__, url_prefix="/keys")


def _keys() -> Keys:
    return services().stores.keys


@blueprint.post("")
def create_key() -> tuple[Response, int]:
    """Make a key; its secret is shown this once."""
    key, secret = _keys().create(load_key_create(body()))
    return jsonify(key_object(key) | {"key": secret}), 201


@blueprint.get("")
def list_keys() -> Response:
    """List the keys, the oldest first."""
    keys, has_more = _keys().page(parameter("after"), limit())
    return list_response([key_object(key) for key in keys], has_more=has_more)


@blueprint.get("/<key_id>")
def show_key(key_id: str) -> Response:
    """Show a key: its limits, what it has spent, and what remains."""
    return jsonify(key_object(_keys().get(key_id)))


@blueprint.patch("/<key_id>")
def update_key(key_id: str) -> Response:
    """Change what is given of a key; null clears. What was spent stays."""
    return jsonify(key_object(_keys().update(key_id, load_key_update(body()))))


@blueprint.delete("/<key_id>")
def revoke_key(key_id: str) -> Response:
    """Revoke a key, from the next request on."""
    return jsonify(key_object(_keys().revoke(key_id)))


@blueprint.post("/<key_id>/rotate")
def rotate_key(key_id: str) -> Response:
    """Give a key a second secret; the old one works for the overlap."""
    key, secret = _keys().rotate(key_id, load_key_rotate(body_or_nothing()))
    return jsonify(key_object(key) | {"key": secret})
