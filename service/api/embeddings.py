"""POST /v1/embeddings."""

from flask import Blueprint, Response

from service.api.http import incoming, outgoing, services
from service.api.metering import hold
from service.operations.embeddings import EMBEDDINGS

blueprint = Blueprint("embeddings", __name__)


@blueprint.post(EMBEDDINGS.path)
@hold
def embed() -> Response:
    """Embed a text, or several."""
    return outgoing(services().gateway.call(EMBEDDINGS, incoming()))
