"""POST /v1/completions."""

from flask import Blueprint, Response

from service.api.http import incoming, outgoing, services
from service.api.metering import hold
from service.operations.completions import COMPLETIONS

blueprint = Blueprint("completions", __name__)


@blueprint.post(COMPLETIONS.path)
@hold
def complete_text() -> Response:
    """Complete a text, or several."""
    return outgoing(services().gateway.call(COMPLETIONS, incoming()))
