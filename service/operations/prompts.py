"""Prompts as completions and embeddings take them, and the most tokens they can be.

Below 2 kB a byte of the body counts as a token, as everywhere; else each prompt is counted by itself, as
the provider does it. What may be put around a prompt (a beginning, an end, the three marks of an
insertion) has an allowance. No prompt exceeds the window: the upstream refuses it.
"""

from typing import Any

from service.errors import InvalidRequest, ModelNotPriced
from service.ledger.holds import Demand
from service.operations.base import Body
from service.operations.chat_bound import ALLOWANCE_TOKENS, MOST_PICO_USD, SMALL_BODY_BYTES, required_rate
from service.pricing.catalog import Model
from service.pricing.rates import Rates
from service.pricing.tokens import count_at_most, count_tokens

ALLOWANCE_TOKENS_PER_PROMPT = 4

Prompt = str | list[int]


def prompts_of(value: Any) -> list[Prompt]:
    """One prompt or several, valid and in either form, as a list; none at all is an empty one."""
    if value is None or isinstance(value, str):
        return [value or ""]
    return [value] if isinstance(value[0], int) else value


def most_input_tokens(body: Body, prompts: list[Prompt], model: Model, *, each: str = "") -> int:
    """The most tokens that the prompts are, with the text that goes with each of them. Raises
    ModelNotPriced where an unknown field can make them anything, and no window is known."""
    window = model.context_window
    if body.unknown:
        if window is None:
            raise ModelNotPriced(
                f"With '{body.unknown[0][:64]}' the input of '{model.name}' cannot be bounded: "
                "its context window is not known.",
                param=body.unknown[0][:64],
            )
        return window * len(prompts)
    if len(body.raw) <= SMALL_BODY_BYTES:
        tokens = len(body.raw) + len(prompts) * count_tokens(each, None)
    else:
        tokens = sum(_at_most(prompt, model) for prompt in prompts)
        tokens += len(prompts) * _at_most(each, model)
    return tokens + ALLOWANCE_TOKENS + ALLOWANCE_TOKENS_PER_PROMPT * len(prompts)


def counted_tokens(prompt: Prompt, encoding: str) -> int:
    """What a prompt counts as where the provider doesn't say."""
    return len(prompt) if isinstance(prompt, list) else count_tokens(prompt, encoding)


def dearest_input(rates: Rates, model: Model) -> int:
    """Pico-USD for a token of input, of whichever class of text. Raises ModelNotPriced."""
    return max(required_rate(rates.input, "input", model), rates.cached_input or 0, rates.cache_write or 0)


def within_reach(demand: Demand, advice: str, param: str) -> Demand:
    """The demand, if the ledger can count so far. Raises InvalidRequest."""
    if demand.input_pico_usd + demand.cap_tokens * demand.output_pico_usd >= MOST_PICO_USD:
        raise InvalidRequest(f"This request could cost thousands of dollars; {advice}.", param=param)
    return demand


def _at_most(prompt: Prompt, model: Model) -> int:
    window = model.context_window
    if isinstance(prompt, list):
        return len(prompt) if window is None else min(len(prompt), window)
    return count_at_most(prompt, model.encoding, window)
