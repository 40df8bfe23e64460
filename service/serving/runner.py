"""Runs the service: its own Redis and sandbox where it needs them, then gunicorn in this process."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from service.config import ConfigError, Settings
from service.ledger.fitness import check_redis
from service.pricing.catalog import Catalog
from service.serving.embedded_redis import start_embedded_redis
from service.serving.options import gunicorn_options
from service.serving.sandbox_process import SandboxProcess
from service.wiring import Stores, open_stores

# Called with the stores before anything serves, and with the address when everything does.
Prepare = Callable[[Stores], None]
Announce = Callable[[str], None]


def run_service(settings: Settings, *, prepare: Prepare, announce: Announce) -> None:
    """Serve until SIGTERM or Ctrl-C. Ends by SystemExit, with 0 after an orderly stop.

    Raises ConfigError or EmbeddedRedisError with one line if it cannot start.
    """
    # Prices are read here as well as in each worker, so that a wrong file is one line and not a
    # worker's trace.
    Catalog(settings.prices, settings.price_multiplier, settings.default_service_tier)
    with ExitStack() as stack:
        if settings.redis_url is None:
            redis_server = stack.enter_context(start_embedded_redis(settings.data_dir))
            settings = replace(settings, redis_url=redis_server.url)
        if settings.sandbox:
            sandbox = stack.enter_context(SandboxProcess())
            settings = replace(settings, openai_base_url=sandbox.base_url, openai_api_key=None)
        assert settings.redis_url is not None
        stores = open_stores(settings, settings.redis_url, timeout_seconds=5)
        check_redis(stores.client)
        prepare(stores)
        stores.client.close()
        _Arbiter(_Application(settings, announce)).run()


def require_admin_key(stores: Stores) -> None:
    """Raise ConfigError if nobody could administer the service."""
    if not stores.admins.exist():
        raise ConfigError(
            "SPENDGATE_ADMIN_KEY is not set and no admin key was made before; "
            "set it (16 characters or more), or run 'spendgate keys create --admin NAME'"
        )


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, announce: Announce) -> None:
        self._settings = settings
        self._announce = announce
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = gunicorn_options(self._settings)
        options["when_ready"] = self._when_ready
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # Here and not above: what it imports belongs into the workers.
        from service.app import create_app

        return create_app(self._settings)

    def _when_ready(self, arbiter: Arbiter) -> None:
        host, port = arbiter.LISTENERS[0].sock.getsockname()[:2]
        reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
        self._announce(f"http://{reachable}:{port}")


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Ctrl-C and SIGQUIT mean what SIGTERM means: drain, settle, leave."""

    def handle_int(self) -> None:
        self.handle_term()

    def handle_quit(self) -> None:
        self.handle_term()
