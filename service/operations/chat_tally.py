"""What a chat completion says of its own cost: the usage object, or else the text to be counted."""

from collections import defaultdict
from typing import Any

from service.pricing.tokens import COUNTING_ENCODING, count_tokens
from service.pricing.usage import Usage

# A stream is cut only when it is past its cap by more than counting can be off.
CAP_SLACK_TOKENS = 16


def read_chat_usage(body: dict[str, Any]) -> Usage | None:
    """The `usage` at the top of a final object, and nowhere else. None if missing or impossible."""
    reported = body.get("usage")
    if not isinstance(reported, dict):
        return None
    inputs, outputs = reported.get("prompt_tokens_details"), reported.get("completion_tokens_details")
    try:
        usage = Usage(
            input_tokens=_count(reported["prompt_tokens"]),
            cached_input_tokens=_detail(inputs, "cached_tokens"),
            cache_write_tokens=_detail(inputs, "cache_write_tokens"),
            audio_input_tokens=_detail(inputs, "audio_tokens"),
            output_tokens=_count(reported["completion_tokens"]),
            reasoning_tokens=_detail(outputs, "reasoning_tokens"),
            audio_output_tokens=_detail(outputs, "audio_tokens"),
        )
    except (KeyError, TypeError):
        return None
    # A usage of nothing at all is none: something was asked.
    return usage if usage.is_possible() and (usage.input_tokens or usage.output_tokens) else None


def _detail(details: Any, name: str) -> int:
    value = details.get(name) if isinstance(details, dict) else None
    return 0 if value is None else _count(value)


def _count(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a token count is an integer")
    return value


class ChatTally:
    """See `Tally`. Of a stream it keeps the text, by choice, so that it can be counted."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.service_tier: str | None = None
        self._texts: dict[int, list[str]] = defaultdict(list)
        self._pieces: dict[int, int] = defaultdict(int)
        self._bytes = 0
        self._counted_until_bytes = 0

    def add_final(self, body: dict[str, Any]) -> None:
        self._add_head(body)
        for number, choice in enumerate(choices_of(body)):
            self._add_message(number, choice.get("message"))

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        self._add_head(chunk)
        for choice in choices_of(chunk):
            index = choice.get("index")
            self._add_message(index if isinstance(index, int) else 0, choice.get("delta"))

    def is_usage_only(self, chunk: dict[str, Any]) -> bool:
        return chunk.get("choices") == [] and isinstance(chunk.get("usage"), dict)

    def is_last(self, chunk: dict[str, Any]) -> bool:
        return False

    def output_tokens(self, encoding: str | None) -> int:
        return sum(self.tokens_by_choice(encoding).values())

    def tokens_by_choice(self, encoding: str | None) -> dict[int, int]:
        """As `output_tokens`, by the number of the choice."""
        # A piece of a stream holds a token or more, however short its text.
        return {
            choice: max(count_tokens("".join(texts), encoding or COUNTING_ENCODING), self._pieces[choice])
            for choice, texts in self._texts.items()
        }

    def cap_passed(self, cap_tokens: int, encoding: str | None) -> bool:
        # Another vocabulary may need far fewer tokens for the same text than the one that counts here.
        most = cap_tokens + (CAP_SLACK_TOKENS if encoding else cap_tokens)
        # A token is a byte or more, so it cannot be passed before that many have come.
        if self._bytes <= max(most, self._counted_until_bytes):
            return False
        seen = max(count_tokens("".join(t), encoding or COUNTING_ENCODING) for t in self._texts.values())
        self._counted_until_bytes = self._bytes + most - seen
        return seen > most

    def _add_head(self, body: dict[str, Any]) -> None:
        if isinstance(body.get("model"), str):
            self.model = body["model"]
        if isinstance(body.get("service_tier"), str):
            self.service_tier = body["service_tier"]
        self.usage = read_chat_usage(body) or self.usage

    def _add_message(self, choice: int, message: Any) -> None:
        if not isinstance(message, dict):
            return
        for text in _visible(message):
            self._texts[choice].append(text)
            self._pieces[choice] += 1
            self._bytes += len(text.encode("utf-8", "replace"))


def choices_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices of an answer or a chunk, those that are objects."""
    choices = body.get("choices")
    return [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []


def _visible(message: dict[str, Any]) -> list[str]:
    """The texts of a message or a delta that are output tokens."""
    texts = [message.get("content"), message.get("refusal"), message.get("reasoning_content")]
    tools = message.get("tool_calls")
    calls = [call for call in tools if isinstance(call, dict)] if isinstance(tools, list) else []
    bodies = [call.get(kind) for call in calls for kind in ("function", "custom")]
    for body in [*bodies, message.get("function_call")]:
        if isinstance(body, dict):
            texts += [body.get("name"), body.get("arguments"), body.get("input")]
    return [text for text in texts if isinstance(text, str) and text]
