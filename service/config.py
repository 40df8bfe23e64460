"""The settings: one frozen object, read once from the environment.

Every name is documented in deploy/env.example. A wrong value raises ConfigError, whose message is
one line that names the variable.
"""

import os
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, EnvError

LOG_LEVELS = ("debug", "info", "warning", "error")
SERVICE_TIERS = ("default", "flex", "priority")
MIN_ADMIN_KEY_LENGTH = 16
_WHOLE = re.compile(r"\s*-?[0-9]{1,20}\s*")


class ConfigError(Exception):
    """A setting that cannot be used; the message names it."""


@dataclass(frozen=True)
class Settings:
    """What the operator set. Secrets are kept out of repr."""

    openai_api_key: str | None = field(default=None, repr=False)
    openai_base_url: str | None = None
    openai_admin_key: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    admin_key: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 2
    data_dir: Path = Path(".spendgate")
    prices: Path | None = None
    price_multiplier: Decimal = Decimal(1)
    default_service_tier: str = "default"
    upstream_timeout_seconds: int = 600
    worker_lease_seconds: int = 60
    drain_seconds: int = 8
    max_body_mb: int = 32
    max_upload_mb: int = 512
    ledger_rows: int = 1_000_000
    continuation_ttl_seconds: int = 30 * 86_400
    metrics_token: str | None = field(default=None, repr=False)
    log_level: str = "info"
    log_content: bool = False
    sandbox: bool = False

    @property
    def upstream_base_url(self) -> str:
        return self.openai_base_url or "https://api.openai.com/v1"


def load_settings() -> Settings:
    """Read the environment. Raises ConfigError with one line that names the wrong variable."""
    # Expanding `$` would corrupt secrets that contain it, so environs' expand_vars stays off.
    env = Env()
    try:
        settings = _read(env)
    except EnvError as error:
        raise ConfigError(" ".join(str(error).split())) from None
    _check(settings)
    return settings


def _read(env: Env) -> Settings:
    # A variable that is set but empty means "not set": compose files and env files leave such behind.
    def text(name: str) -> str | None:
        return env.str(name, None) or None

    def whole(name: str, default: int, least: int, most: int) -> int:
        raw = text(name)
        if raw is None:
            return default
        # int() alone would take 1_0 and the digits of every script.
        if not _WHOLE.fullmatch(raw):
            raise ConfigError(f"{name} must be a whole number, not {raw!r}")
        value = int(raw)
        if not least <= value <= most:
            raise ConfigError(f"{name} must be between {least} and {most}, not {value}")
        return value

    prices = text("SPENDGATE_PRICES")
    return Settings(
        openai_api_key=text("OPENAI_API_KEY"),
        openai_base_url=text("OPENAI_BASE_URL"),
        openai_admin_key=text("OPENAI_ADMIN_KEY"),
        redis_url=text("REDIS_URL"),
        admin_key=text("SPENDGATE_ADMIN_KEY"),
        host=text("SPENDGATE_HOST") or "127.0.0.1",
        port=whole("SPENDGATE_PORT", 8080, 0, 65535),
        workers=whole("SPENDGATE_WORKERS", 2, 1, 256),
        data_dir=Path(text("SPENDGATE_DATA_DIR") or ".spendgate").absolute(),
        prices=Path(prices) if prices else None,
        price_multiplier=_multiplier(text("SPENDGATE_PRICE_MULTIPLIER")),
        default_service_tier=text("SPENDGATE_DEFAULT_SERVICE_TIER") or "default",
        upstream_timeout_seconds=whole("SPENDGATE_UPSTREAM_TIMEOUT_SECONDS", 600, 1, 86_400),
        worker_lease_seconds=whole("SPENDGATE_WORKER_LEASE_SECONDS", 60, 1, 86_400),
        drain_seconds=whole("SPENDGATE_DRAIN_SECONDS", 8, 0, 3600),
        max_body_mb=whole("SPENDGATE_MAX_BODY_MB", 32, 1, 1024),
        max_upload_mb=whole("SPENDGATE_MAX_UPLOAD_MB", 512, 1, 10_240),
        ledger_rows=whole("SPENDGATE_LEDGER_ROWS", 1_000_000, 1, 10**9),
        continuation_ttl_seconds=whole("SPENDGATE_CONTINUATION_TTL_SECONDS", 30 * 86_400, 1, 10**9),
        metrics_token=text("SPENDGATE_METRICS_TOKEN"),
        log_level=(text("SPENDGATE_LOG_LEVEL") or "info").lower(),
        log_content=env.bool("SPENDGATE_LOG_CONTENT", False) if text("SPENDGATE_LOG_CONTENT") else False,
    )


def _multiplier(raw: str | None) -> Decimal:
    try:
        value = Decimal(raw) if raw else Decimal(1)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= 1000:
        raise ConfigError(f"SPENDGATE_PRICE_MULTIPLIER must be a number from 0 to 1000, not {raw!r}")
    return value


def _check(settings: Settings) -> None:
    if settings.log_level not in LOG_LEVELS:
        raise ConfigError(f"SPENDGATE_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}")
    if settings.default_service_tier not in SERVICE_TIERS:
        raise ConfigError(f"SPENDGATE_DEFAULT_SERVICE_TIER must be one of {', '.join(SERVICE_TIERS)}")
    if settings.admin_key is not None and len(settings.admin_key) < MIN_ADMIN_KEY_LENGTH:
        raise ConfigError(f"SPENDGATE_ADMIN_KEY must have {MIN_ADMIN_KEY_LENGTH} characters or more")
    if settings.prices is not None and not settings.prices.is_file():
        raise ConfigError(f"SPENDGATE_PRICES names no file: {str(settings.prices)!r}")
    if settings.openai_api_key and settings.openai_api_key.startswith("sk-sg-"):
        raise ConfigError("OPENAI_API_KEY is one of Spendgate's own keys, not the provider's")
    _check_urls(settings)


def _check_urls(settings: Settings) -> None:
    if settings.redis_url is not None and not _is_redis_address(settings.redis_url):
        raise ConfigError("REDIS_URL must be like redis://host:6379/0, rediss://host:6379/0 or unix:///path")
    if settings.openai_base_url is None:
        return
    url = _split(settings.openai_base_url)
    if url is None:
        raise ConfigError("OPENAI_BASE_URL must be an http:// or https:// address")
    host, port = url
    own_hosts = {"127.0.0.1", "localhost", "::1", "0.0.0.0", "::", settings.host}
    if port == settings.port and host in own_hosts:
        raise ConfigError("OPENAI_BASE_URL is Spendgate's own address; it must name the upstream")


def _is_redis_address(address: str) -> bool:
    try:
        url = urlsplit(address)
        _ = url.port  # raises for one that is no number, or too large
    except ValueError:
        return False
    return bool(url.path) if url.scheme == "unix" else url.scheme in ("redis", "rediss")


def _split(address: str) -> tuple[str, int] | None:
    try:
        url = urlsplit(address)
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        return None
    if url.scheme not in ("http", "https") or not url.hostname:
        return None
    return url.hostname, port


def environment_has_upstream() -> bool:
    """Whether the operator named an upstream (else quickstart puts the sandbox behind itself)."""
    return bool(os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"))
