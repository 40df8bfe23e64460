"""POST /v1/completions.

The bound is the provider's own, "num_tokens(input) + [max_tokens * max(n, best_of)]", for each prompt.
Source: OpenAI's pricing FAQ, as quoted at
https://community.openai.com/t/pricing-based-on-actual-or-requested-output-length/700632.

A call that names no cap has 16, which is OpenAI's documented default. It is sent to an upstream that is not
OpenAI, whose default may be another.
"""

from typing import Any

from service.ledger.holds import Demand
from service.operations.base import Body, Operation, Tally
from service.operations.chat import asks_for_usage, with_added
from service.operations.chat_bound import required_rate, text_cap
from service.operations.completion_tally import CompletionTally
from service.operations.prompts import (
    counted_tokens,
    dearest_input,
    most_input_tokens,
    prompts_of,
    within_reach,
)
from service.pricing.catalog import UNBOUNDED_TOKENS, Model
from service.pricing.tokens import COUNTING_ENCODING
from service.pricing.usage import Usage
from service.schemas.completions import COMPLETION

UNCAPPED_TOKENS = 16


def _demand(body: Body, model: Model) -> Demand:
    prompts = prompts_of(body.fields.get("prompt"))
    input_tokens = most_input_tokens(body, prompts, model, each=body.fields.get("suffix") or "")
    rates = model.rates.at(input_tokens)
    # No token at all is a cap, too (to have a prompt's own probabilities): it is held as one.
    cap, _ = text_cap(max(1, _own_cap(body)), model, has_unknown=bool(body.unknown))
    demand = Demand(
        input_tokens=input_tokens,
        input_pico_usd=input_tokens * dearest_input(rates, model),
        output_pico_usd=required_rate(rates.output, "output", model) * len(prompts) * _made(body),
        cap_tokens=cap,
        floor_tokens=0,
    )
    return within_reach(demand, "ask for fewer completions", "n")


def _own_cap(body: Body) -> int:
    own: int | None = body.fields.get("max_tokens")
    return UNCAPPED_TOKENS if own is None else own


def _shown(body: Body) -> int:
    """How many completions of each prompt the caller gets."""
    return body.fields.get("n") or 1


def _made(body: Body) -> int:
    """How many are made, and paid for."""
    return max(_shown(body), body.fields.get("best_of") or 1)


def _outgoing(body: Body, model: Model, cap: int | None) -> bytes:
    """The caller's own bytes, unless usage has to be asked for or the cap to be named."""
    added: dict[str, Any] = {}
    is_openais = model.encoding is not None
    if body.fields.get("max_tokens") is None and not is_openais:
        added["max_tokens"] = UNCAPPED_TOKENS
    if body.wants_stream and not asks_for_usage(body):
        added["stream_options"] = {**(body.fields.get("stream_options") or {}), "include_usage": True}
    return with_added(body, added)


def _counted(body: Body, model: Model, demand: Demand, tally: Tally) -> Usage:
    """Text is counted; the completions that were made and not shown are taken at their cap."""
    assert isinstance(tally, CompletionTally)
    encoding = model.encoding or COUNTING_ENCODING
    prompts = prompts_of(body.fields.get("prompt"))
    counts = [counted_tokens(prompt, encoding) for prompt in prompts]
    suffix = counted_tokens(body.fields.get("suffix") or "", encoding)
    output = sum(
        max(0, tokens - (_echoed(body, counts, choice) if body.fields.get("echo") else 0))
        for choice, tokens in tally.tokens_by_choice(model.encoding).items()
    )
    hidden = (_made(body) - _shown(body)) * len(prompts) * demand.cap_tokens
    return Usage(input_tokens=sum(counts) + suffix * len(prompts), output_tokens=output + hidden)


def _echoed(body: Body, counts: list[int], choice: int) -> int:
    """The tokens of the prompt that a choice begins with: choices go by prompt."""
    prompt = choice // _shown(body)
    return counts[prompt] if 0 <= prompt < len(counts) else 0


def _visible_cap(body: Body, model: Model, cap: int) -> int:
    """A choice shows its cap, and with `echo` its prompt in front."""
    if not body.fields.get("echo"):
        return cap
    prompts = prompts_of(body.fields.get("prompt"))
    if any(isinstance(prompt, list) for prompt in prompts):
        return UNBOUNDED_TOKENS  # the text that such a prompt comes back as is not known here
    return cap + max(counted_tokens(prompt, model.encoding or COUNTING_ENCODING) for prompt in prompts)


COMPLETIONS = Operation(
    name="completions",
    path="/v1/completions",
    upstream_path="/completions",
    schema=COMPLETION,
    demand=_demand,
    outgoing=_outgoing,
    counted=_counted,
    new_tally=CompletionTally,
    visible_cap=_visible_cap,
)
