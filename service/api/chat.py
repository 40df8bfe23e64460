"""POST /v1/chat/completions and POST /v1/continuations."""

import json

from flask import Blueprint, Response

from service.api.http import incoming, outgoing, services, streamed
from service.api.metering import hold
from service.continuation import UpstreamRefused
from service.continuation_stream import ContinuationStream
from service.errors import InvalidRequest
from service.operations.chat import CHAT
from service.schemas.check import check
from service.schemas.continuation import CONTINUATION
from service.schemas.json_body import read_json

blueprint = Blueprint("chat", __name__)


@blueprint.post(CHAT.path)
@hold
def complete_chat() -> Response:
    """Create a chat completion."""
    return outgoing(services().gateway.call(CHAT, incoming()))


@blueprint.post("/v1/continuations")
@hold
def run_continuation() -> Response:
    """Run a few-shot continuation: N rounds of chat, each reply fed back."""
    request = incoming()
    services().stores.keys.authenticate(request.secret)
    fields = read_json(request.raw)
    check(CONTINUATION, fields)
    if fields.get("preset"):
        raise InvalidRequest("Presets are not kept yet.", code="unsupported_value", param="preset")
    try:
        if fields.get("stream"):
            events = ContinuationStream(services().continuations, fields, request)
            return streamed(events, 200, {"content-type": "text/event-stream; charset=utf-8"})
        body = services().continuations.run(fields, request).body()
    except UpstreamRefused as refused:
        return outgoing(refused.reply)
    return Response(json.dumps(body), content_type="application/json")
