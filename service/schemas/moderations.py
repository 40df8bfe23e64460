"""The body of POST /v1/moderations. Source: openai/types/moderation_create_params.py (openai 3.54).

Moderation is free, and the request goes up without a hold: so no model is taken that could be another.
"""

from service.schemas.content import ImagePart, TextPart
from service.schemas.faults import fault
from service.schemas.fields import ListOf, OneOf, String, Tagged
from service.schemas.shape import Shape

MAX_INPUTS = 2_048


def _only_moderation(model: str) -> None:
    # A fine-tuned model (`ft:...`) may have any name.
    if "moderation" not in model.lower() or ":" in model:
        raise fault("unsupported_value", "only a moderation model costs nothing")


_PART = Tagged("A text or an image.", "type", {"text": TextPart(), "image_url": ImagePart()})


class ModerationSchema(Shape):
    model = String("A moderation model's id.", min=1, max=256, validate=[_only_moderation])
    input = OneOf(
        "What is to be judged.",
        String("One text."),
        ListOf(
            "Several texts, or parts of text and images.",
            OneOf("One of them.", String("A text."), _PART),
            min=1,
            max=MAX_INPUTS,
        ),
        required=True,
    )


MODERATION = ModerationSchema()
