"""The most tokens of one image, by family and detail, as OpenAI's vision guide has them."""

import pytest

from service.pricing.images import most_image_tokens


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        # Tiles: base, and base + 8 tiles of 512 x 512 (768 x 2048 pixels).
        ("gpt-4o", 85, 1_445),
        ("gpt-4o-2024-08-06", 85, 1_445),
        ("chatgpt-4o-latest", 85, 1_445),
        ("gpt-4.1", 85, 1_445),
        ("gpt-4.1-2025-04-14", 85, 1_445),
        ("gpt-4.5-preview", 85, 1_445),
        ("gpt-4-turbo", 85, 1_445),
        ("gpt-4o-mini", 2_833, 48_169),
        ("gpt-4o-mini-2024-07-18", 2_833, 48_169),
        ("gpt-5", 70, 1_190),
        ("gpt-5-2025-08-07", 70, 1_190),
        ("gpt-5-chat-latest", 70, 1_190),
        ("o1", 75, 1_275),
        ("o3", 75, 1_275),
        # Patches: 1,536 of 32 x 32 pixels, times the family's factor; `low` has no figure of its own.
        ("gpt-4.1-mini", 2_489, 2_489),
        ("gpt-4.1-nano", 3_779, 3_779),
        ("gpt-5-mini", 2_489, 2_489),
        ("gpt-5-nano-2025-08-07", 3_779, 3_779),
        ("o4-mini", 2_642, 2_642),
        # Fine-tuned and shouted.
        ("ft:gpt-4o-mini-2024-07-18:acme::x", 2_833, 48_169),
        ("GPT-4o", 85, 1_445),
    ],
)
def test_image_is_bounded_by_its_family(name: str, low: int, high: int) -> None:
    assert most_image_tokens(name, "low") == low
    assert [most_image_tokens(name, detail) for detail in ("high", "auto", None)] == [high] * 3


@pytest.mark.parametrize("name", ["gpt-5.4", "gpt-5.6-sol", "gpt-6-luna", "gpt-5.1", "my-own", "gpt-4.11"])
def test_family_without_a_documented_bound_has_none(name: str) -> None:
    assert most_image_tokens(name, "low") is None


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-4.1-mini", "gpt-5"])
def test_original_size_has_no_bound(name: str) -> None:
    assert most_image_tokens(name, "original") is None
