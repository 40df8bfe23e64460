"""The bodies of /v1/images/*. Sources: openai/types/image_{generate,edit}_params.py (openai 3.54)."""

from typing import Any

from service.schemas.chat import model_field
from service.schemas.faults import fault
from service.schemas.fields import Boolean, Integer, ListOf, OneOf, Refused, String
from service.schemas.form import File
from service.schemas.shape import Shape

MAX_IMAGES = 10
MAX_INPUT_IMAGES = 16
MAX_PARTIAL_IMAGES = 3
MAX_PROMPT_CHARACTERS = 32_000
QUALITIES = ("low", "medium", "high", "xhigh", "max", "auto")
SIZE = (r"auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3}", "'auto' or a size like '1024x1024'")
UNBOUNDED = "what it costs has no documented bound"


def _one_picture(output_format: str) -> None:
    if output_format in ("gif", "svg"):
        raise fault("unsupported_value", UNBOUNDED)


class _ImageParameters(Shape):
    """What generations and edits have in common."""

    model = model_field(required=True)
    prompt = String("What to draw.", min=1, max=MAX_PROMPT_CHARACTERS, required=True)
    n = Integer("How many images.", min=1, max=MAX_IMAGES)
    size = String("Width and height in pixels.", pattern=SIZE)
    quality = String("How well it is drawn.", choices=QUALITIES)
    background = String("Of the image.", choices=["transparent", "opaque", "auto"])
    moderation = String("How strictly content is filtered.", choices=["low", "auto"])
    output_format = String(
        "What the image is encoded as.",
        choices=["png", "webp", "jpeg", "gif", "svg"],
        validate=[_one_picture],
    )
    output_compression = Integer("Of webp and jpeg, in per cent.", min=0, max=100)
    partial_images = Integer("How many sketches a stream shows.", min=0, max=MAX_PARTIAL_IMAGES)
    stream = Boolean("Send the images as server-sent events.")
    response_format = String("For retired models.", choices=["url", "b64_json"], deprecated=True)
    user = String("Deprecated: use `safety_identifier`.", max=1024, deprecated=True)
    safety_identifier = String("Identifies your end user.", max=128)

    svg = Refused(UNBOUNDED)
    frame_count = Refused(UNBOUNDED)
    frame_duration_ms = Refused(UNBOUNDED)
    complexity = Refused(UNBOUNDED)

    def check_together(self, data: dict[str, Any]) -> None:
        if data.get("stream") is True and (data.get("n") or 1) > 1:
            # The usage of one of them would be all that a stream that breaks had told.
            raise fault("invalid_parameter_combination", "a stream draws one image", at="n")


class ImageGenerationSchema(_ImageParameters):
    style = String("For retired models.", choices=["vivid", "natural"], deprecated=True)


class ImageEditSchema(_ImageParameters):
    image = OneOf(
        "What to edit: `image` once, or `image[]` several times.",
        File("One image."),
        ListOf("Several images.", File("An image."), min=1, max=MAX_INPUT_IMAGES),
        required=True,
    )
    mask = File("Where the first image may be changed: its transparent places.")
    markup = File("Marks on the first image.")
    input_fidelity = String("How close to the images it stays.", choices=["low", "high"])


IMAGE_GENERATION = ImageGenerationSchema()
IMAGE_EDIT = ImageEditSchema()
