"""`/sandbox/...`: reading the bill, and faults for every request at once. Needs no key."""

import json
from typing import Any

from werkzeug import Request, Response

from service.upstream.sandbox.call import State, read_json_object
from service.upstream.sandbox.knobs import read_knobs


def read_bill(state: State, request: Request) -> Response:
    return _json(state.bill.statement())


def clear_bill(state: State, request: Request) -> Response:
    state.bill.clear()
    return _json(state.bill.statement())


def read_defaults(state: State, request: Request) -> Response:
    return _json(state.defaults)


def set_defaults(state: State, request: Request) -> Response:
    """Replace the defaults by the map in the body. Raises Refusal (400) and keeps the old ones."""
    defaults = read_json_object(request)
    read_knobs(defaults)
    state.defaults = defaults
    return _json(state.defaults)


def clear_defaults(state: State, request: Request) -> Response:
    state.defaults = {}
    return _json(state.defaults)


def _json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), mimetype="application/json")
