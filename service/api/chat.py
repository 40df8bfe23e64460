"""POST /v1/chat/completions and POST /v1/continuations."""

import json
from typing import Any

from flask import Blueprint, Response

from service.api.http import incoming, outgoing, services, streamed
from service.api.metering import hold
from service.continuation import UpstreamRefused
from service.continuation_stream import ContinuationStream
from service.operations.chat import CHAT

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
    own, request = services(), incoming()
    asked = own.continuation_requests.read(request.secret, request.raw)

    def ended(body: dict[str, Any]) -> dict[str, Any]:
        return own.continuation_requests.ended(asked, body)

    try:
        if asked.fields.get("stream"):
            events = ContinuationStream(own.continuations, asked.fields, request, asked.before, ended)
            return streamed(events, 200, {"content-type": "text/event-stream; charset=utf-8"})
        body = ended(own.continuations.run(asked.fields, request, asked.before).body())
    except UpstreamRefused as refused:
        return outgoing(refused.reply)
    return Response(json.dumps(body), content_type="application/json")
