"""Routes, table, bodies and objects put together as one OpenAPI document, the same text each time."""

from typing import Any

import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from service import __doc__ as about
from service import __version__
from service.openapi.described import Described
from service.openapi.faults import STREAM_FAULT, codes_as_markdown, fault_components, fault_refs, header_refs
from service.openapi.objects import OBJECTS
from service.openapi.routes import Route, routes
from service.openapi.table import TABLE
from service.schemas.fields import union2properties
from service.schemas.shape import Shape

Json = dict[str, Any]

WIDTH = 110

DESCRIPTION = f"""{about}

Services call it as they call OpenAI, each with a key of its own. Operators call the control plane (`/admin`)
with an admin key. Amounts are decimal dollars: in as a string or a number, out as a string with 9 decimals.
Times are RFC 3339, in UTC.

An error looks like OpenAI's: `{{"error": {{"message", "type", "param", "code"}}}}`, with `details` where
money was refused; the header `x-spendgate-error-source` says whether it is ours or the upstream's. A stream
that breaks after it began ends with an event whose error has the code `{STREAM_FAULT}`, and without `[DONE]`.

{codes_as_markdown()}
"""

SECURITY: dict[str, Json] = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, `sk-sg-...`: the data plane."},
    "adminKey": {"type": "http", "scheme": "bearer", "description": "An admin key: the control plane."},
}

_AMOUNT: Json = {"type": "string", "pattern": r"^\d+\.\d{9}$"}
HEADERS: dict[str, tuple[str, Json]] = {
    "x-spendgate-request-id": ("This request's id, as in the ledger and the log.", {"type": "string"}),
    "x-spendgate-cost-usd": ("What the call cost; not of a stream.", _AMOUNT),
    "x-spendgate-remaining-usd": (
        "What remains, the least over key and project; not without limits.",
        _AMOUNT,
    ),
    "x-spendgate-soft-limit": ("Only when it is exceeded.", {"type": "string", "const": "exceeded"}),
    "x-spendgate-max-output-tokens": (
        "The output cap, where one was added.",
        {"type": "string", "pattern": r"^\d+$"},
    ),
    "x-spendgate-upstream": (
        "Only where the built-in sandbox answers.",
        {"type": "string", "const": "sandbox"},
    ),
    "x-spendgate-error-source": ("Whose error it is.", {"type": "string", "enum": ["spendgate", "upstream"]}),
    "x-should-retry": ("Whether SDKs should retry.", {"type": "string", "enum": ["true", "false"]}),
    "Retry-After": ("Seconds to wait.", {"type": "string"}),
}


def openapi_yaml() -> str:
    """The whole description as YAML text. Raises KeyError for a route that the table does not describe."""
    text: str = yaml.dump(_document(), Dumper=_Readable, sort_keys=False, allow_unicode=True, width=WIDTH)
    return text


class _Readable(yaml.SafeDumper):
    """Without anchors (what is used twice is written twice), and with texts of several lines as such."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def _document() -> Json:
    plugin = MarshmallowPlugin()
    spec = APISpec(
        "Spendgate",
        __version__,
        "3.1.0",
        info={"description": DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": "/"}],
        plugins=[plugin],
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(union2properties)  # type: ignore[no-untyped-call]
    _add_components(spec)
    for route in routes():
        spec.path(path=route.path, operations={route.method: _operation(route, TABLE[route.endpoint])})
    document: Json = spec.to_dict()
    return {name: document[name] for name in ("openapi", "info", "servers", "paths", "components")}


def _add_components(spec: APISpec) -> None:
    for name, security in SECURITY.items():
        spec.components.security_scheme(name, security)
    for name, (meaning, schema) in HEADERS.items():
        spec.components.header(name, {"description": meaning, "schema": schema})
    for name, schema in OBJECTS.items():
        spec.components.schema(name, schema)
    for body in {described.body: None for described in TABLE.values() if described.body}:
        spec.components.schema(_name(body), schema=type(body))
    used = {ref["$ref"].rsplit("/", 1)[1] for route in routes() for ref in _faults(route).values()}
    for name, response in fault_components().items():
        if name in used:
            spec.components.response(name, response)


def _operation(route: Route, described: Described) -> Json:
    operation: Json = {"operationId": route.endpoint, "tags": [route.tag], "summary": route.summary}
    if described.more:
        operation["description"] = described.more
    if parameters := [*map(_variable, route.variables), *described.parameters]:
        operation["parameters"] = parameters
    if described.body:
        content = {described.body_type: {"schema": {"$ref": f"#/components/schemas/{_name(described.body)}"}}}
        operation["requestBody"] = {"required": described.body_required, "content": content}
    operation["responses"] = _responses(route, described)
    operation["security"] = _security(route)
    return operation


def _variable(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _responses(route: Route, described: Described) -> Json:
    success = {
        "description": route.summary,
        "headers": header_refs("x-spendgate-request-id", *described.headers),
        "content": {kind: {"schema": schema} for kind, schema in described.content.items()},
    }
    return {str(described.status): success} | _faults(route)


def _faults(route: Route) -> Json:
    described = TABLE[route.endpoint]
    passes_on = route.metering == "hold" or described.passes_errors_on
    return fault_refs(described.faults, reaches_upstream=passes_on)


def _security(route: Route) -> list[Json]:
    if route.metering:
        return [{"apiKey": []}]
    return [{"adminKey": []}] if route.endpoint.startswith("admin.") else []


def _name(body: Shape) -> str:
    return type(body).__name__.removesuffix("Schema") + "Request"
