"""POST /v1/images/generations and /v1/images/edits."""

from flask import Blueprint, Response

from service.api.http import incoming, outgoing, services
from service.api.metering import hold
from service.api.uploads import uploaded
from service.operations.images import IMAGE_EDITS, IMAGE_GENERATIONS

blueprint = Blueprint("images", __name__)


@blueprint.post(IMAGE_GENERATIONS.path)
@hold
def generate_images() -> Response:
    """Draw images."""
    return outgoing(services().gateway.call(IMAGE_GENERATIONS, incoming()))


@blueprint.post(IMAGE_EDITS.path)
@hold
def edit_images() -> Response:
    """Draw images after others."""
    with uploaded(IMAGE_EDITS) as request:
        return outgoing(services().gateway.call(IMAGE_EDITS, request))
