"""What goes out: lists and exports."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response, jsonify

from service.usage.export import CONTENT_TYPES, export


def list_response(data: Sequence[dict[str, Any]], *, has_more: bool = False) -> Response:
    """A list as every list is; `last_id` is the next call's `after`."""
    last_id = data[-1].get("id") if data else None
    return jsonify({"object": "list", "data": data, "has_more": has_more, "last_id": last_id})


def export_response(form: str, rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> Response:
    """Rows as csv or jsonl, sent while they are read."""
    return Response(export(form, rows, columns), content_type=CONTENT_TYPES[form])
