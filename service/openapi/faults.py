"""Every error code by status, and how a fault is described. A test holds the codes against the code's own."""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

# status: (name of the response, what it means, its codes, headers besides those that all faults have)
FAULTS: dict[int, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    400: (
        "InvalidRequest",
        "The request does not validate, or what it can cost has no bound. `param` says where.",
        (
            "invalid_type",
            "invalid_value",
            "missing_required_parameter",
            "unsupported_value",
            "invalid_json",
            "invalid_parameter_combination",
            "model_not_priced",
        ),
        (),
    ),
    401: (
        "Unauthenticated",
        "No key, or one that does not work.",
        ("invalid_api_key", "key_revoked", "key_expired"),
        (),
    ),
    403: (
        "Forbidden",
        "The key may not do this: not this model, or it is of the other kind.",
        ("model_not_allowed", "wrong_key_kind"),
        (),
    ),
    404: ("NotFound", "There is no such thing.", ("unknown_url", "not_found", "model_not_found"), ()),
    405: (
        "MethodNotAllowed",
        "Not with this method; `Allow` has those there are.",
        ("method_not_allowed",),
        (),
    ),
    409: ("Conflict", "It does not fit what is there.", ("conflict",), ()),
    413: ("TooLarge", "The body is too large.", ("request_too_large",), ()),
    415: (
        "UnsupportedMediaType",
        "The body is not of a kind that is taken.",
        ("unsupported_media_type",),
        (),
    ),
    429: (
        "Refused",
        "Refused over money (`details` has the figures of the scope that refused), or over a rate. "
        "`insufficient_quota` is not worth a retry, the others are after `Retry-After`.",
        ("insufficient_quota", "budget_in_flight", "rate_limit_exceeded"),
        ("Retry-After", "x-should-retry"),
    ),
    500: (
        "InternalError",
        "Something went wrong here; the message has the request id.",
        ("internal_error",),
        (),
    ),
    502: (
        "UpstreamError",
        "The upstream broke off, cannot be reached, or refused the service's own credentials.",
        ("upstream_unavailable", "upstream_auth_failed"),
        ("x-should-retry",),
    ),
    503: (
        "LedgerUnavailable",
        "The ledger does not answer: nothing is admitted, nothing was sent upstream.",
        ("ledger_unavailable",),
        ("Retry-After",),
    ),
    504: (
        "UpstreamTimeout",
        "The upstream did not answer in time.",
        ("upstream_timeout",),
        ("x-should-retry",),
    ),
}

# Not an answer's own status: it ends a stream that had begun well.
STREAM_FAULT = "upstream_stream_cut"

# What the upstream refuses goes to the caller as it came, but for these: they would name the operator's key.
_NEVER_PASSED_ON = (401, 403)
_OWN_ERROR = {"$ref": "#/components/schemas/Error"}
_UPSTREAMS_ERROR = {"$ref": "#/components/schemas/UpstreamError"}


def fault_components() -> dict[str, Json]:
    """The responses of all faults by name: ours, and those that can also be the upstream's own."""
    found: dict[str, Json] = {}
    for status, (name, *_) in FAULTS.items():
        found[name] = _fault(status, passed_on=False)
        found[f"{name}OrUpstreams"] = _fault(status, passed_on=True)
    passed_on = _response(
        "An error of the upstream, with its status and body as they came.", _UPSTREAMS_ERROR
    )
    return found | {"UpstreamsOwn": passed_on}


def fault_refs(statuses: Iterable[int], *, reaches_upstream: bool) -> Json:
    """The `responses` of an operation that can fail so."""
    refs: Json = {}
    for status in sorted(statuses):
        passed_on = reaches_upstream and status not in _NEVER_PASSED_ON
        refs[str(status)] = _ref(FAULTS[status][0] + ("OrUpstreams" if passed_on else ""))
    if reaches_upstream:
        refs |= {"4XX": _ref("UpstreamsOwn"), "5XX": _ref("UpstreamsOwn")}
    return refs


def codes_as_markdown() -> str:
    """The table of all codes, for the head of the description."""
    lines = [
        f"| {status} | {', '.join(f'`{code}`' for code in codes)} | {meaning} |"
        for status, (_, meaning, codes, _) in FAULTS.items()
    ]
    return "\n".join(["| status | code | meaning |", "| --- | --- | --- |", *lines])


def header_refs(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _fault(status: int, *, passed_on: bool) -> Json:
    _, meaning, codes, headers = FAULTS[status]
    code: Json = {"properties": {"code": {"enum": list(codes)}}}
    own: Json = {"allOf": [_OWN_ERROR, {"properties": {"error": code}}]}
    if not passed_on:
        return _response(meaning, own, *headers)
    return _response(
        f"{meaning} Or the upstream's own refusal.", {"anyOf": [own, _UPSTREAMS_ERROR]}, *headers
    )


def _response(meaning: str, schema: Json, *headers: str) -> Json:
    return {
        "description": meaning,
        "headers": header_refs("x-spendgate-request-id", "x-spendgate-error-source", *headers),
        "content": {"application/json": {"schema": schema}},
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/responses/{name}"}
