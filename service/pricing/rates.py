"""Rates of one model: pico-USD a token, by class, and by length of the prompt where that counts."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

PICO_PER_TOKEN = 1_000_000  # one USD per million tokens, as pico-USD a token


@dataclass(frozen=True)
class Rates:
    """Pico-USD a token (a second of audio, a character of speech). None: there is no rate for that
    class, so no request may reach it."""

    input: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    output: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    image_input: int | None = None
    image_output: int | None = None
    second: int | None = None
    character: int | None = None


@dataclass(frozen=True)
class ModelRates:
    """A model's rates on one day in one service tier.

    `steps` are (start, rates), the longest first: a prompt of more than `start` input tokens pays
    those rates for all its tokens; `base` holds below.
    """

    base: Rates
    steps: tuple[tuple[int, Rates], ...] = ()

    def at(self, input_tokens: int) -> Rates:
        return next((rates for start, rates in self.steps if input_tokens > start), self.base)


# Our classes -> the price data's. All but seconds are priced by the million, in USD.
_CLASSES = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "output": "output_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
    "image_input": "input_image_mtok",
    "image_output": "output_image_mtok",
    "second": "audio_hours",
    "character": "input_mchars",
}
SECONDS_PER_HOUR = 3_600


def pico_per_token(usd_per_mtok: Decimal, multiplier: Decimal) -> int:
    """A list price as an integer rate. Finer than a pico-USD (with odd multipliers): rounded up."""
    return int((usd_per_mtok * multiplier * PICO_PER_TOKEN).to_integral_value(ROUND_CEILING))


def model_rates(model: Any, tier: str, at: datetime, multiplier: Decimal) -> ModelRates | None:
    """The rates genai-prices has for a model (its ModelInfo); None if that tier has none.

    Source: https://github.com/pydantic/genai-prices (data of the installed release), which cites
    https://developers.openai.com/api/docs/pricing for each model.
    """
    if tier != "default" and not _has_tier(model, tier, at):
        return None
    prices = model.get_prices(at, None if tier == "default" else {"service_tier": tier})
    found = {name: getattr(prices, price_key) for name, price_key in _CLASSES.items()}
    starts = {step.start for price in found.values() for step in getattr(price, "tiers", ())}

    def rates_above(start: int | None) -> Rates:
        return Rates(
            **{
                name: _rate(name, _price_above(price, start), multiplier)
                for name, price in found.items()
                if price is not None
            }
        )

    steps = tuple((start, rates_above(start)) for start in sorted(starts, reverse=True))
    return ModelRates(rates_above(None), steps)


def _rate(name: str, price: Decimal, multiplier: Decimal) -> int:
    if name == "second":
        return pico_per_token(price * PICO_PER_TOKEN / SECONDS_PER_HOUR, multiplier)
    return pico_per_token(price, multiplier)


def _has_tier(model: Any, tier: str, at: datetime) -> bool:
    return any(
        variant.when == {"service_tier": tier} and (not variant.constraint or variant.constraint.active(at))
        for variant in model.price_variants or ()
    )


def _price_above(price: Any, start: int | None) -> Decimal:
    """The price of a prompt just longer than `start`; None: of the shortest."""
    if isinstance(price, Decimal):
        return price
    reached = [step.price for step in price.tiers if start is not None and step.start <= start]
    found: Decimal = reached[-1] if reached else price.base
    return found
