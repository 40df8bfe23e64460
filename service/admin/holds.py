"""/admin/holds: money that is set aside, and what an operator decides about holds in doubt."""

from flask import Blueprint, Response, jsonify

from service.admin.query import body, limit, parameter
from service.admin.views import list_response
from service.api.http import services
from service.hold_view import hold_object, resolved_object
from service.ledger.balances import open_holds
from service.ledger.by_hand import release_by_hand, settle_by_hand
from service.schemas.holds import load_hold_settle

blueprint = Blueprint("holds", __name__, url_prefix="/holds")


@blueprint.get("")
def list_holds() -> Response:
    """List the holds that are running or in doubt, by id."""
    after, most = parameter("after") or "", limit()
    # By id: holds come and go between two pages, and `after` may be one that has gone.
    found = sorted(open_holds(services().stores.client), key=lambda each: each.hold.id)
    rest = [each for each in found if each.hold.id > after]
    return list_response([hold_object(each) for each in rest[:most]], has_more=len(rest) > most)


@blueprint.post("/<hold_id>/settle")
def settle_hold(hold_id: str) -> Response:
    """Book what the call of a hold in doubt did cost."""
    cost_nano_usd, stores = load_hold_settle(body()), services().stores
    return jsonify(resolved_object(settle_by_hand(stores.client, stores.ledger, hold_id, cost_nano_usd)))


@blueprint.post("/<hold_id>/release")
def release_hold(hold_id: str) -> Response:
    """Give a hold in doubt back: its call cost nothing."""
    stores = services().stores
    return jsonify(resolved_object(release_by_hand(stores.client, stores.ledger, hold_id)))
