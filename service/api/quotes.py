"""POST /v1/quote/...: what a call would cost, and whether it would be admitted now."""

from flask import Blueprint, Response, jsonify

from service.api.http import incoming, services
from service.api.metering import free
from service.api.uploads import uploaded

blueprint = Blueprint("quotes", __name__)


@blueprint.post("/v1/quote/<path:path>")
@free
def quote_call(path: str) -> Response:
    """Quote a call: the least and the most it can cost. It is not made."""
    quotes = services().quotes
    if form := quotes.form_of(path):
        with uploaded(form) as request:
            return jsonify(quotes.quote(path, request))
    return jsonify(quotes.quote(path, incoming()))
