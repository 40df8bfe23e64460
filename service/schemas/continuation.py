"""The bodies of POST /v1/continuations and PUT /v1/presets/{name}: a system message, examples, the parameters
of every round, and (of a continuation) the prompt.
"""

from typing import Any

from service.schemas.chat import ChatParameters, model_field
from service.schemas.faults import fault, missing
from service.schemas.fields import Boolean, Integer, ListOf, Object, OneOf, Refused, String
from service.schemas.shape import Shape

MAX_EXAMPLES = 256
MAX_ROUNDS = 32
MAX_PAUSE_MS = 60_000
PRESET_NAME = (r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits and inner . _ -")
MAX_PRESET_NAME = 64


class Example(Shape):
    user = String("What a user says.", required=True)
    assistant = String("What the assistant is to answer.", required=True)


class RoundParameters(ChatParameters):
    """What may be said of every round, in a continuation as in a preset."""

    rounds = Integer("How many completions, each built on those before.", min=1, max=MAX_ROUNDS, default=1)
    follow_up = String("What the user says before each further round.")
    pause_ms = Integer("Milliseconds between rounds.", min=0, max=MAX_PAUSE_MS, default=0)
    messages = Refused("a continuation is given as system, examples and prompt")
    stream_options = Refused("a continuation's events have their own form, with the usage in them")

    def check_together(self, data: dict[str, Any]) -> None:
        super().check_together(data)
        if (data.get("n") or 1) > 1 and (data.get("rounds") or 1) > 1:
            raise fault("invalid_parameter_combination", "n > 1 needs rounds: 1", at="n")


class Shots(RoundParameters):
    model = model_field()
    system = String("What the assistant is.")
    examples = OneOf(
        "The shots: pairs, or the text of a file of OpenAI's chat fine-tuning format (JSONL).",
        ListOf("Pairs.", Object("A pair.", Example()), max=MAX_EXAMPLES),
        String('One `{"messages": [...]}` a line.', min=1),
    )


class ContinuationSchema(Shots):
    preset = String("A preset of this project that gives what this body leaves out.", min=1, max=64)
    prompt = String("What is to be continued.", required=True)
    stream = Boolean("Send the rounds as server-sent events.", default=False)
    store = Boolean("Keep the transcript, to be continued later.", default=False)
    previous_continuation_id = String(
        "A continuation of this project that was kept; this one goes on where it ended.", min=1, max=64
    )

    def check_together(self, data: dict[str, Any]) -> None:
        super().check_together(data)
        previous = data.get("previous_continuation_id") is not None
        if data.get("model") is None and data.get("preset") is None and not previous:
            raise missing("model")
        for name in ("system", "examples"):
            if previous and data.get(name) is not None:
                because = "the previous continuation begins with its own"
                raise fault("invalid_parameter_combination", because, at=name)


class PresetSchema(Shots):
    """The parameters may stand by themselves, or together under `parameters`."""

    parameters = Object("Parameters of every round.", RoundParameters())
    prompt = Refused("the prompt comes with each continuation")
    preset = Refused("presets are not built on each other")
    stream = Refused("that is said with each continuation")
    store = Refused("that is said with each continuation")
    previous_continuation_id = Refused("that is said with each continuation")

    def check_together(self, data: dict[str, Any]) -> None:
        parameters = data.get("parameters") or {}
        super().check_together(data | parameters)
        for name in parameters:
            if data.get(name) is not None:
                raise fault("invalid_parameter_combination", "it is given twice", at=name)


CONTINUATION = ContinuationSchema()
PRESET = PresetSchema()

# By name: what makes a preset besides the parameters of its rounds.
SHOTS = ("model", "system", "examples")
