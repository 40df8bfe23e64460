"""POST /v1/moderations."""

from flask import Blueprint, Response

from service.api.http import incoming, outgoing, services
from service.api.metering import free
from service.operations.moderations import MODERATIONS

blueprint = Blueprint("moderations", __name__)


@blueprint.post(MODERATIONS.path)
@free
def moderate() -> Response:
    """Judge texts and images by what they may harm."""
    return outgoing(services().free_calls.call(MODERATIONS, incoming()))
