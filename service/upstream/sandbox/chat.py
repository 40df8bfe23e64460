"""`POST /v1/chat/completions`: a reply in OpenAI's words, whole or as events."""

import json
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import gevent
from werkzeug import Response

from service.upstream.sandbox.call import Call
from service.upstream.sandbox.connection import ConnectionCut, ConnectionDropped
from service.upstream.sandbox.knobs import Knobs
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.reply import TOOL_INPUT, Choice, ToolCall, make_choices
from service.upstream.sandbox.tokens import Piece, PromptTokens, count_chat_prompt

FINGERPRINT = "fp_sandbox"
MAX_CHOICES = 128
MAX_TOKENS = 2**31 - 1


def complete(call: Call) -> Response:
    """Answer a chat completion request. Raises Refusal (400)."""
    _check(call.body)
    completion = Completion(call)
    if not call.body.get("stream"):
        return completion.plain()
    return Response(completion.stream(), content_type="text/event-stream; charset=utf-8")


def _check(body: dict[str, Any]) -> None:
    if not isinstance(body.get("model"), str):
        raise Refusal("you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal("'messages' must be a list of messages.", param="messages", code="invalid_type")
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Refusal(
                f"'messages[{at}]' must be an object with a role.",
                param=f"messages[{at}].role",
                code="missing_required_parameter",
            )
    for name in ("n", "max_tokens", "max_completion_tokens"):
        value, most = body.get(name), MAX_CHOICES if name == "n" else MAX_TOKENS
        # A bool is an int to Python, and no number to OpenAI.
        if value is not None and not (type(value) is int and 1 <= value <= most):
            raise Refusal(f"'{name}' is not in its range.", param=name, code="invalid_value")


@dataclass(frozen=True)
class Head:
    """The fields that the answer and each of its events begin with."""

    id: str
    created: int
    model: str
    service_tier: str

    def begin(self, object: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "service_tier": self.service_tier,
            "system_fingerprint": FINGERPRINT,
        }


class Completion:
    """One answer: made once, billed once, told plain or as a stream."""

    def __init__(self, call: Call) -> None:
        asked_tier = call.body.get("service_tier")
        tier = asked_tier if isinstance(asked_tier, str) and asked_tier != "auto" else "default"
        self._call = call
        self._knobs = call.knobs
        self._prompt = count_chat_prompt(call.body)
        self._choices = make_choices(call.body, call.knobs)
        self._head = Head(
            id=f"chatcmpl-{uuid.uuid4().hex}",
            created=int(time.time()),
            model=call.knobs.model or call.body["model"],
            service_tier=call.knobs.service_tier or tier,
        )

    def plain(self) -> Response:
        usage = self._bill(sum(choice.tokens for choice in self._choices))
        body = self._head.begin("chat.completion")
        body["choices"] = [_plain_choice(choice) for choice in self._choices]
        if not self._knobs.no_usage:
            body["usage"] = self._shown(usage)
        return self._call.answer(body)

    def stream(self) -> Iterator[bytes]:
        """The server-sent events. Billed before the last ones go out: clients stop reading at [DONE]."""
        written = 0
        try:
            for choice in self._choices:
                yield self._event(choice.index, _first_delta(choice))
            for number, (choice, piece) in enumerate(in_turn(self._choices)):
                self._before_chunk(number)
                yield self._event(choice.index, _delta(choice, piece))
                written += piece.tokens
            if self._knobs.cut_after is not None:
                self._call.connection.cut()
        except ConnectionCut:
            self._bill(written, cut=True)
            raise
        except (ConnectionDropped, GeneratorExit):
            # The server closes this generator when it cannot write to the client any more.
            self._bill(written, hung_up=True)
            raise
        usage = self._bill(written)
        yield from self._last_events(usage)

    def _before_chunk(self, number: int) -> None:
        """Wait as asked; find out whether the client is still there. Raises ConnectionDropped."""
        gevent.sleep(self._knobs.token_delay_ms / 1000)
        if number == self._knobs.cut_after:
            self._call.connection.cut()
        if self._call.connection.gone():
            raise ConnectionDropped

    def _last_events(self, usage: dict[str, Any]) -> Iterator[bytes]:
        for choice in self._choices:
            yield self._event(choice.index, {}, choice.finish_reason)
        if self._wants_usage and not self._knobs.no_usage:
            chunk = self._head.begin("chat.completion.chunk")
            yield frame({**chunk, "choices": [], "usage": self._shown(usage)})
        yield b"data: [DONE]\n\n"

    @property
    def _wants_usage(self) -> bool:
        options = self._call.body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def _event(self, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        chunk = self._head.begin("chat.completion.chunk")
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk["choices"] = [choice]
        if self._wants_usage:
            chunk["usage"] = None
        return frame(chunk)

    def _bill(self, visible_tokens: int, **marks: bool) -> dict[str, Any]:
        """Book the answer with so many tokens written; the true usage."""
        reasoning = sum(choice.reasoning_tokens for choice in self._choices)
        usage = _usage(self._prompt, visible_tokens, reasoning, self._knobs)
        self._call.bill(self._head.id, self._head.model, self._head.service_tier, usage, **marks)
        return usage

    def _shown(self, usage: dict[str, Any]) -> dict[str, Any]:
        """The usage as the client sees it."""
        return {**usage, "completion_tokens": -1} if self._knobs.bad_usage else usage


def _usage(prompt: PromptTokens, visible: int, reasoning: int, knobs: Knobs) -> dict[str, Any]:
    """OpenAI's usage object. Cached and written tokens are parts of the prompt's text, so never more."""
    cached = min(knobs.cached_tokens, prompt.total - prompt.audio)
    prompt_details = {"cached_tokens": cached, "audio_tokens": prompt.audio}
    if knobs.cache_write_tokens is not None:
        written = min(knobs.cache_write_tokens, prompt.total - prompt.audio - cached)
        prompt_details["cache_write_tokens"] = written
    return {
        "prompt_tokens": prompt.total,
        "completion_tokens": visible + reasoning,
        "total_tokens": prompt.total + visible + reasoning,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _plain_choice(choice: Choice) -> dict[str, Any]:
    content = None if choice.tool else choice.text
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    if choice.tool:
        message["tool_calls"] = [_tool_call(choice.tool, choice.text)]
    return {
        "index": choice.index,
        "message": message,
        "logprobs": None,
        "finish_reason": choice.finish_reason,
    }


def _first_delta(choice: Choice) -> dict[str, Any]:
    if choice.tool is None:
        return {"role": "assistant", "content": "", "refusal": None}
    call = {"index": 0, **_tool_call(choice.tool, "")}
    return {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}


def _delta(choice: Choice, piece: Piece) -> dict[str, Any]:
    if choice.tool is None:
        return {"content": piece.text}
    kind = choice.tool.kind
    return {"tool_calls": [{"index": 0, kind: {TOOL_INPUT[kind]: piece.text}}]}


def _tool_call(tool: ToolCall, text: str) -> dict[str, Any]:
    return {"id": tool.id, "type": tool.kind, tool.kind: {"name": tool.name, TOOL_INPUT[tool.kind]: text}}


def in_turn(choices: Iterable[Choice]) -> Iterator[tuple[Choice, Piece]]:
    """The pieces of all choices, one of each in turn, as a model that writes them side by side."""
    columns = [[(choice, piece) for piece in choice.pieces] for choice in choices]
    return (entry for row in zip_longest(*columns) for entry in row if entry is not None)


def frame(chunk: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
