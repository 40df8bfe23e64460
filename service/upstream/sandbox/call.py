"""One call to a /v1 endpoint: what the endpoint is given, and the faults all endpoints share."""

import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gevent
from werkzeug import Request, Response

from service.upstream.sandbox.bill import Bill, cost_usd, find_model
from service.upstream.sandbox.connection import ENVIRON_KEY, Connection
from service.upstream.sandbox.knobs import Knobs, read_knobs
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.stored import StoredFile

HTML_PAGE = "<html>\r\n<head><title>Sandbox</title></head>\r\n<body><h1>Sandbox</h1></body>\r\n</html>\r\n"
ERROR_TYPES = {429: "requests"}
ERROR_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


@dataclass
class State:
    """What a sandbox remembers between calls."""

    bill: Bill = field(default_factory=Bill)
    defaults: dict[str, str] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    responses: OrderedDict[str, dict[str, Any]] = field(default_factory=OrderedDict)


@dataclass(frozen=True)
class Call:
    """A call on its way to an endpoint. `body` is {} for a GET."""

    request: Request
    body: dict[str, Any]
    knobs: Knobs
    state: State
    connection: Connection

    def bill(self, id: str, model: str, tier: str, usage: dict[str, Any], **marks: bool) -> None:
        """Book an answer by the model that served it, or the one asked for where that has no price."""
        priced = model if find_model(model) else self.body["model"]
        record = {
            "id": id,
            "client_request_id": self.request.headers.get("x-client-request-id"),
            "model": model,
            "endpoint": self.request.path,
            "service_tier": tier,
            "usage": usage,
            **marks,
        }
        self.state.bill.add(record, cost_usd(priced, tier, usage))

    def answer(self, body: dict[str, Any]) -> Response:
        """A JSON answer, of which only half arrives if the request wants that."""
        content = json.dumps(body).encode()
        response = Response(content, mimetype="application/json")
        if self.knobs.cut_after is not None:
            response.response = self._half(content)
            response.headers["content-length"] = str(len(content))
        return response

    def _half(self, content: bytes) -> Iterator[bytes]:
        yield content[: len(content) // 2]
        self.connection.cut()


Endpoint = Callable[..., Response]


def openai_endpoint(endpoint: Callable[..., Response]) -> Endpoint:
    """Wrap a `(call, **url_arguments)` function: shared faults before it, OpenAI's headers after it.

    What comes out takes `(state, request, **url_arguments)`, as the app's routes do.
    """

    def run(state: State, request: Request, **arguments: str) -> Response:
        started = time.monotonic()
        try:
            call = _read_call(state, request)
            response = _misbehave(call) or endpoint(call, **arguments)
        except Refusal as refusal:
            response = refusal.response()
        response.headers.extend(_openai_headers(started, 0 if response.status_code == 429 else 9999))
        return response

    return run


def _read_call(state: State, request: Request) -> Call:
    body = _read_body(request) if request.method == "POST" else {}
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise Refusal("'metadata' must be an object.", param="metadata", code="invalid_type")
    knobs = read_knobs({**state.defaults, **metadata})
    return Call(request, body, knobs, state, Connection(request.environ.get(ENVIRON_KEY)))


def _read_body(request: Request) -> dict[str, Any]:
    """The JSON object, or the texts of a form (its files stay with the request)."""
    if request.mimetype == "multipart/form-data":
        return dict(request.form.items())
    return read_json_object(request)


def read_json_object(request: Request) -> dict[str, Any]:
    """The JSON object in a request. Raises Refusal (400)."""
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal("We could not parse the JSON body of your request: it must be a JSON object.")
    return body


def _misbehave(call: Call) -> Response | None:
    """The faults that need no endpoint; None where the call may go on."""
    knobs = call.knobs
    gevent.sleep(knobs.delay_ms / 1000)
    if knobs.hang:
        call.connection.wait_until_gone()
    if knobs.reset:
        call.connection.reset()
    if knobs.body:
        return Response(HTML_PAGE, knobs.status or 200, mimetype="text/html")
    return _faulty_status(knobs.status) if knobs.status else None


def _faulty_status(status: int) -> Response:
    refusal = Refusal(
        f"The sandbox was asked to answer {status}.",
        status=status,
        type=ERROR_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
        code=ERROR_CODES.get(status),
    )
    response = refusal.response()
    if status == 429:
        response.headers["retry-after"] = "7"
    return response


def _openai_headers(started: float, remaining_requests: int) -> dict[str, str]:
    """The headers OpenAI puts on every answer; `started` is when the request came, on the monotonic clock."""
    return {
        "x-request-id": f"req_{uuid.uuid4().hex}",
        "openai-processing-ms": str(round((time.monotonic() - started) * 1000)),
        "openai-version": "2020-10-01",
        "openai-organization": "sandbox-org",
        "openai-project": "proj_sandbox",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-limit-tokens": "10000000",
        "x-ratelimit-remaining-requests": str(remaining_requests),
        "x-ratelimit-remaining-tokens": "9999000",
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": "6ms",
    }
