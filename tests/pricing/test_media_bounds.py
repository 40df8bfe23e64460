"""The most that images and audio can count, against published tables and readings of the calculator."""

import pytest

from service.pricing.cost import is_priced
from service.pricing.drawing import ALLOWANCE_TOKENS, most_drawn_tokens, most_shown_tokens
from service.pricing.rates import ModelRates, Rates
from service.pricing.usage import Usage

# Model, size, quality, tokens: from the guide's table, and from its calculator.
DRAWN = [
    ("gpt-image-1", "1024x1024", "low", 272),
    ("gpt-image-1-mini", "1024x1024", "medium", 1_056),
    ("gpt-image-1.5", "1024x1024", "high", 4_160),
    ("gpt-image-1.5-2025-12-16", "1024x1536", "high", 6_240),
    ("chatgpt-image-latest", "auto", "auto", 6_240),
    ("gpt-image-1", None, None, 6_240),
    ("gpt-image-1", "1024x1024", "xhigh", 4_160),
    ("gpt-image-2", "1024x1024", "low", 196),
    ("gpt-image-2", "1024x1024", "medium", 1_756),
    ("gpt-image-2", "1024x1024", "high", 7_024),
    ("gpt-image-2", "1536x1024", "high", 5_488),
    ("gpt-image-2", "1024x1536", "high", 5_488),
    ("gpt-image-2", "1024x640", "high", 3_824),
    ("gpt-image-2", "3072x1024", "high", 3_952),
    ("gpt-image-2", "2560x1440", "high", 7_370),
    ("gpt-image-2", "3840x1280", "high", 5_311),
    ("gpt-image-2", "2048x2048", "high", 14_272),
    ("gpt-image-2-2026-04-21", "3840x2160", "high", 13_342),
    ("gpt-image-2.5-flare", "1024x1024", "high", 1_756),
    ("gpt-image-2.5-sunburst", "3840x2160", "medium", 865),
    ("gpt-image-2.5-sunburst", "3840x2160", "xhigh", 5_930),
    ("gpt-image-2.5-sunburst-2026-09-08", "3072x1024", "xhigh", 1_729),
    ("gpt-image-2.5-flare-2026-09-08", "3840x2160", "max", 13_342),
]


@pytest.mark.parametrize(("model", "size", "quality", "tokens"), DRAWN)
def test_an_image_is_bounded_at_what_is_published(
    model: str, size: str | None, quality: str | None, tokens: int
) -> None:
    bound = most_drawn_tokens(model, size, quality)
    assert bound is not None
    # The short side's grid is rounded up where the calculator rounds: by one of its steps at most.
    assert tokens + ALLOWANCE_TOKENS <= bound <= tokens * 107 // 100 + ALLOWANCE_TOKENS


@pytest.mark.parametrize("quality", ["low", "medium", "high", "xhigh", "max", "auto", None])
def test_automatic_size_is_no_cheaper_than_any_size(quality: str | None) -> None:
    automatic = most_drawn_tokens("gpt-image-2.5-flare", "auto", quality)
    assert automatic is not None
    for width in range(480, 3_841, 160):
        for height in range(480, 3_841, 160):
            drawn = most_drawn_tokens("gpt-image-2.5-flare", f"{width}x{height}", quality)
            assert (drawn is None) is (width * height > 8_294_400)
            assert drawn is None or drawn <= automatic


@pytest.mark.parametrize("model", ["gpt-image-3", "dall-e-3", "gpt-5-image", "gpt-image-2.6-flare", "gpt-4o"])
def test_an_unknown_family_has_no_bound(model: str) -> None:
    assert most_drawn_tokens(model, "1024x1024", "low") is None
    assert most_shown_tokens(model, high_fidelity=False) is None


def test_images_put_in_are_bounded_by_tiles_or_patches() -> None:
    assert most_shown_tokens("gpt-image-1", high_fidelity=False) == 65 + 4 * 129
    assert most_shown_tokens("gpt-image-1.5", high_fidelity=True) == 65 + 4 * 129 + 6_240
    assert most_shown_tokens("gpt-image-2.5-flare", high_fidelity=True) == 2 * 1_536


def test_a_usage_in_a_unit_without_a_rate_is_not_priced() -> None:
    by_second, by_token = ModelRates(Rates(second=1)), ModelRates(Rates(input=1, output=1))
    assert is_priced(Usage(seconds=3), by_second)
    assert not is_priced(Usage(seconds=3), by_token)
    assert is_priced(Usage(input_tokens=3, output_tokens=1), by_token)
    assert not is_priced(Usage(output_tokens=3), by_second)
    assert not is_priced(Usage(characters=3), by_token)
    assert is_priced(Usage(characters=3), ModelRates(Rates(character=1)))
