"""What of a chat is counted where the provider says nothing: every text, wherever it stands."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.operations.chat import CHAT
from service.operations.chat_bound import chat_demand
from service.operations.chat_tally import ChatTally
from service.pricing.catalog import Catalog
from service.pricing.tokens import count_tokens
from tests.pricing.conftest import AT, chat_body, model

LONG = "listen to your heart " * 500


def _counted_input(**fields: Any) -> int:
    mini, unknown = model("gpt-4o-mini"), fields.pop("unknown", ())
    body = chat_body(unknown=unknown, **fields)
    return CHAT.counted(body, mini, chat_demand(body, mini), ChatTally()).input_tokens


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": LONG}},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": LONG}]},
        {"role": "tool", "tool_call_id": LONG, "content": "x"},
        {"role": "user", "content": "x", "something_new": {"deep": [LONG]}},
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {"input": LONG}}]},
    ],
    ids=["function call", "refusal part", "tool call id", "unknown field", "custom tool call"],
)
def test_text_counts_wherever_it_stands_in_a_message(message: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": "Hi"}, message]
    assert _counted_input(messages=messages) >= count_tokens(LONG, "o200k_base")


def test_text_in_a_field_nobody_knows_counts() -> None:
    assert _counted_input(novel=[LONG], unknown=("novel",)) >= count_tokens(LONG, "o200k_base")


def test_input_of_custom_tools_is_seen_as_output() -> None:
    tally = ChatTally()
    for _ in range(300):
        call = {"index": 0, "custom": {"input": "word "}}
        tally.add_chunk({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
    assert tally.output_tokens("o200k_base") >= 300
    assert tally.cap_passed(100, "o200k_base")


def test_a_chat_that_speaks_shows_less_than_it_uses() -> None:
    audio = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    assert CHAT.is_opaque(chat_body(model="gpt-audio", **audio))
    assert not CHAT.is_opaque(chat_body())


def test_usage_of_nothing_at_all_is_no_usage() -> None:
    tally = ChatTally()
    tally.add_final({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}})
    assert tally.usage is None


@pytest.mark.parametrize("given", ["max_tokens", "max_completion_tokens"])
def test_an_upstream_of_one_cap_field_gets_the_cap_in_that_one(tmp_path: Path, given: str) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models.gemma]\ninput = "1"\noutput = "1"\ncontext_window = 8192\n')
    gemma = Catalog(prices).model("gemma", None, AT)
    body = chat_body(**{"model": "gemma", given: 7})
    assert json.loads(CHAT.outgoing(body, gemma, None))["max_tokens"] == 7
    assert chat_demand(body, gemma).cap_tokens == 7


@pytest.mark.parametrize(("name", "text"), [("gpt-4", "\x08ase" * 7000), ("gpt-4o", "\text " * 7000)])
def test_control_characters_do_not_lower_the_bound(name: str, text: str) -> None:
    asked = model(name)
    body = chat_body(model=name, messages=[{"role": "user", "content": text}])
    assert chat_demand(body, asked).input_tokens >= min(count_tokens(text, asked.encoding), 8192)


def test_windows_are_those_of_the_models_and_not_rounded_down() -> None:
    assert model("gpt-4.1").context_window == 1_047_576
    assert model("gpt-4-32k").context_window == 32_768
