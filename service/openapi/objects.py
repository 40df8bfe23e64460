"""What goes out, as JSON schemas. Ours are closed, with every field; the upstream's may hold more."""

from typing import Any

from service.ledger.rows import COLUMNS, TOKEN_CLASSES
from service.schemas.admin import PERIODS
from service.usage.query import GROUPS

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
MAYBE_TEXT: Json = {"type": ["string", "null"]}
WHOLE: Json = {"type": "integer"}
MAYBE_WHOLE: Json = {"type": ["integer", "null"]}
YES_OR_NO: Json = {"type": "boolean"}
TIME: Json = {"type": "string", "format": "date-time"}
MAYBE_TIME: Json = {"type": ["string", "null"], "format": "date-time"}
USD: Json = {"type": "string", "pattern": r"^\d+\.\d{9}$", "examples": ["0.000048300"]}
MAYBE_USD: Json = {**USD, "type": ["string", "null"]}


def object_of(properties: Json, *, optional: tuple[str, ...] = ()) -> Json:
    """A closed object, all of whose fields are there but the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def open_object(required: Json, more: Json | None = None) -> Json:
    """An object of the upstream's: what callers rely on is said, what else it holds is its own."""
    return {"type": "object", "properties": required | (more or {}), "required": list(required)}


def const(value: str) -> Json:
    return {"type": "string", "const": value}


def array_of(item: Json) -> Json:
    return {"type": "array", "items": item}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(name: str) -> Json:
    """A page; `last_id` is the next call's `after`."""
    return object_of(
        {"object": const("list"), "data": array_of(ref(name)), "has_more": YES_OR_NO, "last_id": MAYBE_TEXT}
    )


def page_of(name: str) -> Json:
    """A page of what a project has stored, as OpenAI's lists are; `last_id` is the next call's `after`."""
    ids = dict.fromkeys(("first_id", "last_id"), MAYBE_TEXT)
    return object_of({"object": const("list"), "data": array_of(ref(name)), **ids, "has_more": YES_OR_NO})


_SECRET = object_of({"hint": TEXT, "expires_at": MAYBE_TIME})
_OWN_KEY: Json = {
    "id": TEXT,
    "object": const("key"),
    "name": TEXT,
    "project": TEXT,
    "status": {"type": "string", "enum": ["active", "expired", "revoked"]},
    "secrets": array_of(_SECRET),
    "soft_limit_usd": MAYBE_USD,
    "hard_limit_usd": MAYBE_USD,
    "period": {"type": "string", "enum": PERIODS},
    "timezone": TEXT,
    "alert_thresholds": array_of(WHOLE),
    "models": {"type": ["array", "null"], "items": TEXT},
    "default_max_output_tokens": MAYBE_WHOLE,
    "requests_per_minute": MAYBE_WHOLE,
    "tokens_per_minute": MAYBE_WHOLE,
    "max_concurrency": MAYBE_WHOLE,
    "expires_at": MAYBE_TIME,
    "created_at": TIME,
    "last_used_at": MAYBE_TIME,
    "spent_usd": USD,
    "held_usd": USD,
    "in_doubt_usd": USD,
    "remaining_usd": MAYBE_USD,
    "soft_limit_exceeded": YES_OR_NO,
    "period_start": MAYBE_TIME,
    "resets_at": MAYBE_TIME,
}
_KEY: Json = _OWN_KEY | {"metadata": {"type": "object", "additionalProperties": TEXT}}
_SHOWN_ONCE: Json = {**TEXT, "description": "The key itself, shown this once."}

_ROW_TYPES: Json = {
    **dict.fromkeys(TOKEN_CLASSES, WHOLE),
    "at": TIME,
    "status": MAYBE_WHOLE,
    "cost_usd": USD,
    "bound_usd": USD,
    "usage_source": {"type": "string", "enum": ["provider", "counted", "operator"]},
    "overrun": {**YES_OR_NO, "description": "It cost more than its hold."},
    "late": {**YES_OR_NO, "description": "It was settled after its worker's lease ran out."},
    "latency_ms": MAYBE_WHOLE,
    "ttft_ms": {**MAYBE_WHOLE, "description": "Of a stream: milliseconds to the first token."},
    **dict.fromkeys(("upstream_request_id", "model_served", "service_tier"), MAYBE_TEXT),
}

