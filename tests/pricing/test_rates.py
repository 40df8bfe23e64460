"""The integer rates against the price data's own arithmetic in decimals."""

import random
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Any

import genai_prices
import pytest
from genai_prices.data import providers

from service.errors import ModelNotPriced
from service.pricing.catalog import TIERS, Catalog
from service.pricing.cost import cost_nano_usd
from service.pricing.rates import Rates, pico_per_token
from service.pricing.usage import Usage
from tests.pricing.conftest import AT, MakeCatalog

SEED = 20261122
_OPENAI = next(provider for provider in providers if provider.id == "openai")
MODELS = [
    model for model in _OPENAI.models if model.get_prices(AT).output_mtok and model.get_prices(AT).input_mtok
]
# The catalog's rates are those of the day, as it begins.
MIDNIGHT = AT.replace(hour=0)


def _usages(rates: Rates, rng: random.Random) -> Iterator[Usage]:
    """Random usages whose parts do not overlap, on both sides of the long-context step."""
    for most in (1, 50, 5_000, 272_000, 272_001, 900_000):
        cached, written, audio, plain = (rng.randrange(most + 1) for _ in range(4))
        output, audio_out = rng.randrange(most + 1), rng.randrange(most + 1)
        written = written if rates.cache_write is not None else 0
        audio = audio if rates.audio_input is not None else 0
        audio_out = audio_out if rates.audio_output is not None else 0
        yield Usage(
            input_tokens=cached + written + audio + plain,
            cached_input_tokens=cached,
            cache_write_tokens=written,
            audio_input_tokens=audio,
            output_tokens=output + audio_out,
            reasoning_tokens=rng.randrange(output + 1),
            audio_output_tokens=audio_out,
        )


def _decimal_price(info: Any, usage: Usage, tier: str) -> Decimal:
    """What genai-prices makes of it, in USD."""
    counts = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        input_audio_tokens=usage.audio_input_tokens,
        cache_audio_read_tokens=0,
        output_tokens=usage.output_tokens,
        output_audio_tokens=usage.audio_output_tokens,
    )
    context = None if tier == "default" else {"service_tier": tier}
    price = info.calc_price(counts, _OPENAI, genai_request_timestamp=MIDNIGHT, price_context=context)
    return price.total_price


@pytest.mark.parametrize("tier", TIERS)
def test_every_model_costs_what_the_price_data_says_rounded_up(tier: str) -> None:
    rng, catalog, priced = random.Random(SEED), Catalog(None), 0
    for info in MODELS:
        try:
            rates = catalog.model(info.id, tier, AT).rates
        except ModelNotPriced:
            continue
        priced += 1
        for usage in _usages(rates.base, rng):
            nano_usd = (_decimal_price(info, usage, tier) * 10**9).to_integral_value(ROUND_CEILING)
            assert cost_nano_usd(usage, rates) == nano_usd, (info.id, tier, usage, SEED)
    assert priced > {"default": 80, "flex": 15, "priority": 20}[tier]


@pytest.mark.parametrize("tier", TIERS)
def test_longer_prompts_are_never_cheaper(tier: str) -> None:
    """The bound takes the rates of the most input there can be: it holds for less only if this does."""
    for info in MODELS:
        try:
            rates = Catalog(None).model(info.id, tier, AT).rates
        except ModelNotPriced:
            continue
        steps = [rates.base, *(step for _, step in reversed(rates.steps))]
        for shorter, longer in pairwise(steps):
            for name in vars(shorter):
                assert (getattr(longer, name) or 0) >= (getattr(shorter, name) or 0), (info.id, name)


def test_step_begins_after_its_number_of_tokens() -> None:
    rates = Catalog(None).model("gpt-5.4", None, AT).rates
    assert [rates.at(tokens).input for tokens in (0, 272_000, 272_001)] == [2_500_000, 2_500_000, 5_000_000]


@pytest.mark.parametrize(
    ("usd", "multiplier", "pico"),
    [
        ("0.15", "1", 150_000),
        ("0.005", "1", 5_000),
        ("10", "1.1", 11_000_000),
        ("0.075", "1.0000001", 75_001),
    ],
)
def test_rate_is_an_integer_and_never_rounded_down(usd: str, multiplier: str, pico: int) -> None:
    assert pico_per_token(Decimal(usd), Decimal(multiplier)) == pico


def test_multiplier_holds_for_built_in_prices_and_for_the_file(catalog_of: MakeCatalog) -> None:
    catalog = catalog_of("[models.mine]\ninput = 1\noutput = 2\nmax_output_tokens = 9\n", "1.1")
    assert catalog.model("gpt-4o", None, AT).rates.base.output == 11_000_000
    assert catalog.model("mine", None, AT).rates.base.output == 2_200_000
