"""The control plane: what operators do, with an admin key. One blueprint a resource, views of a few lines."""

from flask import Blueprint, Response

from service.admin import auth, holds, keys, ledger, usage

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
blueprint.before_request(auth.require_admin)
for resource in (keys, holds, usage, ledger):
    blueprint.register_blueprint(resource.blueprint)
blueprints = (blueprint,)


@blueprint.after_request
def keep_out_of_caches(response: Response) -> Response:
    """Answers carry secrets and figures; no cache on the way may keep them."""
    response.headers["Cache-Control"] = "no-store"
    return response
