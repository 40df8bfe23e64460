"""Between Flask and the flow, for forms: the body goes to disk, not into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import request

from service.api.http import api_secret, incoming_without_body, services
from service.call import Incoming
from service.errors import InvalidRequest, UnsupportedMediaType
from service.operations.base import Operation
from service.uploads.multipart import boundary_of
from service.uploads.spool import PIECE_BYTES, spooled


@contextmanager
def uploaded(operation: Operation | None = None) -> Iterator[Incoming]:
    """The form as the gateway takes it, on disk until the block is left. Without an operation nobody
    here looks into its files.

    Raises 400, 401, 403, 413, 415. Nobody's body is taken in before the key is known to be one.
    """
    secret = api_secret()
    services().stores.keys.authenticate(secret)
    boundary = _boundary()
    request.max_content_length = services().settings.max_upload_mb * 1024 * 1024
    keeps = frozenset([operation.recording] if operation and operation.recording else [])
    with spooled(_pieces(), request.headers["content-type"], boundary, keeps) as upload:
        yield replace(incoming_without_body(secret), upload=upload)


def _boundary() -> bytes:
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType(
            f"The body must be a form ('Content-Type: multipart/form-data'), not '{request.mimetype[:80]}'."
        )
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is None:
        raise InvalidRequest("The Content-Type must be multipart/form-data with a plain boundary.")
    return boundary


def _pieces() -> Iterator[bytes]:
    while piece := request.stream.read(PIECE_BYTES):
        yield piece
