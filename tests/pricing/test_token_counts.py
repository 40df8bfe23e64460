"""Counting tokens: OpenAI's own figures, and texts that would break a lesser counter."""

import pytest

from service.pricing.tokens import count_at_most, count_tokens, counted_input_tokens, token_pieces

# The example of https://github.com/openai/openai-cookbook, "How to count tokens with tiktoken".
COOKBOOK = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate jargon into "
        "plain English.",
    },
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Things working well together will increase revenue.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities for "
        "increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]


@pytest.mark.parametrize(("encoding", "count"), [("cl100k_base", 129), ("o200k_base", 124)])
def test_chat_of_the_cookbook_has_the_count_its_api_reported(encoding: str, count: int) -> None:
    assert counted_input_tokens({"messages": COOKBOOK}, encoding) == count


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("The End.", 3), ("tiktoken is great!", 6), ("2 + 2 = 4", 7)]
)
def test_short_texts_have_their_known_counts(text: str, count: int) -> None:
    assert count_tokens(text, "o200k_base") == count


@pytest.mark.parametrize(
    "text", ["The End.", "naïve 🎈", "汉字かな교정", "\x00\x01\x7f", "a" * 500, " \n\t" * 99]
)
@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_pieces_are_the_text_and_as_many_as_the_count(text: str, encoding: str) -> None:
    pieces = token_pieces(text, encoding)
    assert b"".join(piece for _, piece in pieces) == text.encode()
    assert len(pieces) == count_tokens(text, encoding)


def test_unknown_vocabulary_counts_bytes() -> None:
    assert count_tokens("naïve", None) == 6
    assert count_at_most("naïve", None, 5) == 5
    assert count_at_most("naïve", None, None) == 6


def test_counting_stops_at_the_most_that_matters() -> None:
    assert count_at_most("word " * 1_000, "o200k_base", 10) == 10
    assert count_at_most("The End.", "o200k_base", 10) == 3
    assert count_at_most("The End.", "o200k_base", None) == 3


def test_hostile_megabyte_is_counted_in_linear_time() -> None:
    """Without spaces, a slower tokenizer needs minutes: the run's time-out is the assertion."""
    assert 100_000 < count_tokens("a" * 1_000_000, "o200k_base") < 1_000_000


def test_tools_and_formats_are_counted_too() -> None:
    plain = {"messages": [{"role": "user", "content": "Hi"}]}
    tools = [{"type": "function", "function": {"name": "weather", "description": "The weather of a place."}}]
    assert counted_input_tokens({**plain, "tools": tools}, "o200k_base") > counted_input_tokens(
        plain, "o200k_base"
    )