_ERROR_DETAILS = object_of(
    {
        "reason": {"enum": ["hard_limit_reached", "exceeds_remaining", "in_doubt", "budget_in_flight"]},
        "scope": {"enum": ["key", "project"]},
        **dict.fromkeys(("limit_usd", "spent_usd", "held_usd", "in_doubt_usd"), USD),
        "bound_usd": {**USD, "description": "The most that this request can cost."},
        "resets_at": MAYBE_TIME,
    },
    optional=("limit_usd", "spent_usd", "held_usd", "in_doubt_usd"),
)
_ERROR = {"message": TEXT, "type": TEXT, "param": MAYBE_TEXT, "code": TEXT, "details": _ERROR_DETAILS}

_USAGE_BUCKET: Json = {
    "object": const("usage"),
    "start": TIME,
    "end": TIME,
    "groups": object_of(dict.fromkeys(GROUPS, TEXT), optional=GROUPS),
    "requests": WHOLE,
    **dict.fromkeys(TOKEN_CLASSES, WHOLE),
    "cost_usd": USD,
}

_HOLD: Json = {
    "id": TEXT,
    "object": const("hold"),
    "state": {"type": "string", "enum": ["held", "in_doubt"]},
    "cause": {"enum": ["lease", "unanswered", None], "description": "Why it is in doubt."},
    "bound_usd": USD,
    "admitted_at": TIME,
    "worker": TEXT,
    **dict.fromkeys(("key_id", "project", "endpoint", "model", "request_id"), MAYBE_TEXT),
}
_RESOLVED: Json = {
    "id": TEXT,
    "object": const("hold"),
    "state": {"type": "string", "enum": ["settled", "released"]},
    "cost_usd": USD,
    "row_id": TEXT,
}

_TOKEN_COUNT: Json = {
    "object": const("token_count"),
    "model": TEXT,
    "encoding": TEXT,
    "count": WHOLE,
    "tokens": array_of(object_of({"id": WHOLE, "text": TEXT, "bytes": array_of(WHOLE)}, optional=("bytes",))),
    "input_cost_usd": USD,
}

_CHAT_USAGE = open_object({"prompt_tokens": WHOLE, "completion_tokens": WHOLE, "total_tokens": WHOLE})
_CHOICE = open_object({"index": WHOLE, "message": open_object({"role": TEXT}), "finish_reason": MAYBE_TEXT})
_CHAT: Json = {
    "id": TEXT,
    "object": const("chat.completion"),
    "created": WHOLE,
    "model": TEXT,
    "choices": array_of(_CHOICE),
}

_RESPONSE_USAGE = open_object({"input_tokens": WHOLE, "output_tokens": WHOLE, "total_tokens": WHOLE})
_RESPONSE: Json = {
    "id": TEXT,
    "object": const("response"),
    "created_at": {"type": "number"},
    "model": TEXT,
    "status": TEXT,
    "output": array_of(open_object({"type": TEXT})),
}

_TEXT_CHOICE = open_object({"index": WHOLE, "text": TEXT, "finish_reason": MAYBE_TEXT})
_TEXT_COMPLETION: Json = {
    "id": TEXT,
    "object": const("text_completion"),
    "created": WHOLE,
    "model": TEXT,
    "choices": array_of(_TEXT_CHOICE),
}
# Without `completion_tokens` where there are none.
_TEXT_USAGE = open_object({"prompt_tokens": WHOLE, "total_tokens": WHOLE}, {"completion_tokens": WHOLE})
_EMBEDDING = open_object(
    {
        "object": const("embedding"),
        "index": WHOLE,
        "embedding": {"oneOf": [array_of({"type": "number"}), {**TEXT, "description": "In base64."}]},
    }
)
_EMBEDDINGS: Json = {"object": const("list"), "data": array_of(_EMBEDDING), "model": TEXT}
_JUDGEMENT = open_object({"flagged": YES_OR_NO, "categories": {"type": "object"}})

_MEDIA_USAGE = open_object({}, {"input_tokens": WHOLE, "output_tokens": WHOLE, "seconds": {"type": "number"}})
_IMAGES: Json = {"created": WHOLE, "data": array_of(open_object({}, {"b64_json": TEXT}))}

_ROUND: Json = {
    "index": WHOLE,
    "content": MAYBE_TEXT,
    "finish_reason": MAYBE_TEXT,
    "refusal": TEXT,
    "tool_calls": array_of({"type": "object"}),
    "usage": {"anyOf": [_CHAT_USAGE, {"type": "null"}]},
    "cost_usd": USD,
}
_REASONS = (
    "hard_limit",
    "budget_in_flight",
    "rate_limit",
    "key_revoked",
    "timeout",
    "tool_calls",
    "refusal",
    "content_filter",
    "upstream_error",
)
_CONTINUATION: Json = {
    "id": TEXT,
    "object": const("continuation"),
    "model": TEXT,
    "status": {"type": "string", "enum": ["completed", "incomplete"]},
    "results": array_of(object_of(_ROUND, optional=("refusal", "tool_calls"))),
    "messages": array_of(open_object({"role": TEXT, "content": {}})),
    "usage": _CHAT_USAGE,
    "cost_usd": USD,
    "incomplete_details": object_of({"reason": {"type": "string", "enum": list(_REASONS)}}),
    "store": {**YES_OR_NO, "description": "Where it was asked for: whether it could be kept."},
}

