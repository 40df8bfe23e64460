"""The most input tokens one image can be counted as, by model family and `detail`.

From https://developers.openai.com/api/docs/guides/images-vision (read 2026-11-22):
- tiles: an image is scaled into 2048 x 2048, then to 768 on its shorter side, and cut in tiles of
  512; so at most 2 x 4 tiles: base + 8 x tile. `detail: low` is the base alone.
- patches: at most 1,536 patches of 32 x 32 pixels, times a factor of the model.
A family that is not here, and `detail: original`, count as the whole context window.
"""

_TILES = {  # prefix: (base, tile)
    "gpt-4o-mini": (2_833, 5_667),
    "gpt-4o": (85, 170),
    "chatgpt-4o": (85, 170),
    "gpt-4.5": (85, 170),
    "gpt-4-turbo": (85, 170),
    "gpt-4-vision": (85, 170),
    "gpt-5-chat": (70, 140),
    "o1": (75, 150),
    "o3": (75, 150),
}
_PATCHES = {  # prefix: factor in hundredths
    "gpt-4.1-mini": 162,
    "gpt-4.1-nano": 246,
    "gpt-5-mini": 162,
    "gpt-5-nano": 246,
    "o4-mini": 172,
}
_OTHER_TILES = {"gpt-4.1": (85, 170), "gpt-5": (70, 140)}
_MOST_TILES = 8
_MOST_PATCHES = 1_536


def most_image_tokens(model: str, detail: str | None) -> int | None:
    """Upper bound for one image; None where no bound is documented."""
    name = model.lower().removeprefix("ft:")
    if detail == "original":
        return None
    for prefix, (base, tile) in _TILES.items():
        if name.startswith(prefix):
            return base if detail == "low" else base + _MOST_TILES * tile
    for prefix, factor in _PATCHES.items():
        if name.startswith(prefix):
            return -(-_MOST_PATCHES * factor // 100)
    for prefix, (base, tile) in _OTHER_TILES.items():
        # Exactly the family, plain or dated: gpt-5.4 and later count images in another way.
        if name == prefix or name.startswith(f"{prefix}-20"):
            return base if detail == "low" else base + _MOST_TILES * tile
    return None
