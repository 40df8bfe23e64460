"""The body of POST /v1/moderations. Source: openai/types/moderation_create_params.py (openai 3.54).

Moderation is free, and the request goes up without a hold: so no model is taken that could be another.
"""

from service.schemas.content import TextPart, image_part
from service.schemas.faults import fault
from service.schemas.fields import ListOf, OneOf, String, Tagged
from service.schemas.shape import Shape

MAX_INPUTS = 2_048


def _only_moderation(model: str) -> None:
    if "moderation" not in model.lower():
        raise fault("unsupported_value", "only a moderation model costs nothing")


class ModerationSchema(Shape):
    model = String("A moderation model's id.", min=1, max=256, validate=[_only_moderation])
    input = OneOf(
        "What is to be judged.",
        String("One text."),
        ListOf("Several, or texts and images.", OneOf("One of them.", String("A text.")), max=MAX_INPUTS, min=1),
        required=True,
    )
