"""Between Flask and the flow: who calls, what came, what goes back."""

from dataclasses import replace
from typing import Any

from flask import Response, current_app, g, request

from service.call import Incoming
from service.errors import Forbidden, InvalidRequest, Unauthenticated, UnsupportedMediaType
from service.gateway import Reply
from service.ledger.holds import Account
from service.ledger.refusals import invalid_api_key
from service.secrets import shard_of
from service.services import Services

# What a caller may say to the upstream, besides the body.
UP = ("accept", "openai-beta", "x-client-request-id")
# A caller that takes nothing for so long has gone, whatever its socket says.
STALLED_CALLER_SECONDS = 60
LARGE_BODY_BYTES = 256 * 1024


def services() -> Services:
    found: Services = current_app.extensions["spendgate"]
    return found


def bearer() -> str:
    """The secret of `Authorization: Bearer`. Raises 401."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated(
            "You didn't provide an API key. Send it as the header 'Authorization: Bearer sk-sg-...'."
        )
    return secret.strip()


def api_secret() -> str:
    """The caller's API key, well-formed. Raises 401; 403 for an admin key."""
    secret = bearer()
    if shard_of(secret) is None:
        if services().stores.admins.is_admin(secret):
            raise Forbidden("This is an admin key; models take an API key.", code="wrong_key_kind")
        raise invalid_api_key()
    return secret


def caller() -> Account:
    """The caller's account, for what costs nothing."""
    return services().stores.keys.authenticate(api_secret())


def current_caller() -> Account:
    """As `caller`, for what belongs to a project: the key is good now. Raises 401."""
    account = caller()
    services().stores.keys.current(account)
    return account


def incoming() -> Incoming:
    """The request as the gateway takes it. Raises 401, 403, 413, 415."""
    secret = api_secret()
    require_json()
    if (request.content_length or LARGE_BODY_BYTES) >= LARGE_BODY_BYTES:
        # To read and judge a large body takes time that only a key in good standing may cost.
        current_caller()
    return replace(incoming_without_body(secret), raw=read_body())


def incoming_without_body(secret: str) -> Incoming:
    """What the request says besides its body."""
    return Incoming(
        secret=secret,
        raw=b"",
        request_id=g.request_id,
        headers=_headers_up(),
        wants_stream_cost=request.headers.get("x-spendgate-stream-cost", "").lower() == "true",
    )


def _headers_up() -> dict[str, str]:
    """The caller's headers that go up; a value that is no visible ASCII cannot, and is left out."""
    given = {name: request.headers.get(name, "") for name in UP}
    return {name: value for name, value in given.items() if value and value.isascii() and value.isprintable()}


def read_body() -> bytes:
    """The whole body. Raises 413, for one in chunks as well; 400 for one that did not arrive whole."""
    try:
        raw = request.get_data(cache=False)
        if request.content_length is None:
            # A body in chunks was cut at the limit without a word; to read past it raises 413.
            request.stream.read(1)
    except (OSError, ValueError):
        raise _broken_body() from None
    if request.content_length is not None and len(raw) < request.content_length:
        raise _broken_body()
    return raw


def _broken_body() -> InvalidRequest:
    return InvalidRequest("The body did not arrive as it was announced.", code="invalid_json")


def require_json() -> None:
    """Raise 415 for a body that says it is no JSON; one that says nothing is taken for it."""
    kind = request.mimetype
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType(
            f"The body must be JSON ('Content-Type: application/json'), not '{kind[:80]}'."
        )


def outgoing(reply: Reply) -> Response:
    """A reply as the caller gets it."""
    if isinstance(reply.body, bytes):
        # Flask would call an answer without a type of its own HTML.
        return Response(reply.body, reply.status, {"content-type": "application/json", **reply.headers})
    return streamed(reply.body, reply.status, reply.headers)


def streamed(body: Any, status: int, headers: dict[str, str]) -> Response:
    """An iterator of bytes as a response that closes it in any case, begun or not."""
    if (sock := request.environ.get("gunicorn.socket")) is not None:
        sock.settimeout(STALLED_CALLER_SECONDS)
    response = Response(body, status, headers, direct_passthrough=True)
    response.call_on_close(body.close)
    return response
