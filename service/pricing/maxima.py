"""The most tokens a model puts out, and whether it reasons: facts that the price data lacks.

Read from the model pages at https://developers.openai.com/api/docs/models, as of 2026-11-22. A model
that is not here falls back to its context window. Names are without their date (`-2024-08-06`).
Dated, appended, never edited: a snapshot that differs from its family has a line of its own.
"""

import re

_DATE = re.compile(r"-(20\d{2}-\d{2}-\d{2}|\d{4})$")

MAX_OUTPUT_TOKENS = {
    "gpt-3.5-turbo": 4_096,
    "gpt-3.5-turbo-16k": 4_096,
    "gpt-3.5-turbo-instruct": 4_096,
    "gpt-4": 8_192,
    "gpt-4-turbo": 4_096,
    "gpt-4-turbo-preview": 4_096,
    "gpt-4-vision-preview": 4_096,
    "gpt-4o": 16_384,
    "gpt-4o-2024-05-13": 4_096,
    "gpt-4o-mini": 16_384,
    "gpt-4o-audio-preview": 16_384,
    "gpt-4o-mini-audio-preview": 16_384,
    "chatgpt-4o-latest": 16_384,
    "gpt-4.1": 32_768,
    "gpt-4.1-mini": 32_768,
    "gpt-4.1-nano": 32_768,
    "gpt-4.5-preview": 16_384,
    "gpt-audio": 16_384,
    "gpt-audio-mini": 16_384,
    "o1": 100_000,
    "o1-mini": 65_536,
    "o1-preview": 32_768,
    "o1-pro": 100_000,
    "o3": 100_000,
    "o3-mini": 100_000,
    "o3-pro": 100_000,
    "o4-mini": 100_000,
    "codex-mini-latest": 100_000,
    "gpt-5": 128_000,
    "gpt-5-mini": 128_000,
    "gpt-5-nano": 128_000,
    "gpt-5-codex": 128_000,
    "gpt-5-pro": 272_000,
    "gpt-5-chat-latest": 16_384,
    "gpt-5.1": 128_000,
    "gpt-5.1-codex": 128_000,
    "gpt-5.1-codex-max": 128_000,
    "gpt-5.1-codex-mini": 128_000,
    "gpt-5.1-chat-latest": 16_384,
    "gpt-5.2": 128_000,
    "gpt-5.2-codex": 128_000,
    "gpt-5.2-pro": 128_000,
    "gpt-5.2-chat-latest": 16_384,
    "gpt-5.3-codex": 128_000,
    "gpt-5.3-chat-latest": 16_384,
    "gpt-5.4": 128_000,
    "gpt-5.4-mini": 128_000,
    "gpt-5.4-nano": 128_000,
    "gpt-5.4-pro": 128_000,
    "gpt-5.5": 128_000,
    "gpt-5.5-pro": 128_000,
    "gpt-5.6": 128_000,
    "gpt-5.6-sol": 128_000,
    "gpt-5.6-terra": 128_000,
    "gpt-5.6-luna": 128_000,
    "gpt-6-sol": 128_000,
    "gpt-6.1-sol": 128_000,
    "gpt-oss-20b": 131_072,
    "gpt-oss-120b": 131_072,
    "davinci-002": 16_384,
    "babbage-002": 16_384,
    "gpt-4o-transcribe": 2_000,
    "gpt-4o-transcribe-diarize": 2_000,
    "gpt-4o-mini-transcribe": 2_000,
}

# Windows that the price data lacks, or rounds down: no bound may rest on a window that is too small. From
# the same pages. Of the two base models the one number that is named is prompt and output together.
CONTEXT_WINDOWS = {
    "gpt-4.1": 1_047_576,
    "gpt-4.1-mini": 1_047_576,
    "gpt-4.1-nano": 1_047_576,
    "gpt-4-32k": 32_768,
    "gpt-5.5": 1_050_000,
    "gpt-5.5-pro": 1_050_000,
    "gpt-4o-mini-realtime-preview": 16_384,
    "gpt-4o-realtime-preview": 32_768,
    "davinci-002": 16_384,
    "babbage-002": 16_384,
}

# Of these families every reasoning token counts as output and none is shown.
_REASONING = re.compile(r"^(o\d|gpt-oss|codex-|gpt-([5-9]|\d\d)(?!-chat))")


def base_name(model: str) -> str:
    """A model's name without fine-tuning wrapper and date."""
    name = model.lower()
    if name.startswith("ft:"):
        name = name.split(":")[1]
    return _DATE.sub("", name)


def max_output_tokens(model: str) -> int | None:
    """None if the table doesn't know it."""
    return MAX_OUTPUT_TOKENS.get(model.lower()) or MAX_OUTPUT_TOKENS.get(base_name(model))


def context_window(model: str) -> int | None:
    """None if the table doesn't know it."""
    return CONTEXT_WINDOWS.get(base_name(model))


def reasons(model: str) -> bool:
    """Whether some of the output may be hidden reasoning. Unknown OpenAI models are said to."""
    return bool(_REASONING.match(base_name(model)))
