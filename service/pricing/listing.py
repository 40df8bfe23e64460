"""What there are prices of, and how old they are: for people. Admission asks the catalog, never this."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices.data import providers

from service.config import Settings
from service.errors import ModelNotPriced
from service.pricing.catalog import Catalog, Model
from service.pricing.price_file import read_price_file
from service.pricing.rates import PICO_PER_TOKEN

OLD_AFTER = timedelta(days=60)
# The day each release of genai-prices came out; the package itself has no date. Appended, never edited.
DATA_DATES = {"0.2.3": date(2026, 11, 10)}
CLASSES = ("input", "cached_input", "cache_write", "output", "audio_input", "audio_output", "image_input")


def priced_models(settings: Settings, catalog: Catalog) -> list[Model]:
    """Every model that can be called now, at the configured tier, by name; without the price file's globs."""
    own = read_price_file(settings.prices, settings.price_multiplier) if settings.prices else []
    names = {model.name for model in own if "*" not in model.name}
    names |= {model.id for provider in providers if provider.id == "openai" for model in provider.models}
    found = (_model_or_none(catalog, name) for name in sorted(names))
    return [model for model in found if model is not None]


def _model_or_none(catalog: Catalog, name: str) -> Model | None:
    try:
        return catalog.model(name, None, datetime.now(UTC))
    except ModelNotPriced:
        return None


def model_object(model: Model) -> dict[str, Any]:
    """A model's prices for people: USD per million tokens, as the shortest decimal strings."""
    return {
        "id": model.name,
        "object": "model_price",
        "tier": model.tier,
        **{name: _usd_per_mtok(getattr(model.rates.base, name)) for name in CLASSES},
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "longer_prompts": [
            {"above_input_tokens": start, **{name: _usd_per_mtok(getattr(rates, name)) for name in CLASSES}}
            for start, rates in model.rates.steps
        ],
    }


def _usd_per_mtok(pico_per_token: int | None) -> str | None:
    if pico_per_token is None:
        return None
    return f"{(Decimal(pico_per_token) / PICO_PER_TOKEN).normalize():f}"


def data_version() -> str:
    """The release of the price data that is installed."""
    return version("genai-prices")


def data_age() -> timedelta | None:
    """How old the price data is; None for a release whose date is not known here."""
    released = DATA_DATES.get(data_version())
    return None if released is None else datetime.now(UTC).date() - released


def data_warning() -> str | None:
    """Why the price data should be renewed; None while it is fresh."""
    age = data_age()
    if age is None:
        return f"The date of genai-prices {data_version()} is not known."
    if age > OLD_AFTER:
        return f"The price data (genai-prices {data_version()}) is {age.days} days old; renew it."
    return None


def data_source() -> str:
    """Where the prices are from, in one line."""
    released = DATA_DATES.get(data_version())
    return f"genai-prices {data_version()}, released {released or 'on an unknown day'}"
