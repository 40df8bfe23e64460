"""Settings: what the environment says, and that a wrong value is one line that names its variable."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from service.config import ConfigError, Settings, load_settings

PREFIXES = ("SPENDGATE_", "OPENAI_", "REDIS_")


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        monkeypatch.delenv(name)


def _load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_nothing_set_is_the_documented_default() -> None:
    settings = load_settings()
    assert settings == Settings(data_dir=Path(".spendgate").absolute())
    assert settings.upstream_base_url == "https://api.openai.com/v1"


def test_set_but_empty_means_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "REDIS_URL", "SPENDGATE_ADMIN_KEY", "SPENDGATE_PORT"]
    names += [
        "SPENDGATE_PRICES",
        "SPENDGATE_PRICE_MULTIPLIER",
        "SPENDGATE_LOG_LEVEL",
        "SPENDGATE_LOG_CONTENT",
    ]
    assert _load(monkeypatch, **dict.fromkeys(names, "")) == load_settings()


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.touch()
    settings = _load(
        monkeypatch,
        OPENAI_API_KEY="sk-$provider",
        OPENAI_BASE_URL="http://127.0.0.1:8081/v1",
        OPENAI_ADMIN_KEY="sk-admin",
        REDIS_URL="rediss://h:1/2",
        SPENDGATE_ADMIN_KEY="x" * 16,
        SPENDGATE_HOST="0.0.0.0",
        SPENDGATE_PORT="9000",
        SPENDGATE_WORKERS="3",
        SPENDGATE_DATA_DIR=str(tmp_path),
        SPENDGATE_PRICES=str(prices),
        SPENDGATE_PRICE_MULTIPLIER="1.1",
        SPENDGATE_DEFAULT_SERVICE_TIER="flex",
        SPENDGATE_UPSTREAM_TIMEOUT_SECONDS="10",
        SPENDGATE_WORKER_LEASE_SECONDS="11",
        SPENDGATE_DRAIN_SECONDS="0",
        SPENDGATE_MAX_BODY_MB="12",
        SPENDGATE_MAX_UPLOAD_MB="13",
        SPENDGATE_LEDGER_ROWS="14",
        SPENDGATE_CONTINUATION_TTL_SECONDS="15",
        SPENDGATE_METRICS_TOKEN="metrics",
        SPENDGATE_LOG_LEVEL="DEBUG",
        SPENDGATE_LOG_CONTENT="true",
    )
    assert settings == Settings(
        openai_api_key="sk-$provider",
        openai_base_url="http://127.0.0.1:8081/v1",
        openai_admin_key="sk-admin",
        redis_url="rediss://h:1/2",
        admin_key="x" * 16,
        host="0.0.0.0",
        port=9000,
        workers=3,
        data_dir=tmp_path,
        prices=prices,
        price_multiplier=Decimal("1.1"),
        default_service_tier="flex",
        upstream_timeout_seconds=10,
        worker_lease_seconds=11,
        drain_seconds=0,
        max_body_mb=12,
        max_upload_mb=13,
        ledger_rows=14,
        continuation_ttl_seconds=15,
        metrics_token="metrics",
        log_level="debug",
        log_content=True,
    )


WHOLE_NUMBERS = [
    "SPENDGATE_PORT",
    "SPENDGATE_WORKERS",
    "SPENDGATE_UPSTREAM_TIMEOUT_SECONDS",
    "SPENDGATE_WORKER_LEASE_SECONDS",
    "SPENDGATE_DRAIN_SECONDS",
    "SPENDGATE_MAX_BODY_MB",
    "SPENDGATE_MAX_UPLOAD_MB",
    "SPENDGATE_LEDGER_ROWS",
    "SPENDGATE_CONTINUATION_TTL_SECONDS",
]


@pytest.mark.parametrize("value", ["many", "1.5", "-1", "1e3", "1_0", "\u0663", "9" * 30, " "])
@pytest.mark.parametrize("name", WHOLE_NUMBERS)
def test_wrong_number_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    _is_refused_by_name(monkeypatch, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPENDGATE_PORT", "65536"),
        ("SPENDGATE_WORKERS", "0"),
        ("SPENDGATE_WORKER_LEASE_SECONDS", "0"),
        ("SPENDGATE_PRICE_MULTIPLIER", "much"),
        ("SPENDGATE_PRICE_MULTIPLIER", "-1"),
        ("SPENDGATE_PRICE_MULTIPLIER", "1001"),
        ("SPENDGATE_PRICE_MULTIPLIER", "nan"),
        ("SPENDGATE_PRICE_MULTIPLIER", "inf"),
        ("SPENDGATE_DEFAULT_SERVICE_TIER", "fastest"),
        ("SPENDGATE_LOG_LEVEL", "loud"),
        ("SPENDGATE_LOG_CONTENT", "maybe"),
        ("SPENDGATE_ADMIN_KEY", "short"),
        ("SPENDGATE_PRICES", "/nowhere/prices.toml"),
        ("SPENDGATE_PRICES", "/nowhere\n/prices.toml"),
        ("OPENAI_API_KEY", "sk-sg-0abc"),
        ("OPENAI_BASE_URL", "api.openai.com/v1"),
        ("OPENAI_BASE_URL", "ftp://api.openai.com/v1"),
        ("OPENAI_BASE_URL", "http://"),
        ("OPENAI_BASE_URL", "http://host:port/v1"),
        ("OPENAI_BASE_URL", "http://host:99999/v1"),
        ("OPENAI_BASE_URL", "http://[::1/v1"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1"),
        ("OPENAI_BASE_URL", "http://localhost:8080"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://localhost:6379"),
        ("REDIS_URL", "redis://[::1"),
        ("REDIS_URL", "redis://localhost:port"),
        ("REDIS_URL", "redis://localhost:99999"),
        ("REDIS_URL", "unix://"),
    ],
)
def test_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    _is_refused_by_name(monkeypatch, name, value)


def _is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(monkeypatch, **{name: value})
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_port_of_this_machine_is_a_fine_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, OPENAI_BASE_URL="http://127.0.0.1:8081/v1")
    assert settings.upstream_base_url == "http://127.0.0.1:8081/v1"


SECRETS = ["OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "SPENDGATE_ADMIN_KEY", "SPENDGATE_METRICS_TOKEN"]


def test_no_secret_is_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {name: f"secret-of-{name.lower()}" for name in SECRETS}
    settings = _load(monkeypatch, REDIS_URL="redis://user:secret-of-redis@h/0", **values)
    assert "secret-of" not in repr(settings)


@pytest.mark.parametrize("value", ["sk-sg-0secret", "short"])
def test_no_secret_is_in_a_refusal(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    name = "OPENAI_API_KEY" if value.startswith("sk-") else "SPENDGATE_ADMIN_KEY"
    with pytest.raises(ConfigError) as caught:
        _load(monkeypatch, **{name: value})
    assert value not in str(caught.value)


def test_password_of_a_wrong_redis_url_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(monkeypatch, REDIS_URL="redis://user:hunter2@localhost:99999")
    assert "hunter2" not in str(caught.value)
