"""SPENDGATE_PRICES: the operator's own prices, a TOML file of models or globs of them.

    [models."gemma-3-270m"]        # USD per million tokens
    input = "0.10"
    output = "0.40"

Amounts are strings or integers, never floats. What is read here goes before the built-in data.
"""

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from service.config import ConfigError
from service.pricing.rates import ModelRates, Rates, pico_per_token

_RATES = ("input", "cached_input", "cache_write", "output", "audio_input", "audio_output", "image_input")
_CAP_FIELDS = ("max_tokens", "max_completion_tokens")
_OTHERS = ("context_window", "max_output_tokens", "output_cap_field", "reasons")


@dataclass(frozen=True)
class FileModel:
    """One table of the file. `reasons`: hidden reasoning tokens may be part of the output."""

    pattern: re.Pattern[str]
    name: str
    rates: ModelRates
    context_window: int | None
    max_output_tokens: int | None
    output_cap_field: str
    reasons: bool


def read_price_file(path: Path, multiplier: Decimal) -> list[FileModel]:
    """All tables, exact names before globs. Raises ConfigError naming the file and the wrong entry."""
    try:
        data = tomllib.loads(path.read_text(), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"SPENDGATE_PRICES: {path.name}: {error}") from None
    models = data.get("models")
    if not isinstance(models, dict) or set(data) != {"models"}:
        raise ConfigError(f'SPENDGATE_PRICES: {path.name} must hold tables named [models."..."] only')
    read = [_read_model(name, table, multiplier) for name, table in models.items()]
    return sorted(read, key=lambda model: ("*" in model.name, -len(model.name)))


def _read_model(name: str, table: Any, multiplier: Decimal) -> FileModel:
    where = f'SPENDGATE_PRICES: [models."{name}"]'
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table")
    for field in table:
        if field not in _RATES + _OTHERS:
            raise ConfigError(f"{where}: unknown field {field!r}")
    rates = {f: pico_per_token(_usd(table[f], f"{where}: {f}"), multiplier) for f in _RATES if f in table}
    for needed in ("input", "output"):
        if needed not in rates:
            raise ConfigError(f"{where}: {needed} is missing")
    cap_field = table.get("output_cap_field", "max_tokens")
    if cap_field not in _CAP_FIELDS:
        raise ConfigError(f"{where}: output_cap_field must be one of {', '.join(_CAP_FIELDS)}")
    if not isinstance(table.get("reasons", False), bool):
        raise ConfigError(f"{where}: reasons must be true or false")
    return FileModel(
        pattern=re.compile(".*".join(re.escape(part) for part in name.split("*")), re.DOTALL),
        name=name,
        rates=ModelRates(Rates(**rates)),
        context_window=_tokens(table, "context_window", where),
        max_output_tokens=_tokens(table, "max_output_tokens", where),
        output_cap_field=cap_field,
        reasons=table.get("reasons", False),
    )


def _usd(value: Any, where: str) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            raise InvalidOperation
        amount = Decimal(value)
    except InvalidOperation:
        raise ConfigError(f'{where} must be USD per million tokens, like "0.10"') from None
    if not amount.is_finite() or not 0 <= amount <= 1_000_000:
        raise ConfigError(f"{where} must be between 0 and 1000000")
    return amount


def _tokens(table: dict[str, Any], field: str, where: str) -> int | None:
    value = table.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10**9:
        raise ConfigError(f"{where}: {field} must be a whole number of tokens")
    return value
