"""What the pricing tests share: the catalog on one day, and chat bodies as the gateway reads them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from service.ledger.holds import Demand
from service.operations.base import Body
from service.pricing.catalog import Catalog, Model

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
MakeCatalog = Callable[..., Catalog]


def model(name: str, tier: str = "default") -> Model:
    """A model of the built-in data."""
    return Catalog(None).model(name, tier, AT)


def chat_body(*, unknown: tuple[str, ...] = (), ascii_only: bool = False, **fields: Any) -> Body:
    """A chat body; the messages are one short text unless others are given."""
    fields = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return Body(json.dumps(fields, ensure_ascii=ascii_only).encode(), fields, unknown)


def with_parts(*parts: dict[str, Any], **fields: Any) -> Body:
    """A chat body whose message has these content parts."""
    return chat_body(messages=[{"role": "user", "content": list(parts)}], **fields)


def bound_nano_usd(demand: Demand) -> int:
    """What the reserve script makes of a demand whose cap is not narrowed."""
    return -(-(demand.input_pico_usd + demand.cap_tokens * demand.output_pico_usd) // 1_000)


@pytest.fixture
def catalog_of(tmp_path: Path) -> MakeCatalog:
    """A catalog with a price file of this text."""

    def make(text: str, multiplier: str = "1") -> Catalog:
        path = tmp_path / "prices.toml"
        path.write_text(text)
        return Catalog(path, Decimal(multiplier))

    return make
