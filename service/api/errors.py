"""Errors over HTTP: every one in OpenAI's shape, with its source, and never a stack trace."""

from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from service import errors
from service.logs import log


def register_error_handlers(app: Flask) -> None:
    app.register_error_handler(errors.SpendgateError, _ours)
    app.register_error_handler(HTTPException, _werkzeugs)
    app.register_error_handler(Exception, _unexpected)


def _ours(error: errors.SpendgateError) -> Response:
    response = jsonify(error.body())
    response.status_code = error.status
    response.headers.update(error.headers)
    response.headers["x-spendgate-error-source"] = "spendgate"
    return response


def _werkzeugs(error: HTTPException) -> Response:
    """What Flask and werkzeug raise themselves, one by one."""
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted({*(error.valid_methods or ())} - {"HEAD", "OPTIONS"}))
        message = f"{request.method} is not allowed here; use {allowed}."
        return _ours(errors.MethodNotAllowed(message, headers={"Allow": allowed}))
    if isinstance(error, NotFound):
        return _ours(errors.NotFound(f"Unknown URL: {request.method} {request.path}", code="unknown_url"))
    if isinstance(error, RequestEntityTooLarge):
        most = request.max_content_length or 0
        return _ours(errors.TooLarge(f"The body is larger than {most // 1024 // 1024} MB."))
    if (error.code or 500) < 500:
        return _ours(errors.InvalidRequest(error.description or "The request cannot be read."))
    return _unexpected(error)


def _unexpected(error: Exception) -> Response:
    request_id: Any = g.get("request_id")
    log.error("internal_error", request_id=request_id, path=request.path, exc_info=error)
    return _ours(errors.InternalError(f"Something went wrong here; the request id is {request_id}."))
