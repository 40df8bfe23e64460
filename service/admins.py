"""Admin keys: the one in SPENDGATE_ADMIN_KEY, and those made before, kept as hashes."""

import hmac

import redis

from service import secrets
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.ledger import unavailable


class Admins:
    """Who may use the control plane."""

    def __init__(self, client: Client, configured_key: str | None) -> None:
        self._client = client
        self._configured = secrets.secret_hash(configured_key) if configured_key else None

    def is_admin(self, secret: str) -> bool:
        """Whether this secret is an admin key. Hashes are compared, in constant time."""
        hashed = secrets.secret_hash(secret)
        if self._configured is not None and hmac.compare_digest(hashed, self._configured):
            return True
        if not secret.startswith(secrets.ADMIN_PREFIX):
            return False
        try:
            return bool(self._client.hexists(names.ADMINS, hashed))
        except redis.RedisError as error:
            raise unavailable() from error

    def exist(self) -> bool:
        return self._configured is not None or self.made()

    def made(self) -> bool:
        """Whether one was ever made and kept."""
        try:
            return bool(self._client.hlen(names.ADMINS))
        except redis.RedisError as error:
            raise unavailable() from error

    def create(self, name: str) -> str:
        """Make an admin key; gives the secret, this once."""
        secret = secrets.new_admin_key()
        try:
            self._client.hset(names.ADMINS, secrets.secret_hash(secret), name)
        except redis.RedisError as error:
            raise unavailable() from error
        return secret
