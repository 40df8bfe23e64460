"""Every error a caller can meet, as one tree, and how each looks over HTTP.

    SpendgateError
    ├── InvalidRequest          400  the body does not validate (code says how, param says where)
    │   └── ModelNotPriced      400  a token class the request can reach has no rate
    ├── Unauthenticated         401  invalid_api_key, key_revoked, key_expired
    ├── Forbidden               403  model_not_allowed, wrong_key_kind
    ├── NotFound                404  not_found, unknown_url, model_not_found
    ├── MethodNotAllowed        405  with Allow
    ├── Conflict                409
    ├── TooLarge                413
    ├── UnsupportedMediaType    415
    ├── Refused                 429  by the ledger: money, or rate
    │   ├── InsufficientQuota        never worth a retry
    │   ├── BudgetInFlight           worth one in some seconds
    │   └── RateLimited
    ├── UpstreamError           502  upstream_unavailable, upstream_auth_failed
    │   └── UpstreamTimeout     504
    ├── LedgerUnavailable       503  Redis does not answer: fail closed
    └── InternalError           500

The body is OpenAI's: {"error": {"message", "type", "param", "code", "details"?}}. Headers of an
error travel with it, so that the HTTP edge is one function.
"""

from collections.abc import Mapping
from typing import Any


class SpendgateError(Exception):
    """An error with a status, a code and OpenAI's shape. Subclasses fix the status and the type."""

    status = 500
    type = "server_error"
    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.param = param
        self.details = details
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The error as it goes over the wire."""
        error: dict[str, Any] = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        if self.details is not None:
            error["details"] = dict(self.details)
        return {"error": error}


class InvalidRequest(SpendgateError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class ModelNotPriced(InvalidRequest):
    code = "model_not_priced"


class Unauthenticated(InvalidRequest):
    status = 401
    code = "invalid_api_key"


class Forbidden(InvalidRequest):
    status = 403
    code = "wrong_key_kind"


class NotFound(InvalidRequest):
    status = 404
    code = "not_found"


class MethodNotAllowed(InvalidRequest):
    status = 405
    code = "method_not_allowed"


class Conflict(InvalidRequest):
    status = 409
    code = "conflict"


class TooLarge(InvalidRequest):
    status = 413
    code = "request_too_large"


class UnsupportedMediaType(InvalidRequest):
    status = 415
    code = "unsupported_media_type"


class Refused(SpendgateError):
    status = 429


class InsufficientQuota(Refused):
    type = "insufficient_quota"
    code = "insufficient_quota"


class BudgetInFlight(Refused):
    type = "insufficient_quota"
    code = "budget_in_flight"


class RateLimited(Refused):
    """`type` is `requests` or `tokens`: which of the limits was met."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, type: str, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.type = type


class UpstreamError(SpendgateError):
    status = 502
    code = "upstream_unavailable"


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"


class LedgerUnavailable(SpendgateError):
    status = 503
    code = "ledger_unavailable"


class InternalError(SpendgateError):
    pass
