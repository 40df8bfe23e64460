"""What an answer says of its own cost: only the usage at its top, or else what can be counted."""

from typing import Any

import pytest

from service.operations import chat_tally
from service.operations.chat_tally import CAP_SLACK_TOKENS, ChatTally, read_chat_usage
from service.pricing.usage import Usage

ENCODING = "o200k_base"
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 10, "cache_write_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 3},
}


def _delta(text: str, choice: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": choice, "delta": {"content": text}}]}


def test_usage_is_read_whole() -> None:
    assert read_chat_usage({"usage": USAGE}) == Usage(100, 40, 5, 10, 50, 30, 3)


def test_choice_without_a_proper_index_is_counted_all_the_same() -> None:
    tally = ChatTally()
    for index in ([], "0", None):
        tally.add_chunk({"choices": [{"index": index, "delta": {"content": " word"}}]})
    assert tally.output_tokens(ENCODING) == 3


@pytest.mark.parametrize("details", [None, {}, {"cached_tokens": None}, "x", []])
def test_missing_details_are_none(details: Any) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": details}
    assert read_chat_usage({"usage": usage}) == Usage(input_tokens=1, output_tokens=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt_tokens": -1},
        {"completion_tokens": -1},
        {"prompt_tokens": None},
        {"prompt_tokens": "100"},
        {"prompt_tokens": 100.0},
        {"prompt_tokens": True},
        {"prompt_tokens": 39},
        {"prompt_tokens": 10**12},
        {"completion_tokens": 29},
        {"completion_tokens": []},
        {"prompt_tokens_details": {"cached_tokens": -1}},
        {"prompt_tokens_details": {"cached_tokens": 101}},
        {"prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 60}},
        {"prompt_tokens_details": {"audio_tokens": 101}},
        {"prompt_tokens_details": {"cached_tokens": "4"}},
        {"completion_tokens_details": {"reasoning_tokens": 51}},
        {"completion_tokens_details": {"audio_tokens": 51}},
    ],
)
def test_impossible_usage_counts_as_missing(wrong: dict[str, Any]) -> None:
    assert read_chat_usage({"usage": {**USAGE, **wrong}}) is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"usage": None},
        {"usage": []},
        {"usage": {}},
        {"usage": {"prompt_tokens": 5}},
        {"choices": [{"message": {"content": "x", "usage": USAGE}}]},
        {"choices": [{"usage": USAGE}]},
    ],
)
def test_usage_is_read_at_the_top_and_nowhere_else(body: dict[str, Any]) -> None:
    assert read_chat_usage(body) is None


def test_usage_of_an_earlier_chunk_is_not_lost_to_a_later_null() -> None:
    tally = ChatTally()
    for chunk in ({"usage": USAGE}, {"usage": None}, {"usage": {"prompt_tokens": -1}}):
        tally.add_chunk(chunk)
    assert tally.usage == read_chat_usage({"usage": USAGE})


def test_model_and_tier_are_those_the_answer_names() -> None:
    tally = ChatTally()
    tally.add_final({"model": "gpt-4o-mini-2024-07-18", "service_tier": "flex"})
    tally.add_chunk({"model": 5, "service_tier": None})
    assert (tally.model, tally.service_tier) == ("gpt-4o-mini-2024-07-18", "flex")


@pytest.mark.parametrize(
    ("chunk", "only"),
    [
        ({"choices": [], "usage": USAGE}, True),
        ({"choices": [], "usage": None}, False),
        ({"choices": []}, False),
        ({"choices": [{"index": 0, "delta": {}}], "usage": USAGE}, False),
    ],
)
def test_usage_event_is_told_from_others(chunk: dict[str, Any], only: bool) -> None:
    assert ChatTally().is_usage_only(chunk) is only


def test_visible_output_is_counted_over_all_choices() -> None:
    tally, word = ChatTally(), " word"
    message = {
        "content": word,
        "refusal": word,
        "reasoning_content": word * 2,
        "tool_calls": [{"function": {"name": word, "arguments": word}}],
        "function_call": {"name": word, "arguments": ""},
    }
    tally.add_final({"choices": [{"message": message}, {"message": {"content": "The End."}}]})
    assert tally.output_tokens(ENCODING) == 7 + 3


def test_every_piece_of_a_stream_is_a_token_at_least() -> None:
    tally = ChatTally()
    for letter in "streaming":
        tally.add_chunk(_delta(letter))
    assert tally.output_tokens(ENCODING) == 9


@pytest.mark.parametrize(
    "junk",
    [
        {},
        {"choices": None},
        {"choices": [None, 5]},
        {"choices": [{"delta": "x"}]},
        {"choices": [{"index": [], "delta": {"content": 5, "tool_calls": 5, "function_call": "x"}}]},
        {"choices": [{"delta": {"tool_calls": [5, {"function": 5}]}}]},
    ],
)
def test_chunk_of_another_shape_counts_nothing(junk: dict[str, Any]) -> None:
    tally = ChatTally()
    tally.add_chunk(junk)
    assert tally.output_tokens(ENCODING) == 0
    assert not tally.cap_passed(1, ENCODING)


# The output cap


def _cut_after(tally: ChatTally, pieces: list[str], cap: int, encoding: str | None = ENCODING) -> int | None:
    """After how many pieces the cap is found passed."""
    for number, piece in enumerate(pieces, 1):
        tally.add_chunk(_delta(piece))
        if tally.cap_passed(cap, encoding):
            return number
    return None


def test_stream_within_its_cap_is_never_cut() -> None:
    assert _cut_after(ChatTally(), [" word"] * 500, 500) is None


def test_stream_past_its_cap_and_the_slack_is_cut() -> None:
    assert _cut_after(ChatTally(), [" word"] * 500, 100) == 100 + CAP_SLACK_TOKENS + 1


def test_first_piece_alone_may_pass_the_cap() -> None:
    assert _cut_after(ChatTally(), [" word" * 500], 100) == 1


def test_cap_is_of_each_choice_and_not_of_all() -> None:
    tally = ChatTally()
    for choice in range(4):
        for _ in range(100):
            tally.add_chunk(_delta(" word", choice))
            assert not tally.cap_passed(100, ENCODING)
    for _ in range(CAP_SLACK_TOKENS):
        tally.add_chunk(_delta(" word", 2))
        assert not tally.cap_passed(100, ENCODING)
    tally.add_chunk(_delta(" word", 2))
    assert tally.cap_passed(100, ENCODING)


def test_unknown_vocabulary_is_not_cut_for_counting_otherwise() -> None:
    """A foreign tokenizer may need fewer tokens for the same text; cut is what passes twice the cap."""
    assert _cut_after(ChatTally(), [" word"] * 190, 100, None) is None
    assert _cut_after(ChatTally(), [" word"] * 300, 100, None) is not None


def test_cap_of_a_long_stream_is_not_counted_at_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    real = chat_tally.count_tokens
    monkeypatch.setattr(chat_tally, "count_tokens", lambda *args: counts.append(1) or real(*args))
    assert _cut_after(ChatTally(), [" word"] * 4_000, 4_000) is None
    assert len(counts) < 30
