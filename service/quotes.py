"""What a call would cost and whether it would be admitted, without making it: nothing is held, nothing sent.

The most is the bound that a reserve would hold, and the ledger's own script says whether it would; the least
is the counted input at its cheapest class and no output. Input that is not counted but taken at its bound
(images, files, audio) has no known least, and counts as nothing there.

Of a continuation, costs and tokens are those of all rounds: at the most each reply is as long as its cap and
is input to every later round, at the least each reply is empty. It is admitted as its first round is; the
later ones are when their turn comes, so `max_cost_usd` is to be read beside `remaining_usd`.
"""

from dataclasses import dataclass, replace
from typing import Any

from service.call import Incoming
from service.continuation import round_body
from service.continuation_request import ContinuationRequests
from service.continuation_run import begin
from service.errors import NotFound, Refused
from service.gateway import Bounded, Gateway
from service.ledger.balances import remaining_nano_usd
from service.ledger.holds import Account, Demand
from service.money import PICO_PER_NANO, ceil_nano_usd, format_usd, parse_usd
from service.operations.base import Operation
from service.operations.chat import CHAT
from service.operations.chat_bound import chat_demand
from service.operations.table import operation_table
from service.pricing.cost import cost_nano_usd
from service.pricing.tokens import count_tokens
from service.schemas.form import is_form
from service.wiring import Stores

RUNS = "continuations"
# What the provider puts around a message, with room to spare (OpenAI's recipe has 4 tokens).
TOKENS_PER_MESSAGE = 8


@dataclass(frozen=True)
class Verdict:
    """What the ledger says of a call now: `reason` is None if it would admit it."""

    reason: str | None
    bound_nano_usd: int
    cap_tokens: int


@dataclass(frozen=True)
class Least:
    """The counted input of a call, and its cost with every token at the cheapest class and no output."""

    tokens: int
    nano_usd: int


class Quotes:
    """Quotes for every endpoint that holds money."""

    def __init__(self, gateway: Gateway, requests: ContinuationRequests, stores: Stores) -> None:
        self._gateway = gateway
        self._requests = requests
        self._stores = stores

    def quote(self, path: str, incoming: Incoming) -> dict[str, Any]:
        """The quote for a body of `/v1/<path>`. Raises what the call would before money is asked about, and
        NotFound for a path where no money is held."""
        if path == RUNS:
            return self._quote_run(incoming)
        operation = self._operation(path)
        asked = self._gateway.bounded(operation, incoming)
        verdict = self._ask(asked)
        least = _least(operation, asked)
        return self._told(asked.account, verdict, least.nano_usd, least.tokens)

    def form_of(self, path: str) -> Operation | None:
        """The call of `/v1/<path>` if it takes a form. Raises NotFound as `quote` does."""
        operation = CHAT if path == RUNS else self._operation(path)
        return operation if is_form(operation.schema) else None

    def _operation(self, path: str) -> Operation:
        operation = operation_table().get(f"/v1/{path}")
        if operation is None:
            raise NotFound(f"Unknown URL: no call of /v1/{path[:200]} can cost money.", code="unknown_url")
        return operation

    def _quote_run(self, incoming: Incoming) -> dict[str, Any]:
        run = self._requests.read(incoming.secret, incoming.raw)
        body = round_body(begin(run.fields, run.before), run.fields, stream=bool(run.fields.get("stream")))
        first = self._gateway.bounded(CHAT, replace(incoming, raw=body))
        verdict = self._ask(first)
        rounds = run.fields.get("rounds") or 1
        follow_up = run.fields.get("follow_up")
        # A byte is a token or more of it, whatever the encoding; the reply is one more message.
        more = verdict.cap_tokens + TOKENS_PER_MESSAGE
        more += count_tokens(follow_up, None) + TOKENS_PER_MESSAGE if follow_up else 0
        later = [chat_demand(first.body, first.model, more * number) for number in range(1, rounds)]
        most = verdict.bound_nano_usd + sum(_bound(demand, verdict.cap_tokens) for demand in later)
        least = _least(CHAT, first)
        whole = replace(verdict, bound_nano_usd=most, cap_tokens=verdict.cap_tokens * rounds)
        return self._told(first.account, whole, least.nano_usd * rounds, least.tokens * rounds)

    def _ask(self, asked: Bounded) -> Verdict:
        try:
            hold = self._gateway.look(asked)
        except Refused as refusal:
            return _refused(refusal, asked.demand)
        return Verdict(None, hold.bound_nano_usd, hold.cap_tokens)

    def _told(self, account: Account, verdict: Verdict, least_nano_usd: int, tokens: int) -> dict[str, Any]:
        remaining = remaining_nano_usd(self._stores.client, account, self._stores.ledger.now_ms())
        return {
            "object": "quote",
            "admitted": verdict.reason is None,
            "reason": verdict.reason,
            "min_cost_usd": format_usd(min(least_nano_usd, verdict.bound_nano_usd)),
            "max_cost_usd": format_usd(verdict.bound_nano_usd),
            "input_tokens": tokens,
            "max_output_tokens": verdict.cap_tokens,
            "remaining_usd": None if remaining is None else format_usd(remaining),
        }


def _bound(demand: Demand, cap_tokens: int) -> int:
    return ceil_nano_usd(demand.input_pico_usd + cap_tokens * demand.output_pico_usd)


def _refused(refusal: Refused, demand: Demand) -> Verdict:
    """A refusal over money says the bound it was about, and so the cap; any other is about the largest."""
    details = refusal.details or {}
    if "bound_usd" not in details:
        return Verdict(refusal.code, _bound(demand, demand.cap_tokens), demand.cap_tokens)
    bound, cap = parse_usd(details["bound_usd"]), demand.cap_tokens
    if demand.output_pico_usd:
        cap = min(cap, (bound * PICO_PER_NANO - demand.input_pico_usd) // demand.output_pico_usd)
    return Verdict(details["reason"], bound, cap)


def _least(operation: Operation, asked: Bounded) -> Least:
    usage = operation.counted(asked.body, asked.model, asked.demand, operation.new_tally())
    tokens = usage.input_tokens
    if tokens >= asked.demand.input_tokens > 0:
        return Least(tokens, 0)  # no count, but the bound
    usage = replace(usage, output_tokens=0, reasoning_tokens=0, audio_output_tokens=0, image_output_tokens=0)
    classes = [usage, replace(usage, cached_input_tokens=tokens), replace(usage, cache_write_tokens=tokens)]
    return Least(tokens, min(cost_nano_usd(each, asked.model.rates) for each in classes))
