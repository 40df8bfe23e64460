"""The factory: settings -> Redis -> stores -> upstream -> gateway -> blueprints -> error handlers."""

import secrets

from flask import Flask, Response, g, request

from service.admin import blueprints as admin_blueprints
from service.api import chat, docs, health, key, models, tokens
from service.api.errors import register_error_handlers
from service.config import ConfigError, Settings, load_settings
from service.continuation import Continuations
from service.errors import LedgerUnavailable
from service.gateway import Gateway
from service.ledger.fitness import check_redis
from service.ledger.landing import Landing
from service.ledger.lease import Lease
from service.logs import configure_logs, log
from service.pricing.catalog import Catalog
from service.pricing.tokens import warm_up
from service.services import Services
from service.upstream.client import Upstream
from service.wiring import Stores, open_stores


def create_app(settings: Settings | None = None) -> Flask:
    """The service as a WSGI app. Without settings they are read from the environment.

    Raises ConfigError with one line if it cannot run like this.
    """
    settings = settings or load_settings()
    if settings.redis_url is None:
        raise ConfigError("REDIS_URL is not set (`spendgate serve` starts an embedded Redis by itself)")
    configure_logs(settings.log_level)
    stores = open_stores(settings, settings.redis_url)
    _check_redis_if_it_answers(stores)
    own = _wire(settings, stores)
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_mb * 1024 * 1024
    app.extensions["spendgate"] = own
    _add_request_ids(app, own)
    for module in (chat, models, tokens, key, health, docs):
        app.register_blueprint(module.blueprint)
    for blueprint in admin_blueprints:
        app.register_blueprint(blueprint)
    register_error_handlers(app)
    warm_up()
    own.lease.tick()
    own.lease.start()
    return app


def _check_redis_if_it_answers(stores: Stores) -> None:
    """A worker that starts while Redis is away must come up, and wait for it: nothing is admitted until
    its lease is there. A Redis that answers and is unfit stops it."""
    try:
        stores.ledger.ping()
    except LedgerUnavailable:
        log.warning("redis_does_not_answer_yet")
    else:
        check_redis(stores.client)


def _wire(settings: Settings, stores: Stores) -> Services:
    catalog = Catalog(settings.prices, settings.price_multiplier, settings.default_service_tier)
    upstream = Upstream(
        base_url=settings.upstream_base_url,
        api_key=settings.openai_api_key,
        timeout_seconds=settings.upstream_timeout_seconds,
        is_sandbox=settings.sandbox,
    )
    lease = Lease(stores.client, stores.ledger, settings.worker_lease_seconds)
    landing = Landing(stores.ledger)
    gateway = Gateway(
        keys=stores.keys,
        ledger=stores.ledger,
        landing=landing,
        lease=lease,
        catalog=catalog,
        upstream=upstream,
    )
    return Services(
        settings=settings,
        stores=stores,
        catalog=catalog,
        upstream=upstream,
        lease=lease,
        landing=landing,
        gateway=gateway,
        continuations=Continuations(gateway),
    )


def _add_request_ids(app: Flask, own: Services) -> None:
    @app.before_request
    def begin() -> None:
        g.request_id = f"sgr_{secrets.token_hex(12)}"

    @app.after_request
    def mark(response: Response) -> Response:
        response.headers["x-spendgate-request-id"] = g.request_id
        if own.upstream.is_sandbox and request.path.startswith("/v1/"):
            response.headers["x-spendgate-upstream"] = "sandbox"
        return response
