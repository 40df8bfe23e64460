"""What can go wrong with the upstream, and whether the request can have been billed.

One table maps the client's errors; a test fails when the client grows one that is not in it.
"""

import json
from typing import Any

import httpx2

from service.errors import UpstreamError, UpstreamTimeout

NOT_SENT = {"x-should-retry": "true"}
MAY_BE_BILLED = {"x-should-retry": "false"}


class NotSent(UpstreamError):
    """The request never left: it cost nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, headers=NOT_SENT)


class Unanswered(UpstreamError):
    """The request was sent and no answer came: nobody knows what it cost."""

    def __init__(self, message: str) -> None:
        super().__init__(message, headers=MAY_BE_BILLED)


class StillComing(Unanswered):
    """An answer that was given up was longer than could be read: nobody knows what it cost."""


class TimedOut(UpstreamTimeout):
    """The request was sent and no answer came in time: nobody knows what it cost."""

    def __init__(self, message: str) -> None:
        super().__init__(message, headers=MAY_BE_BILLED)


_TABLE: tuple[tuple[type[httpx2.TransportError], type[UpstreamError], str], ...] = (
    (httpx2.ConnectTimeout, NotSent, "The upstream did not accept a connection in time."),
    (httpx2.ConnectError, NotSent, "The upstream cannot be reached."),
    (httpx2.PoolTimeout, NotSent, "No connection to the upstream became free in time."),
    (httpx2.UnsupportedProtocol, NotSent, "The upstream's address is of an unknown kind."),
    (httpx2.ProxyError, NotSent, "The proxy to the upstream refused."),
    (httpx2.TimeoutException, TimedOut, "The upstream did not answer in time."),
    (httpx2.TransportError, Unanswered, "The upstream broke the connection."),
)


def translate(error: BaseException) -> UpstreamError:
    """An error of the client, or its cause, as one of ours."""
    for kind, ours, message in _TABLE:
        if isinstance(error, kind):
            return ours(message)
    return Unanswered("The upstream's answer could not be read.")


def in_openai_shape(body: bytes) -> dict[str, Any] | None:
    """The `error` object of a body in OpenAI's shape; None for anything else (a proxy's page, say)."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return error if isinstance(error, dict) else None


def auth_failed() -> UpstreamError:
    """The upstream refused the operator's own key: its words would name that key."""
    return UpstreamError(
        "The upstream refused the service's own credentials; its operator has to look at them.",
        code="upstream_auth_failed",
        headers=MAY_BE_BILLED,
    )
