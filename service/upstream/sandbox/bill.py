"""The provider's side of the books: what each answer really cost, at list price.

Prices come through genai-prices' own Decimal arithmetic, rounded up once a request to the nano-dollar,
and share no code with the service, so that a bill that agrees with its ledger means something.
"""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Any

from genai_prices.data import providers
from genai_prices.types import ModelInfo, Usage

OPENAI = next(provider for provider in providers if provider.id == "openai")
NANO_USD = Decimal("0.000000001")
MAX_RECORDS = 100_000


@lru_cache(maxsize=1000)
def find_model(name: str) -> ModelInfo | None:
    """What genai-prices knows about an OpenAI model, by any name of it."""
    return OPENAI.find_model(name)


def cost_usd(model: str, service_tier: str, usage: Mapping[str, Any]) -> Decimal | None:
    """The list price of a usage object, rounded up to the nano-dollar; None if the model has no price."""
    info = find_model(model)
    if info is None:
        return None
    context = {} if service_tier == "default" else {"service_tier": service_tier}
    prices = info.get_prices(datetime.now(UTC), context)
    total = prices.calc_price(_priced_usage(usage))["total_price"]
    return total.quantize(NANO_USD, rounding=ROUND_CEILING)


def has_price(model: str, price: str) -> bool:
    """Whether a model is priced in that unit, by the name genai-prices has for it."""
    info = find_model(model)
    return info is not None and getattr(info.get_prices(datetime.now(UTC), {}), price) is not None


def _priced_usage(usage: Mapping[str, Any]) -> Usage:
    """A usage object of any endpoint, in genai-prices' words."""
    if "seconds" in usage:
        return Usage(audio_seconds=usage["seconds"])
    if "characters" in usage:
        return Usage(input_characters=usage["characters"])
    return _priced_media(usage) if "input_tokens" in usage else _priced_text(usage)


def _priced_media(usage: Mapping[str, Any]) -> Usage:
    """Images, transcripts and speech. What is not told apart is image, of an image's usage."""
    heard = usage.get("input_token_details") or {}
    shown = usage.get("input_tokens_details") or {}
    all_drawn = {"image_tokens": usage["output_tokens"] if "image_tokens" in shown else 0}
    drawn = usage.get("output_tokens_details") or all_drawn
    return Usage(
        input_tokens=usage["input_tokens"],
        input_audio_tokens=heard.get("audio_tokens", 0),
        input_image_tokens=shown.get("image_tokens", 0),
        output_tokens=usage["output_tokens"],
        output_image_tokens=drawn.get("image_tokens", 0),
    )


def _priced_text(usage: Mapping[str, Any]) -> Usage:
    """A usage object in genai-prices' words. Completions of texts have no details, embeddings no output."""
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        input_tokens=usage["prompt_tokens"],
        cache_read_tokens=details.get("cached_tokens", 0),
        cache_write_tokens=details.get("cache_write_tokens", 0),
        input_audio_tokens=details.get("audio_tokens", 0),
        output_tokens=usage.get("completion_tokens", 0),
    )


class Bill:
    """Every answer that costs money: the last records, and totals that forget nothing."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._records: deque[dict[str, Any]] = deque(maxlen=MAX_RECORDS)
        self._count = 0
        self._total_usd = Decimal(0)
        self._requests_seen = 0

    def see_request(self) -> None:
        """Count a POST to /v1, whatever becomes of it."""
        self._requests_seen += 1

    def add(self, record: dict[str, Any], cost: Decimal | None) -> None:
        """Book one answer. `record` says whose and for what; the cost in USD is added to it."""
        self._records.append({**record, "cost_usd": None if cost is None else f"{cost:.9f}"})
        self._count += 1
        self._total_usd += cost or 0

    def statement(self) -> dict[str, Any]:
        """The bill as `GET /sandbox/bill` shows it; `records` are the last 100,000 of `count`."""
        return {
            "object": "bill",
            "count": self._count,
            "total_usd": f"{self._total_usd:.9f}",
            "requests_seen": self._requests_seen,
            "records": list(self._records),
        }
