"""What a text completion says of its own cost: as a chat's, with the text in the choice itself."""

from typing import Any

from service.operations.chat_tally import ChatTally, choices_of, read_chat_usage
from service.pricing.usage import Usage


def read_prompt_usage(body: dict[str, Any]) -> Usage | None:
    """The `usage` of an answer that leaves `completion_tokens` out when there are none."""
    reported = body.get("usage")
    if not isinstance(reported, dict):
        return None
    prompt, total = reported.get("prompt_tokens"), reported.get("total_tokens")
    if "completion_tokens" not in reported and type(prompt) is int and type(total) is int:
        reported = {**reported, "completion_tokens": total - prompt}
    return read_chat_usage({"usage": reported})


class CompletionTally(ChatTally):
    """See `Tally`. The chunks of a stream and a whole answer have one shape."""

    def add_final(self, body: dict[str, Any]) -> None:
        self._add_head(body)
        for number, choice in enumerate(choices_of(body)):
            index = choice.get("index")
            self._add_message(index if type(index) is int else number, {"content": choice.get("text")})

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        self.add_final(chunk)

    def _add_head(self, body: dict[str, Any]) -> None:
        super()._add_head(body)
        self.usage = read_prompt_usage(body) or self.usage
