"""What the route table cannot say: each endpoint's body, parameters, answers and faults.

The paths, methods and summaries are the blueprints' own; see `routes`.
"""

from dataclasses import dataclass
from typing import Any

from service.openapi.objects import ref
from service.schemas.admin import KEY_CREATE, KEY_ROTATE, KEY_UPDATE
from service.schemas.chat import CHAT_COMPLETION
from service.schemas.continuation import CONTINUATION
from service.schemas.holds import HOLD_SETTLE
from service.schemas.shape import Shape
from service.schemas.tokens import TOKENS
from service.usage.buckets import BUCKETS
from service.usage.query import GROUPS

Json = dict[str, Any]

KEYED = (401, 403, 500, 503)  # with a key, and answered from Redis
WITH_BODY = (400, 413)
PAID = (*KEYED, *WITH_BODY, 415, 429, 502, 504)
FROM_UPSTREAM = (*KEYED, 502, 504)
PAID_HEADERS = (
    "x-spendgate-cost-usd",
    "x-spendgate-remaining-usd",
    "x-spendgate-soft-limit",
    "x-spendgate-max-output-tokens",
    "x-spendgate-upstream",
)


@dataclass(frozen=True)
class Described:
    """`content`: the schema of a success by media type. `more` says what the summary does not."""

    content: dict[str, Json]
    faults: tuple[int, ...] = ()
    body: Shape | None = None
    body_required: bool = True
    parameters: tuple[Json, ...] = ()
    status: int = 200
    headers: tuple[str, ...] = ()
    more: str = ""


def json_of(name: str) -> dict[str, Json]:
    return {"application/json": ref(name)}


def _query(name: str, about: str, **schema: Any) -> Json:
    return {"name": name, "in": "query", "description": about, "schema": {"type": "string"} | schema}


def _events(about: str, *names: str) -> dict[str, Json]:
    """Server-sent events, each described as `{event, data}`; one that names none is a `message`."""
    fields = {"event": {"type": "string", "enum": ["message", *names]}, "data": {"type": "string"}}
    schema = {"type": "object", "description": about, "properties": fields, "required": ["data"]}
    return {"text/event-stream": schema}


_STREAM_COST: Json = {
    "name": "x-spendgate-stream-cost",
    "in": "header",
    "description": "Of a stream: tell the cost in a comment line in front of the last event.",
    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
}
_EXPORTS: dict[str, Json] = {"text/csv": {"type": "string"}, "application/x-ndjson": {"type": "string"}}
_FORMAT = _query("format", "What to answer in.", enum=["json", "csv", "jsonl"], default="json")
_FROM = _query("from", "A time (RFC 3339) or a day.", examples=["2026-11-22"])
_TO = _query("to", "A time (RFC 3339) or a day; not included.", examples=["2026-11-22T18:00:00Z"])
_BUCKET = _query("bucket", "How long each sum is.", enum=list(BUCKETS), default="day")
_GROUP_BY: Json = {
    "name": "group_by",
    "in": "query",
    "description": "What to sum up by.",
    "style": "form",
    "explode": False,
    "schema": {"type": "array", "items": {"type": "string", "enum": list(GROUPS)}, "uniqueItems": True},
}


def _page(most: int) -> tuple[Json, Json]:
    limit = _query("limit", "How many to list.", type="integer", minimum=1, maximum=most, default=20)
    return limit, _query("after", "The last id of the page before.")


TABLE: dict[str, Described] = {
    "chat.complete_chat": Described(
        body=CHAT_COMPLETION,
        content=json_of("ChatCompletion")
        | _events(
            "With `stream: true`: OpenAI's own events, then `data: [DONE]`; or an error, if it breaks."
        ),
        parameters=(_STREAM_COST,),
        faults=PAID,
        headers=PAID_HEADERS,
        more="As OpenAI has it: the answer is the upstream's own, byte for byte. Parameters that are not "
        "listed here reach the upstream, too.",
    ),
    "chat.run_continuation": Described(
        body=CONTINUATION,
        content=json_of("Continuation")
        | _events(
            "With `stream: true`: of each round `round.delta` and `round.completed`; at the end the whole, "
            "as without, and `data: [DONE]`. Each event's data is JSON, whose `type` is the event's name.",
            "continuation.created",
            "round.delta",
            "round.completed",
            "continuation.completed",
            "continuation.incomplete",
        ),
        faults=PAID,
        headers=("x-spendgate-upstream",),
        more="Each round is a call of its own, with its own hold and ledger row; its reply becomes context "
        "for the next. A run that fails after its first round answers with what it has.",
    ),
    "tokens.count_tokens": Described(
        body=TOKENS,
        content=json_of("TokenCount"),
        faults=(*KEYED, *WITH_BODY, 415),
        headers=("x-spendgate-upstream",),
    ),
    "models.list_models": Described(
        content=json_of("ModelList"), faults=FROM_UPSTREAM, headers=("x-spendgate-upstream",)
    ),
    "models.show_model": Described(
        content=json_of("Model"), faults=(*FROM_UPSTREAM, 404), headers=("x-spendgate-upstream",)
    ),
    "key.show_own_key": Described(content=json_of("OwnKey"), faults=KEYED, headers=("x-spendgate-upstream",)),
    "admin.keys.create_key": Described(
        status=201, body=KEY_CREATE, content=json_of("KeyWithSecret"), faults=(*KEYED, *WITH_BODY, 409)
    ),
    "admin.keys.list_keys": Described(
        parameters=_page(100), content=json_of("KeyList"), faults=(*KEYED, 400)
    ),
    "admin.keys.show_key": Described(content=json_of("Key"), faults=(*KEYED, 404)),
    "admin.keys.update_key": Described(
        body=KEY_UPDATE, content=json_of("Key"), faults=(*KEYED, *WITH_BODY, 404, 409)
    ),
    "admin.keys.revoke_key": Described(content=json_of("Key"), faults=(*KEYED, 404)),
    "admin.keys.rotate_key": Described(
        body=KEY_ROTATE,
        body_required=False,
        content=json_of("KeyWithSecret"),
        faults=(*KEYED, *WITH_BODY, 404, 409),
    ),
    "admin.holds.list_holds": Described(
        parameters=_page(100), content=json_of("HoldList"), faults=(*KEYED, 400)
    ),
    "admin.holds.settle_hold": Described(
        body=HOLD_SETTLE, content=json_of("ResolvedHold"), faults=(*KEYED, *WITH_BODY, 404, 409)
    ),
    "admin.holds.release_hold": Described(content=json_of("ResolvedHold"), faults=(*KEYED, 404, 409)),
    "admin.usage.show_usage": Described(
        parameters=(_FROM, _TO, _BUCKET, _GROUP_BY, _FORMAT),
        content=json_of("UsageList") | _EXPORTS,
        faults=(*KEYED, 400),
        more="The last 30 days by the day unless said otherwise. Buckets and groups without a call are left "
        "out.",
    ),
    "admin.ledger.list_rows": Described(
        parameters=(
            _query("key", "Only rows of the key with this id."),
            _query("model", "Only rows of this model."),
            _FROM,
            *_page(1000),
            _FORMAT,
        ),
        content=json_of("LedgerRowList") | _EXPORTS,
        faults=(*KEYED, 400, 404),
        more="One row for each call that was settled, the oldest first.",
    ),
    "health.healthz": Described(content=json_of("Status")),
    "health.readyz": Described(content=json_of("Status"), faults=(500, 503)),
    "docs.show_docs": Described(content={"text/html": {"type": "string"}}),
    "docs.openapi": Described(content={"application/yaml": {"type": "object"}}),
}
