"""The body of POST /v1/tokens: a text, or the messages of a chat, to be counted."""

from typing import Any

from service.schemas.faults import fault, missing
from service.schemas.fields import String
from service.schemas.messages import messages_field
from service.schemas.shape import Shape

# Every token of the text is listed in the answer.
MAX_CHARACTERS = 300_000


class TokensSchema(Shape):
    model = String("The model whose encoding counts.", min=1, max=256, required=True)
    input = String("A text to split into tokens.", max=MAX_CHARACTERS)
    messages = messages_field()

    def check_together(self, data: dict[str, Any]) -> None:
        given = [name for name in ("input", "messages") if data.get(name) is not None]
        if not given:
            raise missing("input")
        if len(given) > 1:
            because = "input and messages exclude each other"
            raise fault("invalid_parameter_combination", because, at="messages")


TOKENS = TokensSchema()
