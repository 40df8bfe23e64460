"""`/v1/responses`: a reply in OpenAI's words, whole or as events; kept, to be read, deleted and continued."""

import time
import uuid
from typing import Any

from werkzeug import Response

from service.upstream.sandbox.call import Call
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.reply import Choice, make_choices
from service.upstream.sandbox.response_chat import as_chat
from service.upstream.sandbox.response_events import ResponseStream
from service.upstream.sandbox.response_output import output_items
from service.upstream.sandbox.tokens import count_chat_prompt

LEAST_OUTPUT_TOKENS = 16
MOST_OUTPUT_TOKENS = 2**31 - 1
# The oldest is forgotten for the next.
MOST_KEPT = 10_000

# finish_reason: (why a response is incomplete, its status); of any other it is completed.
ENDINGS: dict[str, tuple[str | None, str]] = {
    "length": ("max_output_tokens", "incomplete"),
    "content_filter": ("content_filter", "incomplete"),
    "failed": (None, "failed"),
}

# What a response says again of its request, and what it says where the request says nothing.
ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def create(call: Call) -> Response:
    """Answer a request for a response. Raises Refusal (400)."""
    _check(call.body)
    cap = call.body.get("max_output_tokens")
    if cap is not None and not (type(cap) is int and LEAST_OUTPUT_TOKENS <= cap <= MOST_OUTPUT_TOKENS):
        raise Refusal(
            f"Invalid 'max_output_tokens': integer below minimum value or too large: {cap}.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )
    answer = Answer(call)
    if call.body.get("stream"):
        events = ResponseStream(call.connection, call.knobs, answer)
        return Response(events.play(), content_type="text/event-stream; charset=utf-8")
    return call.answer(answer.finish(answer.choice.tokens))


def count_input(call: Call) -> Response:
    """Count what creating a response would be billed as input. Raises Refusal (400)."""
    _check({"model": "gpt-4o", **call.body})
    tokens = _input_tokens(call, {"model": "gpt-4o", **call.body})
    return call.answer({"object": "response.input_tokens", "input_tokens": tokens})


def show(call: Call, id: str) -> Response:
    """A response that was kept. Raises Refusal (404)."""
    return call.answer(_kept(call, id))


def delete(call: Call, id: str) -> Response:
    """Forget a response. Raises Refusal (404)."""
    _kept(call, id)
    del call.state.responses[id]
    return call.answer({"id": id, "object": "response", "deleted": True})


def _kept(call: Call, id: str, param: str | None = None, status: int = 404) -> dict[str, Any]:
    found: dict[str, Any] | None = call.state.responses.get(id)
    if found is None:
        raise Refusal(f"Response with id '{id}' not found.", status=status, param=param)
    return found


def _check(body: dict[str, Any]) -> None:
    if not isinstance(body.get("model"), str):
        raise _missing("model")
    given = body.get("input")
    if given is None and body.get("previous_response_id") is None:
        raise _missing("input")
    items = given if isinstance(given, list) else []
    if not isinstance(given, str | list | None) or not all(isinstance(item, dict) for item in items):
        raise Refusal("'input' must be a string or a list of items.", param="input", code="invalid_type")


def _missing(name: str) -> Refusal:
    message = f"Missing required parameter: '{name}'."
    return Refusal(message, param=name, code="missing_required_parameter")


def _input_tokens(call: Call, body: dict[str, Any]) -> int:
    """What the body counts, and all that the response before counted."""
    before = body.get("previous_response_id")
    tokens = count_chat_prompt(as_chat(body)).total
    if before is not None:
        kept = _kept(call, before, "previous_response_id", status=400)
        tokens += kept["usage"]["total_tokens"]
    return tokens


class Answer:
    """One response: made once, and billed and kept once, when it is finished."""

    def __init__(self, call: Call) -> None:
        body = call.body
        asked_tier = body.get("service_tier")
        self.call = call
        self.choice: Choice = make_choices(as_chat(body), call.knobs)[0]
        self.id = f"resp_{uuid.uuid4().hex}"
        self._input_tokens = _input_tokens(call, body)
        self._created_at = int(time.time())
        self._model = call.knobs.model or body["model"]
        tier = asked_tier if isinstance(asked_tier, str) and asked_tier != "auto" else "default"
        self._tier = call.knobs.service_tier or tier

    def begun(self) -> dict[str, Any]:
        """The response while it is being written."""
        return self._object("in_progress", [], None)

    def finish(self, visible_tokens: int) -> dict[str, Any]:
        """The whole response, billed, and kept if it is to be. What the client sees of it."""
        usage = self.bill(visible_tokens)
        reason, status = ENDINGS.get(self.choice.finish_reason, (None, "completed"))
        whole = self._object(status, output_items(self.id, self.choice, status), usage)
        whole["incomplete_details"] = {"reason": reason} if reason else None
        if status == "failed":
            whole["error"] = {"code": "server_error", "message": "The sandbox was asked to fail."}
        if self.call.body.get("store") is not False:
            self._keep(whole)
        return whole | {"usage": self._shown(usage)}

    def bill(self, visible_tokens: int, **marks: bool) -> dict[str, Any]:
        """Book the response with so many tokens written; the true usage."""
        knobs = self.call.knobs
        cached = min(knobs.cached_tokens, self._input_tokens)
        written = min(knobs.cache_write_tokens or 0, self._input_tokens - cached)
        output = visible_tokens + self.choice.reasoning_tokens
        in_chat_words = {
            "prompt_tokens": self._input_tokens,
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "completion_tokens": output,
        }
        self.call.bill(self.id, self._model, self._tier, in_chat_words, **marks)
        return {
            "input_tokens": self._input_tokens,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": self.choice.reasoning_tokens},
            "total_tokens": self._input_tokens + output,
        }

    def _shown(self, usage: dict[str, Any]) -> dict[str, Any] | None:
        if self.call.knobs.no_usage:
            return None
        return {**usage, "output_tokens": -1} if self.call.knobs.bad_usage else usage

    def _keep(self, whole: dict[str, Any]) -> None:
        kept = self.call.state.responses
        kept[self.id] = whole
        while len(kept) > MOST_KEPT:
            kept.popitem(last=False)

    def _object(
        self, status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None
    ) -> dict[str, Any]:
        body = self.call.body
        said = {name: body[name] for name in ECHOED if body.get(name) is not None}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created_at,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": self._model,
            "output": output,
            "service_tier": self._tier,
            **ECHOED,
            **said,
            "usage": usage,
        }
