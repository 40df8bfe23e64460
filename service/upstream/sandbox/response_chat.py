"""A request for a response, in a chat's words: then the one counts and answers as the other does."""

from typing import Any

_PARTS = {
    "input_text": "text",
    "output_text": "text",
    "input_image": "image_url",
    "input_file": "file",
    "refusal": "refusal",
}
_TEXTS = ("name", "arguments", "input", "encrypted_content")
_KINDS = ("function", "custom")


def as_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a chat completion that asks the same."""
    chat: dict[str, Any] = {"model": body["model"], "messages": _messages(body)}
    tools = [_tool(tool) for tool in body.get("tools") or () if tool.get("type") in _KINDS]
    if tools:
        chat["tools"] = tools
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in _KINDS:
        choice = {"type": choice["type"], choice["type"]: {"name": choice.get("name")}}
    return chat | {
        "tool_choice": choice,
        "response_format": _format(body),
        "max_completion_tokens": body.get("max_output_tokens"),
    }


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input")
    items = given if isinstance(given, list) else [{"role": "user", "content": given or ""}]
    if body.get("instructions"):
        items = [{"role": "system", "content": body["instructions"]}, *items]
    return [_message(item) for item in items]


def _message(item: dict[str, Any]) -> dict[str, Any]:
    """An item; whatever is no message is one with all its texts in it."""
    if item.get("type", "message") == "message":
        return {"role": item.get("role"), "content": _content(item.get("content"))}
    texts = [str(item[name]) for name in _TEXTS if item.get(name)]
    output = _content(item.get("output"))
    parts = output if isinstance(output, list) else [{"type": "text", "text": output}] if output else []
    return {"role": "tool", "content": [*({"type": "text", "text": text} for text in texts), *parts]}


def _content(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    return [{**part, "type": _PARTS.get(part.get("type", ""), "text")} for part in content]


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in tool.items() if name != "type"}
    return {"type": tool["type"], tool["type"]: said}


def _format(body: dict[str, Any]) -> dict[str, Any] | None:
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") != "json_schema":
        return wanted or None
    return {"type": "json_schema", "json_schema": {"schema": wanted.get("schema")}}
