"""The body of POST /v1/continuations: examples, a prompt, and the chat parameters of every round."""

from typing import Any

from service.schemas.chat import ChatParameters, model_field
from service.schemas.faults import fault, missing
from service.schemas.fields import Boolean, Integer, ListOf, Object, Refused, String
from service.schemas.shape import Shape

MAX_EXAMPLES = 256
MAX_ROUNDS = 32
MAX_PAUSE_MS = 60_000


class Example(Shape):
    user = String("What a user says.", required=True)
    assistant = String("What the assistant is to answer.", required=True)


class ContinuationSchema(ChatParameters):
    model = model_field()
    preset = String("A preset of this project that gives what this body leaves out.", min=1, max=64)
    system = String("What the assistant is.")
    examples = ListOf("The shots.", Object("A pair.", Example()), max=MAX_EXAMPLES)
    prompt = String("What is to be continued.", required=True)
    rounds = Integer("How many completions, each built on those before.", min=1, max=MAX_ROUNDS, default=1)
    follow_up = String("What the user says before each further round.")
    pause_ms = Integer("Milliseconds between rounds.", min=0, max=MAX_PAUSE_MS, default=0)
    stream = Boolean("Send the rounds as server-sent events.", default=False)
    messages = Refused("a continuation is given as system, examples and prompt")
    stream_options = Refused("a continuation's events have their own form, with the usage in them")
    store = Refused("continuations are not kept yet", harmless=(False,))
    previous_continuation_id = Refused("continuations are not kept yet")

    def check_together(self, data: dict[str, Any]) -> None:
        super().check_together(data)
        if data.get("model") is None and data.get("preset") is None:
            raise missing("model")
        if (data.get("n") or 1) > 1 and (data.get("rounds") or 1) > 1:
            raise fault("invalid_parameter_combination", "n > 1 needs rounds: 1", at="n")


CONTINUATION = ContinuationSchema()
