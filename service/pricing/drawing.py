"""The most tokens an image endpoint can use, by model, size and quality.

Output, from https://developers.openai.com/api/docs/guides/image-generation (read 2026-11-22):
- GPT Image 1, 1 mini, 1.5 and chatgpt-image-latest: the table "Models prior to gpt-image-2".
- GPT Image 2 and 2.5: the guide's token calculator; a quality has a base, and an image counts
  base * round(base * short / long) * (2,000,000 + width * height) / 4,000,000, rounded up.
- Each partial image of a stream counts 100 more.
`auto` is the dearest there is. The guide says of none of them how much text (thoughts on the composition)
comes with an image; the per-image prices it lists for 1 mini lie 200 to 400 tokens above its table, hence
the allowance.

Input, from https://developers.openai.com/api/docs/guides/images-vision (same day):
- the older models: scaled to 512 on the shorter side within 2048 x 2048, 65 + 129 a tile, so at most four
  tiles; with input_fidelity high 6,240 more.
- GPT Image 2 and 2.5 do not say; bills show patches of 32 x 32 pixels, and never more than the 1,536 of the
  patch-based vision models: https://community.openai.com/t/openai-must-document-the-input-image-pricing-of-gpt-image-2/1382940.
  Held at twice that.
"""

import re
from collections.abc import Mapping

ALLOWANCE_TOKENS = 1_024
PARTIAL_IMAGE_TOKENS = 100
_DEAREST_TABLE = {"low": 408, "medium": 1_584, "high": 6_240}
_SQUARE_TABLE = {"low": 272, "medium": 1_056, "high": 4_160}
_BASES_2 = {"low": 16, "medium": 48, "high": 96}
_BASES_2_5 = {"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96}
# The largest image there is: 3840 on the longer side and 8,294,400 pixels; a square of that counts the most.
_MOST_PIXELS = 8_294_400
_MOST_EDGE = 3_840

_OLDER = re.compile(r"gpt-image-1(-mini|\.5)?(-20\d\d-\d\d-\d\d)?|chatgpt-image-latest")
_GPT_IMAGE_2 = re.compile(r"gpt-image-2(-20\d\d-\d\d-\d\d)?")
_GPT_IMAGE_2_5 = re.compile(r"gpt-image-2\.5-(sunburst|flare)(-20\d\d-\d\d-\d\d)?")

_MOST_TILES = 4
_OLDER_INPUT_TOKENS = 65 + _MOST_TILES * 129
_HIGH_FIDELITY_TOKENS = 6_240
_PATCHED_INPUT_TOKENS = 2 * 1_536


def most_drawn_tokens(model: str, size: str | None, quality: str | None) -> int | None:
    """Upper bound of one image put out; None for a model, or a size of it, that no source bounds."""
    name = model.lower()
    if _OLDER.fullmatch(name):
        table = _SQUARE_TABLE if size == "1024x1024" else _DEAREST_TABLE
        known = size in (None, "auto", "1024x1024", "1024x1536", "1536x1024")
        return _dearest(table, quality) + ALLOWANCE_TOKENS if known else None
    bases = _bases(name)
    if bases is None:
        return None
    drawn = _calculated(_dearest(bases, quality), size)
    return None if drawn is None else drawn + ALLOWANCE_TOKENS


def most_shown_tokens(model: str, *, high_fidelity: bool) -> int | None:
    """Upper bound of one image put in; None for a model that no source bounds."""
    name = model.lower()
    if _OLDER.fullmatch(name):
        return _OLDER_INPUT_TOKENS + (_HIGH_FIDELITY_TOKENS if high_fidelity else 0)
    return _PATCHED_INPUT_TOKENS if _bases(name) else None


def _bases(name: str) -> Mapping[str, int] | None:
    if _GPT_IMAGE_2_5.fullmatch(name):
        return _BASES_2_5
    return _BASES_2 if _GPT_IMAGE_2.fullmatch(name) else None


def _dearest(by_quality: Mapping[str, int], quality: str | None) -> int:
    """That of the quality; of one that is not named, or not the model's, the most of all."""
    return by_quality.get(quality or "auto", max(by_quality.values()))


def _calculated(base: int, size: str | None) -> int | None:
    if size in (None, "auto"):
        return -(-base * base * (2_000_000 + _MOST_PIXELS) // 4_000_000)
    width, _, height = str(size).partition("x")
    long, short = max(int(width), int(height)), min(int(width), int(height))
    if long > _MOST_EDGE or long * short > _MOST_PIXELS:
        return None
    # Rounded up where the calculator rounds to the nearest: never below it.
    return -(-base * -(-base * short // long) * (2_000_000 + long * short) // 4_000_000)
