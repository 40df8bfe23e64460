"""The body of POST /v1/completions: every documented parameter, typed and bounded.

Source: openai/types/completion_create_params.py (openai 3.54). Unknown parameters pass, and
`check.unknown_fields` names them. `best_of` streams nothing, as documented: what it throws away could
not be seen, nor counted.
"""

from typing import Any

from service.schemas.chat import MAX_OUTPUT_TOKENS, TIERS, StreamOptions, model_field
from service.schemas.faults import fault
from service.schemas.fields import Boolean, Integer, ListOf, MapOf, Number, Object, OneOf, String
from service.schemas.prompts import Prompts
from service.schemas.shape import Shape


class CompletionSchema(Shape):
    model = model_field(required=True)
    prompt = Prompts("What is to be completed; without one, a document is begun.")
    suffix = String("What comes after the completion.")
    max_tokens = Integer("The output cap of each completion; 16 if absent.", max=MAX_OUTPUT_TOKENS)
    n = Integer("How many completions of each prompt.", min=1, max=128)
    best_of = Integer("Make so many and return the best `n`: all are paid for.", min=1, max=20)
    echo = Boolean("Return the prompt in front of the completion.")
    logprobs = Integer("How many likely tokens to return at each place.", max=5)
    stop = OneOf(
        "Up to 4 texts at which the output ends.",
        String("One text."),
        ListOf("Several.", String("A text."), min=1, max=4),
    )
    temperature = Number("Sampling temperature.", min=0, max=2)
    top_p = Number("Nucleus sampling: the probability mass considered.", min=0, max=1)
    presence_penalty = Number("Penalty on tokens that appeared.", min=-2, max=2)
    frequency_penalty = Number("Penalty on tokens by how often they appeared.", min=-2, max=2)
    logit_bias = MapOf(
        "Bias by token id.", Number("From -100 to 100.", min=-100, max=100), max=2048, max_name=20
    )
    seed = Integer("Sample deterministically, as far as possible.", min=-(2**63), max=2**63 - 1)
    user = String("Identifies your end user.", max=1024)
    stream = Boolean("Send the completion as server-sent events.")
    stream_options = Object("Only with `stream: true`.", StreamOptions())
    service_tier = String("The tier, and so the rates.", choices=TIERS)

    def check_together(self, data: dict[str, Any]) -> None:
        streams = data.get("stream") is True
        if data.get("stream_options") is not None and not streams:
            raise _clash("stream_options is only allowed with stream: true", "stream_options")
        best_of, wanted = data.get("best_of"), data.get("n") or 1
        if best_of is not None and best_of < wanted:
            raise _clash(f"best_of must be at least n, which is {wanted}", "best_of")
        if best_of is not None and best_of > wanted and streams:
            raise _clash("completions that best_of chooses from cannot be streamed", "best_of")


def _clash(because: str, at: str) -> Exception:
    return fault("invalid_parameter_combination", because, at=at)


COMPLETION = CompletionSchema()
