"""The items of a response's output, as they are when they begin and when they are done."""

from typing import Any

from service.upstream.sandbox.reply import TOOL_INPUT, Choice

ITEM_TYPES = {"function": "function_call", "custom": "custom_tool_call"}


def output_items(response_id: str, choice: Choice, status: str) -> list[dict[str, Any]]:
    """The whole output: what was reasoned, then what was written."""
    written = "completed" if status == "completed" else "incomplete"
    before = [reasoning_item(response_id)] if choice.reasoning_tokens else []
    return [*before, written_item(response_id, choice, choice.text, written)]


def reasoning_item(response_id: str) -> dict[str, Any]:
    """Reasoning, of which nothing is shown."""
    return {"id": _id("rs", response_id), "type": "reasoning", "summary": []}


def written_item(response_id: str, choice: Choice, text: str, status: str) -> dict[str, Any]:
    """A message, or a tool's call, with this text so far."""
    tool = choice.tool
    if tool is None:
        content = [] if status == "in_progress" else [text_part(text)]
        id = _id("msg", response_id)
        return {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}
    return {
        "id": _id("fc" if tool.kind == "function" else "ctc", response_id),
        "type": ITEM_TYPES[tool.kind],
        "status": status,
        "call_id": tool.id,
        "name": tool.name,
        TOOL_INPUT[tool.kind]: text,
    }


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _id(prefix: str, response_id: str) -> str:
    """An item's id, told by its response's."""
    return f"{prefix}_{response_id.removeprefix('resp_')}"
