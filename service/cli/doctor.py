"""`spendgate doctor`: can the service run as it is set up? One line for each thing it needs."""

import sys
from collections.abc import Callable

import click

from service.cli.redis_at_hand import TIMEOUT_SECONDS, url_at_hand
from service.config import ConfigError, Settings, load_settings
from service.ledger.connection import connect
from service.ledger.fitness import check_redis
from service.ledger.names import LAYOUT_VERSION
from service.pricing.catalog import Catalog
from service.pricing.listing import data_source, data_warning
from service.serving.redis_server import EmbeddedRedisError

# What a check answers when all is well; it raises ConfigError or EmbeddedRedisError otherwise.
Check = Callable[[Settings], str]


@click.command()
def doctor() -> None:
    """Check settings, Redis, upstream and prices; exit 1 if anything is wrong."""
    settings = load_settings()
    click.echo("ok      Settings: readable")
    checks: dict[str, Check] = {"Redis": _redis, "Upstream": _upstream, "Prices": _prices}
    well = [_run(name, check, settings) for name, check in checks.items()]
    sys.exit(0 if all(well) else 1)


def _run(name: str, check: Check, settings: Settings) -> bool:
    try:
        click.echo(f"ok      {name}: {check(settings)}")
    except (ConfigError, EmbeddedRedisError) as error:
        click.echo(f"wrong   {name}: {error}")
        return False
    return True


def _redis(settings: Settings) -> str:
    with url_at_hand(settings) as url:
        client = connect(url, timeout_seconds=TIMEOUT_SECONDS)
        try:
            check_redis(client)
            version = client.info("server")["redis_version"]
        finally:
            client.connection_pool.disconnect()
    kind = "REDIS_URL" if settings.redis_url else "embedded"
    return f"{kind}, version {version}, answers, never evicts, layout {LAYOUT_VERSION}"


def _upstream(settings: Settings) -> str:
    if settings.openai_api_key is None and settings.openai_base_url is None:
        raise ConfigError("OPENAI_API_KEY is not set (nor OPENAI_BASE_URL); `serve` needs it, or --sandbox")
    return settings.upstream_base_url


def _prices(settings: Settings) -> str:
    Catalog(settings.prices, settings.price_multiplier, settings.default_service_tier)
    if warning := data_warning():
        raise ConfigError(warning)
    return data_source()
