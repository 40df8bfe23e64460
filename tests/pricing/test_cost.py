"""What requests cost, to the nano-dollar, by OpenAI's published tables (USD per million tokens)."""

import pytest

from service.pricing.cost import cost_nano_usd
from service.pricing.rates import ModelRates, Rates
from service.pricing.usage import Usage
from tests.pricing.conftest import model


@pytest.mark.parametrize(
    ("name", "tier", "usage", "cost"),
    [
        # gpt-4o-mini: 0.15 in, 0.075 cached, 0.60 out
        ("gpt-4o-mini", "default", Usage(input_tokens=1), 150),
        ("gpt-4o-mini", "default", Usage(output_tokens=1), 600),
        ("gpt-4o-mini", "default", Usage(input_tokens=1, cached_input_tokens=1), 75),
        ("gpt-4o-mini", "default", Usage(input_tokens=1_000, output_tokens=500), 450_000),
        ("gpt-4o-mini", "default", Usage(1_000, 900, 0, 0, 500, 400), 382_500),
        # gpt-5: 1.25, 0.125, 10; flex half, priority twice
        ("gpt-5", "default", Usage(1_000, 600, 0, 0, 100), 1_575_000),
        ("gpt-5", "flex", Usage(1_000, 600, 0, 0, 100), 787_500),
        ("gpt-5", "priority", Usage(1_000, 600, 0, 0, 100), 3_150_000),
        # gpt-4o priority: 4.25, 2.125, 17
        ("gpt-4o", "priority", Usage(1_000, 500, 0, 0, 10), 3_357_500),
        # gpt-5.4: 2.50, 0.25, 15; above 272,000 input tokens 5, 0.50, 22.50 for all of them
        ("gpt-5.4", "default", Usage(input_tokens=272_000, output_tokens=1_000), 695_000_000),
        ("gpt-5.4", "default", Usage(input_tokens=272_001, output_tokens=1_000), 1_382_505_000),
        ("gpt-5.4", "default", Usage(300_000, 100_000, 0, 0, 0), 1_050_000_000),
        ("gpt-5.4", "flex", Usage(1_000, 500, 0, 0, 1_000), 8_190_000),
        ("gpt-5.4", "priority", Usage(input_tokens=300_000, output_tokens=1_000), 1_530_000_000),
        # gpt-5.6-sol: 4, 0.40 cached, 5 to write the cache, 20
        ("gpt-5.6-sol", "default", Usage(1_000, 400, 300, 0, 100), 4_860_000),
        # o1-pro: 150 and 600, without a discount for cached input
        ("o1-pro", "default", Usage(1_000, 400, 0, 0, 10), 156_000_000),
        # gpt-audio: text 2.50 and 10, audio 32 and 64
        ("gpt-audio", "default", Usage(100, 0, 0, 60, 50, 0, 30), 4_140_000),
        # gpt-4o-mini-realtime-preview: text 0.60, 0.30, 2.40; audio 10 and 20
        ("gpt-4o-mini-realtime-preview", "default", Usage(100, 20, 0, 30, 10, 0, 5), 448_000),
        ("text-embedding-3-small", "default", Usage(input_tokens=3), 60),
        # whisper-1: 0.006 a minute; tts-1: 15 per million characters
        ("whisper-1", "default", Usage(seconds=60), 6_000_000),
        ("tts-1", "default", Usage(characters=1_000), 15_000_000),
    ],
)
def test_cost_is_the_list_price(name: str, tier: str, usage: Usage, cost: int) -> None:
    assert cost_nano_usd(usage, model(name, tier).rates) == cost


@pytest.mark.parametrize(
    ("cached", "outputs", "cost"),
    [(1, 0, 63), (2, 0, 125), (3, 0, 188), (1, 1, 5_063)],  # gpt-5 flex: 62.5 nano a cached token
)
def test_cost_is_rounded_up_once_over_everything(cached: int, outputs: int, cost: int) -> None:
    usage = Usage(input_tokens=cached, cached_input_tokens=cached, output_tokens=outputs)
    assert cost_nano_usd(usage, model("gpt-5", "flex").rates) == cost


def test_smallest_call_is_not_free() -> None:
    """One embedded token of a tenth of a nano-dollar is still a nano-dollar."""
    assert cost_nano_usd(Usage(input_tokens=1), ModelRates(Rates(input=100))) == 1
    assert cost_nano_usd(Usage(), ModelRates(Rates(input=100))) == 0


RATES = Rates(
    input=1, cached_input=10, cache_write=100, audio_input=1_000, image_input=10_000, output=100_000,
    audio_output=1_000_000, image_output=10_000_000,
)  # fmt: skip


@pytest.mark.parametrize(
    ("usage", "pico_usd"),
    [
        (Usage(input_tokens=9_000), 9_000),
        (Usage(9_000, 2_000, 3_000), 4_000 + 20_000 + 300_000),
        (Usage(9_000, audio_input_tokens=2_000, image_input_tokens=3_000), 4_000 + 2_000_000 + 30_000_000),
        # What is both cached and audio is priced as audio, and only once.
        (Usage(9_000, 8_000, 0, 3_000), 60_000 + 3_000_000),
        (Usage(9_000, 9_000, 0, 9_000), 9_000_000),
        (Usage(9_000, 1_000, 8_000, 3_000), 600_000 + 3_000_000),
        (Usage(output_tokens=9_000, reasoning_tokens=8_000), 900_000_000),
        (
            Usage(output_tokens=9_000, audio_output_tokens=1_000, image_output_tokens=2_000),
            600_000_000 + 1_000_000_000 + 20_000_000_000,
        ),
    ],
)
def test_every_token_is_priced_in_exactly_one_class(usage: Usage, pico_usd: int) -> None:
    assert usage.is_possible()
    assert cost_nano_usd(usage, ModelRates(RATES)) == pico_usd // 1_000


@pytest.mark.parametrize(
    "impossible",
    [
        Usage(input_tokens=-1),
        Usage(output_tokens=-1),
        Usage(1, 2),
        Usage(5, 3, 3),
        Usage(5, audio_input_tokens=6),
        Usage(5, audio_input_tokens=3, image_input_tokens=3),
        Usage(output_tokens=5, reasoning_tokens=6),
        Usage(output_tokens=5, audio_output_tokens=6),
        Usage(input_tokens=10**9 + 1),
    ],
)
def test_part_above_its_whole_is_impossible(impossible: Usage) -> None:
    assert not impossible.is_possible()
