"""Usage: what one request used, in the classes that are priced."""

from dataclasses import dataclass

# More than any model can use in one request: a larger count is a broken answer, not a bill.
MOST_TOKENS = 10**9


@dataclass(frozen=True)
class Usage:
    """Tokens by class. The details are parts of the two totals: cached, cache write, audio and image
    input of `input_tokens`; reasoning, audio and image output of `output_tokens`. Models that are not
    priced by token have seconds of audio, or characters of speech."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    audio_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    seconds: int = 0
    characters: int = 0

    def is_possible(self) -> bool:
        """Whether a provider could mean this: no negative part, and no part above its whole."""
        if any(count < 0 or count > MOST_TOKENS for count in self.counts().values()):
            return False
        special = self.cached_input_tokens + self.cache_write_tokens
        return (
            special <= self.input_tokens
            and self.reasoning_tokens <= self.output_tokens
            and self.audio_input_tokens + self.image_input_tokens <= self.input_tokens
            and self.audio_output_tokens + self.image_output_tokens <= self.output_tokens
        )

    @property
    def has_tokens(self) -> bool:
        """Whether any of it is tokens; seconds and characters alone are counted exactly."""
        return self.input_tokens > 0 or self.output_tokens > 0

    def counts(self) -> dict[str, int]:
        """The classes by name, for a row and a rollup."""
        return vars(self).copy()
