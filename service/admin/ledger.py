"""/admin/ledger: the rows, one for each settled call."""

from itertools import islice
from typing import Any

from flask import Blueprint, Response

from service.admin.query import limit, output_format, parameter
from service.admin.views import export_response, list_response
from service.api.http import services
from service.ledger.rows import COLUMNS, read_rows, row_place
from service.usage.query import read_moment

blueprint = Blueprint("ledger", __name__, url_prefix="/ledger")
MOST = 1000


@blueprint.get("")
def list_rows() -> Response:
    """List rows, the oldest first; as csv or jsonl all of them, unless `limit` says otherwise."""
    form, most = output_format(), limit(MOST)
    if form == "json":
        rows = list(islice(_rows(page=most + 1), most + 1))
        return list_response(rows[:most], has_more=len(rows) > most)
    found = _rows()
    return export_response(form, islice(found, most) if parameter("limit") else found, COLUMNS)


def _rows(**rest: Any) -> Any:
    """The rows that the parameters ask for. Raises InvalidRequest; NotFound for a key there is not."""
    stores, key, after = services().stores, parameter("key"), parameter("after")
    since = read_moment("from", parameter("from"))
    if after is not None:
        row_place(after)  # Now, while an error can still be told: an export is read after its headers left.
    return read_rows(
        stores.client,
        key_id=stores.keys.get(key).id if key else None,
        model=parameter("model"),
        from_ms=int(since.timestamp() * 1000) if since else 0,
        after=after,
        **rest,
    )
