"""The control plane's part of the table: parameters, bodies, answers and faults of each endpoint."""

from service.openapi.described import KEYED, WITH_BODY, Described, Json, json_of, page, query
from service.schemas.admin import KEY_CREATE, KEY_ROTATE, KEY_UPDATE
from service.schemas.holds import HOLD_SETTLE
from service.usage.buckets import BUCKETS
from service.usage.query import GROUPS

_EXPORTS: dict[str, Json] = {"text/csv": {"type": "string"}, "application/x-ndjson": {"type": "string"}}
_FORMAT = query("format", "What to answer in.", enum=["json", "csv", "jsonl"], default="json")
_FROM = query("from", "A time (RFC 3339) or a day.", examples=["2026-11-22"])
_TO = query("to", "A time (RFC 3339) or a day; not included.", examples=["2026-11-22T18:00:00Z"])
_BUCKET = query("bucket", "How long each sum is.", enum=list(BUCKETS), default="day")
_GROUP_BY: Json = {
    "name": "group_by",
    "in": "query",
    "description": "What to sum up by.",
    "style": "form",
    "explode": False,
    "schema": {"type": "array", "items": {"type": "string", "enum": list(GROUPS)}, "uniqueItems": True},
}

ADMIN_TABLE: dict[str, Described] = {
    "admin.keys.create_key": Described(
        status=201, body=KEY_CREATE, content=json_of("KeyWithSecret"), faults=(*KEYED, *WITH_BODY, 409)
    ),
    "admin.keys.list_keys": Described(parameters=page(100), content=json_of("KeyList"), faults=(*KEYED, 400)),
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
        parameters=page(100), content=json_of("HoldList"), faults=(*KEYED, 400)
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
            query("key", "Only rows of the key with this id."),
            query("model", "Only rows of this model."),
            _FROM,
            *page(1000),
            _FORMAT,
        ),
        content=json_of("LedgerRowList") | _EXPORTS,
        faults=(*KEYED, 400, 404),
        more="One row for each call that was settled, the oldest first.",
    ),
}
