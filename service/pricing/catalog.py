"""What Spendgate knows of models: rates by date and tier, window, output maximum, tokens.

The operator's price file goes first, then genai-prices' data for OpenAI. A model that neither knows
is refused: an unknown price is not a price of nothing.
"""

import difflib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from genai_prices.data import providers
from genai_prices.types import ClauseEquals, ClauseOr, ModelInfo

from service.errors import ModelNotPriced
from service.pricing.maxima import context_window, max_output_tokens, reasons
from service.pricing.price_file import FileModel, read_price_file
from service.pricing.rates import ModelRates, Rates, model_rates
from service.pricing.tokens import encoding_name

_OPENAI = next(provider for provider in providers if provider.id == "openai")
TIERS = ("default", "flex", "priority")
# Of a model that costs nothing the output needs no bound.
UNBOUNDED_TOKENS = 2**31 - 1


@dataclass(frozen=True)
class Model:
    """One model on one day, in one tier. `encoding` is None where the upstream's tokenizer is not
    known: then a byte counts as a token."""

    name: str
    rates: ModelRates
    context_window: int | None
    max_output_tokens: int | None
    reasons: bool
    output_cap_field: str
    encoding: str | None
    tier: str

    @property
    def takes_either_cap(self) -> bool:
        """Whether the output cap is good in both of the fields that there are for it (OpenAI's own)."""
        return self.encoding is not None

    @property
    def is_free(self) -> bool:
        """Whether nothing it does costs anything."""
        return not self.rates.steps and not any(vars(self.rates.base).values())


class Catalog:
    """All models. `today` is asked at each look-up, so rates change on their day without a restart."""

    def __init__(
        self, prices: Path | None, multiplier: Decimal = Decimal(1), default_tier: str = "default"
    ) -> None:
        self._file = read_price_file(prices, multiplier) if prices else []
        self._multiplier = multiplier
        self._default_tier = default_tier
        self._cached = lru_cache(maxsize=2048)(self._find)

    def model(self, name: str, tier: str | None, at: datetime) -> Model:
        """The model by name, at the tier asked for (None or `auto`: the configured default).

        Raises ModelNotPriced when there are no rates. Which of them, and whether an output maximum, an
        endpoint needs, its operation knows.
        """
        day = at.astimezone(UTC).date()
        if tier in (None, "auto"):
            # A project's default tier is for the models that have it; the others are served as ever.
            found = self._cached(name, self._default_tier, day)
            found = self._cached(name, "default", day) if isinstance(found, str) else found
        else:
            found = self._cached(name, tier, day)
        if isinstance(found, str):
            raise ModelNotPriced(found, param="model")
        return found

    def served(self, name: str | None, tier: str | None, at: datetime, asked: Model) -> Model:
        """The model and tier a response names, if priced; else the one that was asked for."""
        for model, at_tier in ((name, tier), (name, asked.tier), (asked.name, tier)):
            found = self._cached(model or asked.name, at_tier or asked.tier, at.astimezone(UTC).date())
            if isinstance(found, Model):
                return found
        return asked

    def is_priced(self, name: str) -> bool:
        return isinstance(self._cached(name, "default", datetime.now(UTC).date()), Model)

    def _find(self, name: str, tier: str, day: date) -> Model | str:
        for entry in self._file:
            if entry.pattern.fullmatch(name):
                return _from_file(entry, name, tier)
        info = _OPENAI.find_model(name)
        if info is None:
            return _not_priced(name, f"The model '{name}' has no price here.")
        return self._from_data(info, name, tier, day)

    def _from_data(self, info: ModelInfo, name: str, tier: str, day: date) -> Model | str:
        rates = model_rates(info, tier, datetime.combine(day, time.min, UTC), self._multiplier)
        if rates is None:
            return f"The model '{name}' has no price in the service tier '{tier}'."
        if rates.base == Rates():
            return f"The price of the model '{name}' is not known here."
        window = context_window(name) or info.context_window
        return Model(
            name=name,
            rates=rates,
            context_window=window,
            max_output_tokens=max_output_tokens(name) or window,
            reasons=reasons(name),
            output_cap_field="max_completion_tokens",
            encoding=encoding_name(name),
            tier=tier,
        )


def _from_file(entry: FileModel, name: str, tier: str) -> Model | str:
    free = not any((entry.rates.base.input, entry.rates.base.output))
    most = entry.max_output_tokens or entry.context_window or (UNBOUNDED_TOKENS if free else None)
    return Model(
        name=name,
        rates=entry.rates,
        context_window=entry.context_window,
        max_output_tokens=most,
        reasons=entry.reasons,
        output_cap_field=entry.output_cap_field,
        encoding=None,
        tier=tier,
    )


def _not_priced(name: str, sentence: str) -> str:
    near = difflib.get_close_matches(name.lower(), _known_names(), n=1, cutoff=0.6)
    return f"{sentence} Did you mean '{near[0]}'?" if near else sentence


@lru_cache(maxsize=1)
def _known_names() -> list[str]:
    """Every name the price data spells out."""
    names = {model.id for model in _OPENAI.models}
    for model in _OPENAI.models:
        clauses = model.match.or_ if isinstance(model.match, ClauseOr) else [model.match]
        names |= {clause.equals for clause in clauses if isinstance(clause, ClauseEquals)}
    return sorted(names)
