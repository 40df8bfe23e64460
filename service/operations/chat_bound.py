"""The greatest a chat completion can cost.

Input: every token at the dearest class it can fall in. Text is counted over all that is sent, JSON
syntax and all, plus a fixed allowance for what the provider puts around it; below 2 kB a byte counts
as a token, since no tokenizer makes more tokens than bytes. Images count as their family's documented
maximum (service.pricing.images); files and audio, whose tokens no count of bytes bounds, and images
without a documented maximum, as the whole context window. No input exceeds the window: the upstream
refuses it.

Output: the cap times the choices, at the dearest output class.
"""

from typing import Any

from service.errors import InvalidRequest, ModelNotPriced
from service.ledger.holds import Demand
from service.operations.base import Body
from service.pricing.catalog import Model
from service.pricing.images import most_image_tokens
from service.pricing.rates import Rates
from service.pricing.tokens import most_text_tokens

SMALL_BODY_BYTES = 2_048
ALLOWANCE_TOKENS = 64
# With tools the provider adds instructions of its own (a few hundred tokens at most).
TOOLS_ALLOWANCE_TOKENS = 512
FLOOR_TOKENS = 512
REASONING_FLOOR_TOKENS = 4_096
MOST_PICO_USD = 2**53


def chat_demand(body: Body, model: Model, more_tokens: int = 0) -> Demand:
    """The bound of a chat body. Raises ModelNotPriced if it can reach a class without a rate.

    `more_tokens` of input are not in the body yet: what a continuation's earlier rounds will have added.
    """
    fields = body.fields
    input_tokens = _input_tokens(body, model) + more_tokens
    if model.context_window is not None:
        input_tokens = min(input_tokens, model.context_window)
    rates = model.rates.at(input_tokens)
    input_rate, output_rate = _input_rate(body, rates, model), _output_rate(body, rates, model)
    cap, floor = _cap(body, model)
    demand = Demand(
        input_tokens=input_tokens,
        input_pico_usd=input_tokens * input_rate,
        output_pico_usd=output_rate * (fields.get("n") or 1),
        cap_tokens=cap,
        floor_tokens=floor,
    )
    if demand.input_pico_usd + demand.cap_tokens * demand.output_pico_usd >= MOST_PICO_USD:
        raise InvalidRequest(
            "This request could cost thousands of dollars; ask for fewer choices.", param="n"
        )
    return demand


def _cap(body: Body, model: Model) -> tuple[int, int]:
    """The cap in tokens, and the least it may be narrowed to (0: not at all)."""
    return text_cap(own_cap(body), model, has_unknown=bool(body.unknown))


def own_cap(body: Body) -> int | None:
    """The cap that the caller gave, in either field."""
    own: int | None = body.fields.get("max_completion_tokens") or body.fields.get("max_tokens")
    return own


def text_cap(own: int | None, model: Model, *, has_unknown: bool) -> tuple[int, int]:
    """As `_cap`, from the caller's own cap: the same rule for every endpoint that puts out text."""
    most = model.max_output_tokens
    if most is None:
        raise ModelNotPriced(
            f"Neither the output maximum nor the context window of '{model.name}' is known; "
            "the operator can name them in SPENDGATE_PRICES.",
            param="model",
        )
    if has_unknown:
        # A field nobody here knows might lift the cap: the model's own maximum holds in any case.
        return most, 0
    if own:
        return min(own, most), 0
    floor = REASONING_FLOOR_TOKENS if model.reasons else FLOOR_TOKENS
    return most, min(floor, most)


def _input_tokens(body: Body, model: Model) -> int:
    window = model.context_window
    if body.unknown and window is not None:
        return window
    if len(body.raw) <= SMALL_BODY_BYTES and not has_media(body.fields):
        tokens = len(body.raw)
    else:
        media_tokens = _media_tokens(body.fields, model)
        if media_tokens is None and window is not None:
            return window
        if media_tokens is None and _costs_input(model):
            raise ModelNotPriced(
                f"The input of '{model.name}' cannot be bounded: its context window is not known.",
                param="messages",
            )
        tokens = most_text_tokens(_without_images(body.fields), model.encoding, window) + (media_tokens or 0)
    tokens += ALLOWANCE_TOKENS + (TOOLS_ALLOWANCE_TOKENS if _has_tools(body.fields) else 0)
    return tokens if window is None else min(tokens, window)


def _has_tools(fields: dict[str, Any]) -> bool:
    return bool(fields.get("tools") or fields.get("functions"))


def _parts(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Every content part of every message."""
    contents = [message.get("content") for message in fields["messages"]]
    return [part for content in contents if isinstance(content, list) for part in content]


def has_media(fields: dict[str, Any]) -> bool:
    return any(part.get("type") in ("image_url", "file", "input_audio") for part in _parts(fields))


def _media_tokens(fields: dict[str, Any], model: Model) -> int | None:
    """The most tokens images can be; None where nothing but the window bounds them, or files or audio."""
    tokens = 0
    for part in _parts(fields):
        if part.get("type") in ("file", "input_audio"):
            return None
        if part.get("type") == "image_url":
            most = most_image_tokens(model.name, part["image_url"].get("detail"))
            if most is None:
                return None
            tokens += most
    return tokens


def _costs_input(model: Model) -> bool:
    rates = model.rates.base
    return any((rates.input, rates.cached_input, rates.cache_write, rates.audio_input, rates.image_input))


def _without_images(fields: dict[str, Any]) -> dict[str, Any]:
    """The body, images left out."""

    def bare(message: dict[str, Any]) -> dict[str, Any]:
        content = message.get("content")
        if not isinstance(content, list):
            return message
        return {**message, "content": [part for part in content if part.get("type") != "image_url"]}

    messages = [bare(message) for message in fields["messages"]]
    return {**fields, "messages": messages}


def _input_rate(body: Body, rates: Rates, model: Model) -> int:
    classes = [required_rate(rates.input, "input", model), rates.cached_input, rates.cache_write]
    types = {part.get("type") for part in _parts(body.fields)}
    if "input_audio" in types:
        classes.append(required_rate(rates.audio_input, "audio input", model))
    if body.unknown:
        classes.append(rates.audio_input)
    if "image_url" in types or body.unknown:
        classes.append(rates.image_input)
    return max(rate for rate in classes if rate is not None)


def _output_rate(body: Body, rates: Rates, model: Model) -> int:
    rate = required_rate(rates.output, "output", model)
    if "audio" in (body.fields.get("modalities") or ()) or body.fields.get("audio"):
        rate = max(rate, required_rate(rates.audio_output, "audio output", model))
    return max(rate, rates.audio_output or 0) if body.unknown else rate


def required_rate(rate: int | None, what: str, model: Model) -> int:
    if rate is None:
        raise ModelNotPriced(f"There is no price for {what} tokens of '{model.name}'.", param="model")
    return rate
