"""The greatest a response can cost.

Input as in chat_bound: text counted over all that is sent, a byte a token in small bodies; images at their
documented maximum; files, and images without one, as the whole window. On top come the stored responses and
the reasoning that the body names (response_context), and a byte a token for reasoning that came encrypted.

Output: the cap, which at OpenAI holds for all of a response's items and its reasoning together.
"""

from typing import Any

from service.errors import InvalidRequest, ModelNotPriced
from service.ledger.holds import Demand
from service.operations.base import Body
from service.operations.chat_bound import (
    ALLOWANCE_TOKENS,
    MOST_PICO_USD,
    SMALL_BODY_BYTES,
    TOOLS_ALLOWANCE_TOKENS,
    required_rate,
    text_cap,
)
from service.operations.response_context import encrypted_tokens, stored_tokens
from service.pricing.catalog import Model
from service.pricing.images import most_image_tokens
from service.pricing.rates import Rates
from service.pricing.tokens import most_text_tokens
from service.schemas.response_items import has_media, input_items, input_parts


def response_demand(body: Body, model: Model) -> Demand:
    """The bound of a response's body. Raises ModelNotPriced if it can reach a class without a rate."""
    input_tokens = _input_tokens(body, model)
    rates = model.rates.at(input_tokens)
    cap, floor = text_cap(body.fields.get("max_output_tokens"), model, has_unknown=bool(body.unknown))
    demand = Demand(
        input_tokens=input_tokens,
        input_pico_usd=input_tokens * _input_rate(rates, model),
        output_pico_usd=max(required_rate(rates.output, "output", model), rates.audio_output or 0),
        cap_tokens=cap,
        floor_tokens=floor,
    )
    if demand.input_pico_usd + demand.cap_tokens * demand.output_pico_usd >= MOST_PICO_USD:
        raise InvalidRequest(
            "This request could cost thousands of dollars; ask for less output.", param="max_output_tokens"
        )
    return demand


def _input_rate(rates: Rates, model: Model) -> int:
    """The dearest class there is: what is stored may be of any."""
    required = required_rate(rates.input, "input", model)
    others = (rates.cached_input, rates.cache_write, rates.image_input, rates.audio_input)
    return max(required, *(rate or 0 for rate in others))


def _input_tokens(body: Body, model: Model) -> int:
    window = model.context_window
    stored, sent = stored_tokens(body, model), _sent_tokens(body, model)
    has_bound = stored is not None and sent is not None
    if window is not None and (body.unknown or not has_bound):
        return window
    if not has_bound and _input_rate(model.rates.base, model) > 0:
        raise ModelNotPriced(
            f"The input of '{model.name}' cannot be bounded: its context window is not known.", param="input"
        )
    tokens = (stored or 0) + (sent or 0) + ALLOWANCE_TOKENS
    tokens += TOOLS_ALLOWANCE_TOKENS if body.fields.get("tools") else 0
    return tokens if window is None else min(tokens, window)


def _sent_tokens(body: Body, model: Model) -> int | None:
    """The most tokens of the body itself; None where only the window bounds them."""
    if len(body.raw) <= SMALL_BODY_BYTES and not has_media(body.fields):
        return len(body.raw)
    images = _image_tokens(body.fields, model)
    if images is None:
        return None
    text = most_text_tokens(_bare(body.fields), model.encoding, model.context_window)
    return text + images + encrypted_tokens(body.fields)


def _image_tokens(fields: dict[str, Any], model: Model) -> int | None:
    """The most tokens the images can be; None where there is a file, or an image of unknown size."""
    tokens = 0
    for part in input_parts(fields):
        if part["type"] == "input_file":
            return None
        if part["type"] == "input_image":
            most = most_image_tokens(model.name, part.get("detail"))
            if most is None:
                return None
            tokens += most
    return tokens


def _bare(fields: dict[str, Any]) -> dict[str, Any]:
    """The body without images, and without what is counted by its bytes."""

    def bare(item: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in item.items() if name != "encrypted_content"}
        for name in ("content", "output"):
            if isinstance(kept.get(name), list):
                kept[name] = [part for part in kept[name] if part["type"] != "input_image"]
        return kept

    items = [bare(item) for item in input_items(fields)]
    return {**fields, "input": items or fields.get("input")}
