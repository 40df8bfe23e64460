"""What a response says of its own cost, whole or in events.

Events carry their kind in `type`; the response itself is in the first two and in the last one, which alone
has the usage. Source: openai/types/responses/response_stream_event.py.
"""

from typing import Any

from service.operations.chat_tally import ChatTally, read_chat_usage
from service.pricing.usage import Usage

LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")
# What the model wrote, as it comes. A summary of its reasoning is not among it: that is not what is billed.
_WRITTEN = (
    "response.output_text.delta",
    "response.refusal.delta",
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.reasoning_text.delta",
)


def read_response_usage(response: dict[str, Any]) -> Usage | None:
    """The `usage` of a final response: a chat's in other words. None if missing or impossible."""
    reported = response.get("usage")
    if not isinstance(reported, dict):
        return None
    in_chat_words = {
        "prompt_tokens": reported.get("input_tokens"),
        "prompt_tokens_details": reported.get("input_tokens_details"),
        "completion_tokens": reported.get("output_tokens"),
        "completion_tokens_details": reported.get("output_tokens_details"),
    }
    return read_chat_usage({"usage": in_chat_words})


class ResponseTally(ChatTally):
    """See `Tally`. A response is one choice, whose items share its cap.

    `id` is the final response's, None before there is one; `reasoning_ids` those of the reasoning in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.id: str | None = None
        self.reasoning_ids: list[str] = []

    def add_final(self, body: dict[str, Any]) -> None:
        self._add_last(body)
        for item in _items(body):
            self._write(*_texts(item))

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        kind, response = chunk.get("type"), chunk.get("response")
        if isinstance(response, dict):
            self._add_head(response)
            if kind in LAST_EVENTS:
                self._add_last(response)
        elif kind in _WRITTEN:
            self._write(chunk.get("delta"))
        elif kind == "response.output_item.added" and isinstance(chunk.get("item"), dict):
            self._write(chunk["item"].get("name"))

    def is_usage_only(self, chunk: dict[str, Any]) -> bool:
        return False

    def is_last(self, chunk: dict[str, Any]) -> bool:
        return chunk.get("type") in LAST_EVENTS

    def _add_last(self, response: dict[str, Any]) -> None:
        self._add_head(response)
        self.usage = read_response_usage(response)
        self.id = response["id"] if isinstance(response.get("id"), str) else None
        reasoning = (item.get("id") for item in _items(response) if item.get("type") == "reasoning")
        self.reasoning_ids = [id for id in reasoning if isinstance(id, str)]

    def _write(self, *texts: Any) -> None:
        for text in texts:
            self._add_message(0, {"content": text})


def _items(response: dict[str, Any]) -> list[dict[str, Any]]:
    output = response.get("output")
    return [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []


def _texts(item: dict[str, Any]) -> list[Any]:
    """What the model wrote of an item: a message's parts, or a call's name and input."""
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    written = [part.get(name) for part in parts for name in ("text", "refusal")]
    return [*written, *(item.get(name) for name in ("name", "arguments", "input"))]
