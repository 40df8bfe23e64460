"""POST /v1/images/generations and POST /v1/images/edits.

Billed by tokens: the prompt's text, the images put in, the images put out; the most they can be stands in
service.pricing.drawing. What an image used can't be seen in it: without a usage the hold is what is booked.
"""

from service.errors import InvalidRequest, ModelNotPriced
from service.ledger.holds import NOTHING, Demand
from service.operations.base import Body, Operation, Tally, as_it_came
from service.operations.chat_bound import ALLOWANCE_TOKENS, required_rate
from service.operations.image_tally import ImageTally
from service.pricing.catalog import Model
from service.pricing.drawing import PARTIAL_IMAGE_TOKENS, most_drawn_tokens, most_shown_tokens
from service.pricing.rates import Rates
from service.pricing.tokens import count_at_most
from service.pricing.usage import Usage
from service.schemas.images import IMAGE_EDIT, IMAGE_GENERATION, MAX_IMAGES, MAX_PARTIAL_IMAGES


def _demand(body: Body, model: Model) -> Demand:
    if model.is_free:
        return NOTHING
    text_tokens = count_at_most(body.fields["prompt"], model.encoding, None) + ALLOWANCE_TOKENS
    shown_tokens = _shown_tokens(body, model)
    rates = model.rates.at(text_tokens + shown_tokens)
    text_rate = required_rate(rates.input, "text input", model)
    return Demand(
        input_tokens=text_tokens + shown_tokens,
        input_pico_usd=text_tokens * text_rate + shown_tokens * max(text_rate, rates.image_input or 0),
        output_pico_usd=_output_rate(rates, model),
        cap_tokens=_drawn_tokens(body, model) * _images(body),
        floor_tokens=0,
    )


def _images(body: Body) -> int:
    """How many are drawn. An unknown field might ask for more."""
    return MAX_IMAGES if body.unknown else body.fields.get("n") or 1


def _drawn_tokens(body: Body, model: Model) -> int:
    """Of one image, with the sketches on the way to it."""
    size, quality = body.fields.get("size"), body.fields.get("quality")
    drawn = most_drawn_tokens(model.name, size, quality)
    if drawn is None and most_drawn_tokens(model.name, "auto", None) is not None:
        raise InvalidRequest(
            f"Unsupported value for 'size': no bound is known for '{size}' with '{model.name}'.",
            code="unsupported_value",
            param="size",
        )
    if drawn is None:
        raise _unbounded(model)
    if body.unknown:
        drawn = most_drawn_tokens(model.name, "auto", None) or drawn
    sketches = MAX_PARTIAL_IMAGES if body.unknown else body.fields.get("partial_images") or 0
    return drawn + sketches * PARTIAL_IMAGE_TOKENS


def _shown_tokens(body: Body, model: Model) -> int:
    """Of all images put in: a mask and marks are images, too."""
    shown = body.fields.get("image")
    count = len(shown) if isinstance(shown, list) else int(shown is not None)
    count += sum(body.fields.get(name) is not None for name in ("mask", "markup"))
    high = bool(body.unknown) or body.fields.get("input_fidelity") == "high"
    each = most_shown_tokens(model.name, high_fidelity=high)
    if each is None:
        raise _unbounded(model)
    return each * count


def _output_rate(rates: Rates, model: Model) -> int:
    if rates.image_output is None:
        return required_rate(rates.output, "image output", model)
    return max(rates.image_output, rates.output or 0)


def _unbounded(model: Model) -> ModelNotPriced:
    return ModelNotPriced(f"No bound is known for the images of '{model.name}'.", param="model")


def _counted(body: Body, model: Model, demand: Demand, tally: Tally) -> Usage:
    return Usage(
        input_tokens=demand.input_tokens,
        output_tokens=demand.cap_tokens,
        image_output_tokens=demand.cap_tokens,
    )


IMAGE_GENERATIONS = Operation(
    name="images.generations",
    path="/v1/images/generations",
    upstream_path="/images/generations",
    schema=IMAGE_GENERATION,
    demand=_demand,
    outgoing=as_it_came,
    counted=_counted,
    new_tally=ImageTally,
    is_opaque=lambda body: True,
)
IMAGE_EDITS = Operation(
    name="images.edits",
    path="/v1/images/edits",
    upstream_path="/images/edits",
    schema=IMAGE_EDIT,
    demand=_demand,
    outgoing=as_it_came,
    counted=_counted,
    new_tally=ImageTally,
    is_opaque=lambda body: True,
)
