"""What a request did cost: usage times rates, exact in pico-USD, rounded up once."""

from service.money import ceil_nano_usd
from service.pricing.rates import ModelRates
from service.pricing.usage import Usage


def cost_nano_usd(usage: Usage, model_rates: ModelRates) -> int:
    """The list price of a usage. Every token lands in exactly one class.

    A class without a rate of its own is part of a broader one (cached input without a discount pays
    the input rate). Audio or image tokens and cached ones may overlap; the overlap is priced as media.
    """
    rates = model_rates.at(usage.input_tokens)
    text_in, text_out = rates.input or 0, rates.output or 0
    cached_rate = text_in if rates.cached_input is None else rates.cached_input
    write_rate = text_in if rates.cache_write is None else rates.cache_write
    audio_in = text_in if rates.audio_input is None else rates.audio_input
    audio_out = text_out if rates.audio_output is None else rates.audio_output

    image_in = text_in if rates.image_input is None else rates.image_input
    image_out = text_out if rates.image_output is None else rates.image_output

    media = usage.audio_input_tokens + usage.image_input_tokens
    special = usage.cached_input_tokens + usage.cache_write_tokens + media
    overlap = max(0, special - usage.input_tokens)
    cached = max(0, usage.cached_input_tokens - overlap)
    written = usage.cache_write_tokens - max(0, overlap - usage.cached_input_tokens)
    plain = usage.input_tokens - media - cached - written
    plain_out = usage.output_tokens - usage.audio_output_tokens - usage.image_output_tokens
    pico = (
        plain * text_in
        + cached * cached_rate
        + written * write_rate
        + usage.audio_input_tokens * audio_in
        + usage.image_input_tokens * image_in
        + plain_out * text_out
        + usage.audio_output_tokens * audio_out
        + usage.image_output_tokens * image_out
        + usage.seconds * (rates.second or 0)
        + usage.characters * (rates.character or 0)
    )
    return ceil_nano_usd(pico)


def is_priced(usage: Usage, model_rates: ModelRates) -> bool:
    """Whether the model has a rate for each unit of a usage: tokens, seconds, characters."""
    rates = model_rates.at(usage.input_tokens)
    has_token_rate = rates.input is not None or rates.output is not None
    return not (
        (usage.has_tokens and not has_token_rate)
        or (usage.seconds and rates.second is None)
        or (usage.characters and rates.character is None)
    )
