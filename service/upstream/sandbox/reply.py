"""What the sandbox answers to a chat: its choices, in tokens, before anybody thinks of HTTP."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from service.upstream.sandbox.knobs import Knobs
from service.upstream.sandbox.schema import example_of
from service.upstream.sandbox.tokens import Piece, split_tokens
from service.upstream.sandbox.words import default_length, seed_of, verse

# In which field each kind of tool takes its input.
TOOL_INPUT = {"function": "arguments", "custom": "input"}


@dataclass(frozen=True)
class ToolCall:
    """The head of a tool call; its input is the text of the choice."""

    id: str
    kind: str
    name: str


@dataclass(frozen=True)
class Choice:
    """One choice: `pieces` are the content, or the tool call's input where `tool` is set."""

    index: int
    pieces: list[Piece]
    reasoning_tokens: int
    finish_reason: str
    tool: ToolCall | None = None

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def tokens(self) -> int:
        return sum(piece.tokens for piece in self.pieces)


def make_choices(body: dict[str, Any], knobs: Knobs) -> list[Choice]:
    """The choices for a validated request: the same for the same messages."""
    return [_make_choice(body, knobs, index) for index in range(body.get("n") or 1)]


def _make_choice(body: dict[str, Any], knobs: Knobs, index: int) -> Choice:
    seed = seed_of(body["messages"], index)
    tool = _wanted_tool(body)
    text = _before_stop(_text(body, tool, seed, knobs), body.get("stop"))
    whole = list(split_tokens(text, body["model"]))
    cap = None if knobs.ignore_cap else _cap(body)
    reasoning = knobs.reasoning_tokens if cap is None else min(knobs.reasoning_tokens, cap)
    kept = whole if cap is None else _first(whole, cap - reasoning)
    natural = "length" if len(kept) < len(whole) else "tool_calls" if tool else "stop"
    head = ToolCall(f"call_{seed:016x}", tool["type"], tool[tool["type"]]["name"]) if tool else None
    return Choice(index, kept, reasoning, knobs.finish_reason or natural, head)


def _text(body: dict[str, Any], tool: dict[str, Any] | None, seed: int, knobs: Knobs) -> str:
    """All that it would say, uncapped."""
    few_words = verse(seed, 5).lower()
    if tool and tool["type"] == "custom":
        return few_words
    if tool:
        return json.dumps(example_of(tool["function"].get("parameters"), few_words))
    if wanted := _format(body):
        schema = (wanted.get("json_schema") or {}).get("schema")
        return json.dumps(example_of(schema, few_words) if schema else {"reply": few_words})
    length = default_length(seed) if knobs.tokens is None else knobs.tokens
    # A word is a token or more, so this many words are enough, and mostly too many.
    return "".join(piece.text for piece in _first(split_tokens(verse(seed, length), body["model"]), length))


def _format(body: dict[str, Any]) -> dict[str, Any] | None:
    """The response_format, where it asks for JSON."""
    wanted = body.get("response_format") or {}
    return wanted if wanted.get("type") in ("json_object", "json_schema") else None


def _wanted_tool(body: dict[str, Any]) -> dict[str, Any] | None:
    """The tool that must be called: the one named, or the first where any is required."""
    tools, choice = body.get("tools") or [], body.get("tool_choice")
    if choice == "required":
        return next(iter(tools), None)
    if not isinstance(choice, dict):
        return None
    kind = choice.get("type", "")
    name = choice.get(kind, {}).get("name")
    return next((tool for tool in tools if tool.get(kind, {}).get("name") == name), None)


def _before_stop(text: str, stop: Any) -> str:
    """The text up to the first stop sequence in it."""
    stops = [stop] if isinstance(stop, str) else stop or []
    return text[: min((text.find(each) for each in stops if each and each in text), default=len(text))]


def _cap(body: dict[str, Any]) -> int | None:
    caps = [body[name] for name in ("max_completion_tokens", "max_tokens") if body.get(name) is not None]
    return min(caps) if caps else None


def _first(pieces: Iterable[Piece], tokens: int) -> list[Piece]:
    """As many whole pieces as fit into `tokens`."""
    kept: list[Piece] = []
    for piece in pieces:
        tokens -= piece.tokens
        if tokens < 0:
            break
        kept.append(piece)
    return kept
