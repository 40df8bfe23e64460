"""Who may use the control plane: holders of an admin key."""

from service.api.http import bearer, services
from service.errors import Forbidden


def require_admin() -> None:
    """Raise 401 for no key or a wrong one, 403 for an API key."""
    stores, secret = services().stores, bearer()
    if stores.admins.is_admin(secret):
        return
    stores.keys.authenticate(secret)
    raise Forbidden("This is an API key; the control plane takes an admin key.", code="wrong_key_kind")