_EXAMPLE = object_of({"user": TEXT, "assistant": TEXT})
_PRESET: Json = {
    "object": const("preset"),
    "name": TEXT,
    "model": MAYBE_TEXT,
    "system": MAYBE_TEXT,
    "examples": {"type": ["array", "null"], "items": _EXAMPLE},
    "parameters": {"type": "object"},
    "updated_at": TIME,
}
_QUOTE_REASONS = (*_ERROR_DETAILS["properties"]["reason"]["enum"], "rate_limit_exceeded", None)
_QUOTE: Json = {
    "object": const("quote"),
    "admitted": YES_OR_NO,
    "reason": {"enum": list(_QUOTE_REASONS), "description": "Why it would be refused now."},
    "min_cost_usd": {**USD, "description": "The input as it is counted, at its cheapest, without output."},
    "max_cost_usd": {**USD, "description": "What is held for it; of a continuation, for all its rounds."},
    "input_tokens": WHOLE,
    "max_output_tokens": {**WHOLE, "description": "Of each choice; of a continuation, in all its rounds."},
    "remaining_usd": {**MAYBE_USD, "description": "What remains now, before the call."},
}
_FILE: Json = {
    "id": TEXT,
    "object": const("file"),
    "bytes": WHOLE,
    "created_at": WHOLE,
    "filename": TEXT,
    "purpose": TEXT,
}

_MODEL = open_object({"id": TEXT, "object": const("model")}, {"created": WHOLE, "owned_by": TEXT})

OBJECTS: dict[str, Json] = {
    "Error": object_of({"error": object_of(_ERROR, optional=("details",))}),
    "UpstreamError": open_object({"error": {"type": "object"}}),
    "ChatCompletion": open_object(_CHAT, {"usage": _CHAT_USAGE}),
    "Images": open_object(_IMAGES, {"usage": _MEDIA_USAGE}),
    "Transcript": open_object({"text": TEXT}, {"usage": _MEDIA_USAGE}),
    "TextCompletion": open_object(_TEXT_COMPLETION, {"usage": _TEXT_USAGE}),
    "EmbeddingList": open_object(_EMBEDDINGS, {"usage": _TEXT_USAGE}),
    "ModerationResult": open_object({"id": TEXT, "model": TEXT, "results": array_of(_JUDGEMENT)}),
    "Response": open_object(_RESPONSE, {"usage": {"anyOf": [_RESPONSE_USAGE, {"type": "null"}]}}),
    "DeletedResponse": open_object({"id": TEXT, "deleted": YES_OR_NO}),
    "InputTokenCount": open_object({"object": const("response.input_tokens"), "input_tokens": WHOLE}),
    "Continuation": object_of(_CONTINUATION, optional=("incomplete_details", "store")),
    "TokenCount": object_of(_TOKEN_COUNT, optional=("tokens",)),
    "Quote": object_of(_QUOTE),
    "Preset": object_of(_PRESET),
    "PresetList": page_of("Preset"),
    "DeletedPreset": object_of({"name": TEXT, "object": const("preset"), "deleted": YES_OR_NO}),
    "DeletedContinuation": object_of({"id": TEXT, "object": const("continuation"), "deleted": YES_OR_NO}),
    "File": open_object(_FILE),
    "FileList": page_of("File"),
    "DeletedFile": open_object({"id": TEXT, "object": const("file"), "deleted": YES_OR_NO}),
    "Model": _MODEL,
    "ModelList": open_object({"object": const("list"), "data": array_of(ref("Model"))}),
    "OwnKey": object_of(_OWN_KEY),
    "Key": object_of(_KEY),
    "KeyWithSecret": object_of(_KEY | {"key": _SHOWN_ONCE}),
    "KeyList": list_of("Key"),
    "Hold": object_of(_HOLD),
    "HoldList": list_of("Hold"),
    "ResolvedHold": object_of(_RESOLVED, optional=("cost_usd", "row_id")),
    "LedgerRow": object_of({name: _ROW_TYPES.get(name, TEXT) for name in COLUMNS}),
    "LedgerRowList": list_of("LedgerRow"),
    "Usage": object_of(_USAGE_BUCKET),
    "UsageList": list_of("Usage"),
    "Status": object_of({"status": TEXT}),
}
