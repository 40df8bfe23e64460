"""GET and DELETE /v1/continuations/{id}: continuations that were asked to be kept."""

from flask import Blueprint, Response, jsonify

from service.api.http import current_caller, services
from service.api.metering import free

blueprint = Blueprint("conversations", __name__)


@blueprint.get("/v1/continuations/<continuation_id>")
@free
def show_continuation(continuation_id: str) -> Response:
    """Show a continuation that was kept."""
    return jsonify(services().stores.conversations.get(current_caller(), continuation_id))


@blueprint.delete("/v1/continuations/<continuation_id>")
@free
def delete_continuation(continuation_id: str) -> Response:
    """Forget a continuation that was kept."""
    services().stores.conversations.remove(current_caller(), continuation_id)
    return jsonify({"id": continuation_id, "object": "continuation", "deleted": True})
