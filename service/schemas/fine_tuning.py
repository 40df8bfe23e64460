"""OpenAI's chat fine-tuning format, read as examples: JSONL, one `{"messages": [...]}` a line.

Source: https://developers.openai.com/api/docs/guides/supervised-fine-tuning (formatting your data). Every
assistant message that follows a user's makes a pair, in order. Lines may begin with a system (or developer)
message, the same one in all: it becomes the system message. What is no text (tool calls, images) cannot be
an example. Every error names its line.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from service.errors import InvalidRequest
from service.schemas.continuation import MAX_EXAMPLES
from service.schemas.json_body import read_json

_SYSTEM = ("system", "developer")


def read_examples(text: str) -> tuple[str | None, list[dict[str, str]]]:
    """The system message, if there is one, and the pairs. Raises InvalidRequest (param `examples`)."""
    system: str | None = None
    pairs: list[dict[str, str]] = []
    # Not splitlines(): a JSON string may hold other line ends as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        own, found = _read_line(number, line)
        if system is not None and own not in (None, system):
            raise _wrong(number, "its system message is another than that of the lines before")
        system = system if own is None else own
        pairs += found
        if len(pairs) > MAX_EXAMPLES:
            raise _wrong(number, f"expected at most {MAX_EXAMPLES} pairs in all")
    if not pairs:
        raise _wrong(1, "no pair of a user's and an assistant's message was found")
    return system, pairs


def _read_line(number: int, line: str) -> tuple[str | None, list[dict[str, str]]]:
    try:
        messages = read_json(line.encode("utf-8", "surrogatepass")).get("messages")
    except InvalidRequest as error:
        raise _wrong(number, error.message) from None
    if not isinstance(messages, list) or not messages:
        raise _wrong(number, "expected an object with 'messages', an array")
    said = [_said(number, message) for message in messages]
    system = said.pop(0)[1] if said[0][0] in _SYSTEM else None
    pairs = list(_pairs(said))
    if not pairs:
        raise _wrong(number, "no pair of a user's and an assistant's message was found")
    return system, pairs


def _said(number: int, message: Any) -> tuple[str, str]:
    """A message's role and text."""
    fields = message if isinstance(message, dict) else {}
    role, content = fields.get("role"), fields.get("content")
    if role not in (*_SYSTEM, "user", "assistant"):
        raise _wrong(number, "expected messages with the role system, developer, user or assistant")
    if not isinstance(content, str):
        raise _wrong(number, "expected messages whose content is a string")
    return role, content


def _pairs(said: list[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """Each user's message with the answer to it."""
    for (role, text), (next_role, answer) in pairwise(said):
        if role == "user" and next_role == "assistant":
            yield {"user": text, "assistant": answer}


def _wrong(number: int, why: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for 'examples': line {number}: {why}.", param="examples")
