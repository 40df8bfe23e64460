"""`POST /v1/completions`: texts gone on with, whole or as events. All that `best_of` makes is billed."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gevent
from werkzeug import Response

from service.upstream.sandbox.call import Call
from service.upstream.sandbox.chat import MAX_CHOICES, MAX_TOKENS, frame, in_turn
from service.upstream.sandbox.connection import ConnectionCut, ConnectionDropped
from service.upstream.sandbox.prompts import Prompt, read_prompts
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.reply import Choice, make_choices
from service.upstream.sandbox.tokens import count_tokens, split_tokens

DEFAULT_MAX_TOKENS = 16
MAX_BEST_OF = 20


def complete(call: Call) -> Response:
    """Answer a completion request. Raises Refusal (400)."""
    _check(call.body)
    completion = TextCompletion(call)
    if not call.body.get("stream"):
        return completion.plain()
    return Response(completion.stream(), content_type="text/event-stream; charset=utf-8")


def _check(body: dict[str, Any]) -> None:
    if not isinstance(body.get("model"), str):
        raise Refusal("you must provide a model parameter")
    bounds = {"n": (1, MAX_CHOICES), "best_of": (1, MAX_BEST_OF), "max_tokens": (0, MAX_TOKENS)}
    for name, (least, most) in bounds.items():
        value = body.get(name)
        # A bool is an int to Python, and no number to OpenAI.
        if value is not None and not (type(value) is int and least <= value <= most):
            raise Refusal(f"'{name}' is not in its range.", param=name, code="invalid_value")
    shown, made = body.get("n") or 1, body.get("best_of") or body.get("n") or 1
    if made < shown or (made > shown and body.get("stream")):
        raise Refusal("'best_of' must be at least 'n', and cannot be streamed.", param="best_of")


class TextCompletion:
    """One answer: made once, billed once, told plain or as a stream."""

    def __init__(self, call: Call) -> None:
        body = call.body
        self._call = call
        self._knobs = replace(call.knobs, reasoning_tokens=0)
        prompt = body.get("prompt")
        self._prompts = read_prompts("<|endoftext|>" if prompt is None else prompt, body["model"], "prompt")
        self._shown = body.get("n") or 1
        made = max(self._shown, body.get("best_of") or 1)
        self._made = [self._complete(prompt, made) for prompt in self._prompts]
        self._head: dict[str, Any] = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": call.knobs.model or body["model"],
        }

    def plain(self) -> Response:
        usage = self._bill(sum(choice.tokens for made in self._made for choice in made))
        choices = [
            self._choice(choice, self._echo(choice) + choice.text, choice.finish_reason)
            for choice in self._visible()
        ]
        body = {**self._head, "choices": choices}
        return self._call.answer(body if self._knobs.no_usage else {**body, "usage": self._told(usage)})

    def stream(self) -> Iterator[bytes]:
        """The server-sent events. Billed before the last ones go out: clients stop reading at [DONE]."""
        written = 0
        visible = self._visible()
        try:
            for choice in visible:
                if echo := self._echo(choice):
                    yield self._event(self._choice(choice, echo))
            for number, (choice, piece) in enumerate(in_turn(visible)):
                self._before_chunk(number)
                yield self._event(self._choice(choice, piece.text))
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
        yield from self._last_events(visible, self._bill(written))

    def _complete(self, prompt: Prompt, made: int) -> list[Choice]:
        """The completions of one prompt, those that nobody gets to see included."""
        body = self._call.body
        cap = body.get("max_tokens")
        asked = {
            "model": body["model"],
            "messages": prompt.text,
            "n": made,
            "max_tokens": DEFAULT_MAX_TOKENS if cap is None else cap,
            "stop": body.get("stop"),
        }
        return make_choices(asked, self._knobs)

    def _visible(self) -> list[Choice]:
        """What is shown, numbered through: all of the first prompt's, then the second's."""
        shown = [choice for made in self._made for choice in made[: self._shown]]
        return [replace(choice, index=index) for index, choice in enumerate(shown)]

    def _echo(self, choice: Choice) -> str:
        return self._prompts[choice.index // self._shown].text if self._call.body.get("echo") else ""

    def _before_chunk(self, number: int) -> None:
        """Wait as asked; find out whether the client is still there. Raises ConnectionDropped."""
        gevent.sleep(self._knobs.token_delay_ms / 1000)
        if number == self._knobs.cut_after:
            self._call.connection.cut()
        if self._call.connection.gone():
            raise ConnectionDropped

    def _last_events(self, visible: list[Choice], usage: dict[str, Any]) -> Iterator[bytes]:
        for choice in visible:
            yield self._event(self._choice(choice, "", choice.finish_reason))
        if self._wants_usage and not self._knobs.no_usage:
            yield frame({**self._head, "choices": [], "usage": self._told(usage)})
        yield b"data: [DONE]\n\n"

    @property
    def _wants_usage(self) -> bool:
        options = self._call.body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def _event(self, choice: dict[str, Any]) -> bytes:
        chunk = {**self._head, "choices": [choice]}
        return frame({**chunk, "usage": None} if self._wants_usage else chunk)

    def _choice(self, choice: Choice, text: str, finish_reason: str | None = None) -> dict[str, Any]:
        body = self._call.body
        logprobs = None if body.get("logprobs") is None else _logprobs(text, body["model"])
        return {"text": text, "index": choice.index, "logprobs": logprobs, "finish_reason": finish_reason}

    def _bill(self, written: int, **marks: bool) -> dict[str, Any]:
        """Book the answer with so many tokens made; the true usage."""
        body = self._call.body
        suffix_tokens = count_tokens(body.get("suffix") or "", body["model"])
        prompt_tokens = sum(prompt.tokens + suffix_tokens for prompt in self._prompts)
        usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": written,
            "total_tokens": prompt_tokens + written,
        }
        tier = self._call.knobs.service_tier or "default"
        self._call.bill(self._head["id"], self._head["model"], tier, usage, **marks)
        return usage

    def _told(self, usage: dict[str, Any]) -> dict[str, Any]:
        """The usage as the client sees it: without a count of nothing, as OpenAI leaves it out."""
        if self._knobs.bad_usage:
            return {**usage, "completion_tokens": -1}
        return {name: count for name, count in usage.items() if count or name != "completion_tokens"}


def _logprobs(text: str, model: str) -> dict[str, Any]:
    """As likely as not, each."""
    tokens = [piece.text for piece in split_tokens(text, model)]
    return {"tokens": tokens, "token_logprobs": [-0.7] * len(tokens), "top_logprobs": None, "text_offset": []}
