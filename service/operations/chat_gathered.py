"""A streamed chat completion put together again, whatever shape its chunks are in."""

from typing import Any


class Gathered:
    """Add chunks, take the completion. A whole completion counts as one chunk."""

    def __init__(self) -> None:
        self.error = False
        self._choices: dict[int, _Choice] = {}
        self._usage: dict[str, Any] | None = None

    def add(self, chunk: dict[str, Any]) -> list[tuple[int, str]]:
        """Take in a chunk; gives the texts it adds, each with the number of its choice."""
        self.error = self.error or bool(chunk.get("error"))
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        added = []
        for choice in objects(chunk.get("choices")):
            number = choice["index"] if type(choice.get("index")) is int else 0
            if text := self._choices.setdefault(number, _Choice()).add(choice):
                added.append((number, text))
        return added

    def completion(self) -> dict[str, Any]:
        """The completion in the shape of one that was not streamed, as far as it is known."""
        choices = [self._choices[number].whole() for number in sorted(self._choices)]
        return {"choices": choices, "usage": self._usage}


class _Choice:
    """One of the choices: its message so far, and why it ended."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish_reason: Any = None

    def add(self, choice: dict[str, Any]) -> str:
        """Take in a delta; gives the content it adds."""
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        delta = choice.get("delta") or choice.get("message")
        if not isinstance(delta, dict):
            return ""
        for name in ("content", "refusal"):
            if isinstance(delta.get(name), str):
                self._texts[name] = self._texts.get(name, "") + delta[name]
        for position, call in enumerate(objects(delta.get("tool_calls"))):
            self._add_call(call.get("index", position), call)
        content = delta.get("content")
        return content if isinstance(content, str) else ""

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None, **self._texts}
        if self._calls:
            message["tool_calls"] = [self._calls[number] for number in sorted(self._calls)]
        return {"message": message, "finish_reason": self._finish_reason}

    def _add_call(self, number: Any, call: dict[str, Any]) -> None:
        number = number if type(number) is int else 0
        kind = "custom" if isinstance(call.get("custom"), dict) else "function"
        found = self._calls.setdefault(number, {"id": None, "type": kind, kind: {}})
        found["id"] = call.get("id") or found["id"]
        body, texts = call.get(kind), found.setdefault(kind, {})
        for name, part in body.items() if isinstance(body, dict) else ():
            if isinstance(part, str):
                texts[name] = texts.get(name, "") + part


def objects(value: Any) -> list[dict[str, Any]]:
    """Those members of what should be a list of objects that are some."""
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []
