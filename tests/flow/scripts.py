"""What upstreams say: scripts for the raw upstream, and the bodies and events in them."""

import json
from typing import Any

from tests.flow.raw_upstream import Script, Wire

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
# gpt-4o-mini: $0.15 and $0.60 per million tokens.
INPUT_NANO, OUTPUT_NANO = 150, 600
USAGE_NANO = 10 * INPUT_NANO + 5 * OUTPUT_NANO
# What HELLO counts as: 3 a message, 1 the role, 3 the text, 3 for the reply.
HELLO_TOKENS = 10


def answer(body: bytes | dict[str, Any], status: int = 200, **headers: str) -> Script:
    """A whole answer; as JSON unless the headers say otherwise."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content_type": "application/json", **headers}

    def play(wire: Wire) -> None:
        wire.head(status, content_length=str(len(raw)), **headers)
        wire.send(raw)

    return play


def stream(*pieces: bytes, **headers: str) -> Script:
    """Server-sent events, each piece in an HTTP chunk of its own, to a clean end."""

    def play(wire: Wire) -> None:
        wire.stream_head(**headers)
        for piece in pieces:
            wire.chunk(piece)
        wire.end()

    return play


def hang(wire: Wire) -> None:
    """Read the request, and no more is heard."""
    wire.wait_for_hang_up()


def reset(wire: Wire) -> None:
    wire.reset()


def completion(content: str | None = "I get a notion", **over: Any) -> dict[str, Any]:
    """A chat completion; `message` adds to the message, `finish_reason` and all else replaces."""
    message = {"role": "assistant", "content": content, **over.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": over.pop("finish_reason", "stop")}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-mini",
        "choices": [choice],
        "usage": USAGE,
        **over,
    }


def without_usage(**over: Any) -> dict[str, Any]:
    whole = completion(**over)
    del whole["usage"]
    return whole


def event(fields: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def delta(text: str | None = None, *, finish_reason: str | None = None, **over: Any) -> bytes:
    """One chunk of a streamed completion."""
    content = {} if text is None else {"content": text}
    choice = {
        "index": over.pop("index", 0),
        "delta": content | over.pop("delta", {}),
        "finish_reason": finish_reason,
    }
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o-mini"}
    return event({**chunk, "choices": [choice], "usage": None, **over})


def usage_event(**usage: Any) -> bytes:
    """The event that comes because usage was asked for."""
    return event({"model": "gpt-4o-mini", "choices": [], "usage": USAGE | usage})


def refusal(message: str = "Bad thing.", **over: Any) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    return {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **over}
    }
