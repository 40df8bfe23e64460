"""GET /healthz (alive) and GET /readyz (fit to admit calls)."""

from flask import Blueprint, Response, jsonify

from service.api.http import services
from service.errors import LedgerUnavailable

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the process is alive."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say whether Redis answers and is fit to keep money."""
    own = services()
    own.stores.ledger.ping()
    if trouble := own.lease.trouble():
        raise LedgerUnavailable(f"Not ready: {trouble}.", headers={"Retry-After": "1"})
    return jsonify({"status": "ready"})
