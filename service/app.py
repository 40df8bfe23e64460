"""The factory: settings -> Redis -> stores -> upstream -> gateway -> blueprints -> error handlers."""

import secrets

from flask import Flask, Response, g, request

from service.admin import blueprints as admin_blueprints
from service.api import (
    audio,
    chat,
    completions,
    conversations,
    docs,
    embeddings,
    files,
    health,
    images,
    key,
    models,
    moderations,
    presets,
    quotes,
    responses,
    tokens,
)
from service.api.errors import register_error_handlers
from service.config import ConfigError, Settings, load_settings
from service.continuation import Continuations
from service.continuation_request import ContinuationRequests
from service.file_calls import FileCalls
from service.free_calls import FreeCalls
from service.gateway import Gateway
from service.ledger.fitness import check_redis
from service.ledger.landing import Landing
from service.ledger.lease import Lease
from service.logs import configure_logs, log
from service.pricing.catalog import Catalog
from service.pricing.tokens import warm_up
from service.quotes import Quotes
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
    _report_unfit_redis(stores)
    own = _wire(settings, stores)
    app = Flask(__name__, static_folder=None)
    # `/v1//models` is no address of ours, not one that a page of HTML redirects.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_mb * 1024 * 1024
    app.extensions["spendgate"] = own
    _add_request_ids(app, own)
    for module in (
        chat,
        completions,
        embeddings,
        audio,
        images,
        moderations,
        models,
        conversations,
        responses,
        presets,
        quotes,
        files,
        tokens,
        key,
        health,
        docs,
    ):
        app.register_blueprint(module.blueprint)
    for blueprint in admin_blueprints:
        app.register_blueprint(blueprint)
    register_error_handlers(app)
    warm_up()
    own.lease.tick()
    own.lease.start()
    return app


def _report_unfit_redis(stores: Stores) -> None:
    """Say what is wrong with Redis, and go on: a worker that comes up anew while Redis is away or unfit
    must wait for it, not take the others down. Until all is well its lease admits nothing."""
    try:
        check_redis(stores.client)
    except ConfigError as error:
        log.error("redis_is_not_fit", reason=str(error))


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
        files=stores.files,
        responses=stores.responses,
        ledger=stores.ledger,
        landing=landing,
        lease=lease,
        catalog=catalog,
        upstream=upstream,
    )
    free_calls = FreeCalls(stores.keys, stores.files, stores.responses, upstream)
    requests = ContinuationRequests(stores.keys, stores.presets, stores.conversations)
    return Services(
        settings=settings,
        stores=stores,
        catalog=catalog,
        upstream=upstream,
        lease=lease,
        landing=landing,
        gateway=gateway,
        free_calls=free_calls,
        continuations=Continuations(gateway),
        continuation_requests=requests,
        quotes=Quotes(gateway, requests, stores),
        file_calls=FileCalls(stores.files, free_calls),
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
