"""POST /v1/responses, GET and DELETE /v1/responses/{id}, POST /v1/responses/input_tokens.

What is read or deleted is the upstream's own; that it is the caller's project's is found out here first.
"""

from urllib.parse import quote

from flask import Blueprint, Response, request

from service.api.http import current_caller, incoming, outgoing, services
from service.api.metering import free, hold
from service.operations.responses import RESPONSE_INPUT_TOKENS, RESPONSES

blueprint = Blueprint("responses", __name__)

# No id is so short that it could be taken for a name: /v1/responses/compact is not offered.
STORED = "/v1/responses/<string(minlength=8):response_id>"


@blueprint.post(RESPONSES.path)
@hold
def create_response() -> Response:
    """Create a response."""
    return outgoing(services().gateway.call(RESPONSES, incoming()))


@blueprint.post(RESPONSE_INPUT_TOKENS.path)
@free
def count_response_input() -> Response:
    """Count the input tokens of a response that is not created."""
    return outgoing(services().free_calls.call(RESPONSE_INPUT_TOKENS, incoming()))


@blueprint.get(STORED)
@free
def show_response(response_id: str) -> Response:
    """Show a response of this project."""
    services().stores.responses.find(current_caller(), [("response_id", response_id)])
    query = request.query_string.decode("ascii", "replace")
    path = _upstream_path(response_id)
    return outgoing(services().free_calls.show(f"{path}?{query}" if query else path))


@blueprint.delete(STORED)
@free
def delete_response(response_id: str) -> Response:
    """Delete a response of this project."""
    account = current_caller()
    services().stores.responses.find(account, [("response_id", response_id)])
    reply = services().free_calls.delete(_upstream_path(response_id))
    if reply.status in (200, 404):
        services().stores.responses.forget(account, response_id)
    return outgoing(reply)


def _upstream_path(response_id: str) -> str:
    return f"{RESPONSES.upstream_path}/{quote(response_id, safe='')}"
