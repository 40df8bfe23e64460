"""POST /v1/embeddings. There is no output to pay for.

The prompts of one request have 300,000 tokens at most, all together: OpenAI refuses more
(openai/types/embedding_create_params.py, openai 3.54).
"""

from typing import Any

from service.ledger.holds import Demand
from service.operations.base import Body, Operation, Tally
from service.operations.completion_tally import read_prompt_usage
from service.operations.prompts import (
    counted_tokens,
    dearest_input,
    most_input_tokens,
    prompts_of,
    within_reach,
)
from service.pricing.catalog import Model
from service.pricing.tokens import COUNTING_ENCODING
from service.pricing.usage import Usage
from service.schemas.embeddings import EMBEDDING

MOST_TOKENS = 300_000


class EmbeddingTally:
    """See `Tally`. Usage is all that there is."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.service_tier: str | None = None

    def add_final(self, body: dict[str, Any]) -> None:
        if isinstance(body.get("model"), str):
            self.model = body["model"]
        self.usage = read_prompt_usage(body) or self.usage

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        self.add_final(chunk)

    def is_usage_only(self, chunk: dict[str, Any]) -> bool:
        return False

    def output_tokens(self, encoding: str | None) -> int:
        return 0

    def is_last(self, chunk: dict[str, Any]) -> bool:
        return False

    def cap_passed(self, cap_tokens: int, encoding: str | None) -> bool:
        return False


def _demand(body: Body, model: Model) -> Demand:
    tokens = most_input_tokens(body, prompts_of(body.fields["input"]), model)
    is_openais = model.encoding is not None
    if is_openais:
        tokens = min(tokens, MOST_TOKENS)
    rate = dearest_input(model.rates.at(tokens), model)
    demand = Demand(
        input_tokens=tokens,
        input_pico_usd=tokens * rate,
        output_pico_usd=0,
        cap_tokens=0,
        floor_tokens=0,
    )
    return within_reach(demand, "send less at once", "input")


def _outgoing(body: Body, model: Model, cap: int | None) -> bytes:
    return body.raw


def _counted(body: Body, model: Model, demand: Demand, tally: Tally) -> Usage:
    encoding = model.encoding or COUNTING_ENCODING
    prompts = prompts_of(body.fields["input"])
    return Usage(input_tokens=sum(counted_tokens(prompt, encoding) for prompt in prompts))


EMBEDDINGS = Operation(
    name="embeddings",
    path="/v1/embeddings",
    upstream_path="/embeddings",
    schema=EMBEDDING,
    demand=_demand,
    outgoing=_outgoing,
    counted=_counted,
    new_tally=EmbeddingTally,
)
