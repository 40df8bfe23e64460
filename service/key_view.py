"""How a key is shown: to its operators, and (less its metadata) to its own caller."""

import json
from datetime import datetime
from typing import Any

from service.key_record import Key
from service.money import format_usd
from service.times import rfc3339, rfc3339_ms

# What a number is called outside -> its field in the record.
_NUMBERS = {
    "default_max_output_tokens": "default_max_output_tokens",
    "requests_per_minute": "rpm",
    "tokens_per_minute": "tpm",
    "max_concurrency": "max_concurrency",
}


def key_object(key: Key) -> dict[str, Any]:
    """The key as the API shows it: money as strings with 9 decimals, times RFC 3339 in UTC, null for none."""
    record = key.record
    return {
        "id": key.id,
        "object": "key",
        "name": record["name"],
        "project": record["project"],
        "status": key.status,
        "secrets": _secrets(key),
        "soft_limit_usd": _usd(key.balance.soft),
        "hard_limit_usd": _usd(key.balance.hard),
        "period": record["period"],
        "timezone": record["timezone"],
        "alert_thresholds": key.alert_thresholds,
        "models": key.models,
        **{shown: _number(record.get(field)) for shown, field in _NUMBERS.items()},
        "expires_at": _time(record.get("expires_at")),
        "created_at": _time(record["created_at"]),
        "last_used_at": _time(record.get("last_used_at")),
        **_money(key),
        "metadata": json.loads(record.get("metadata", "{}")),
    }


def _secrets(key: Key) -> list[dict[str, Any]]:
    """What tells the key's secrets apart, those that still work; `expires_at` is null for the newest."""
    ends = {hashed: int(key.record[f"secret:{hashed}"]) for hashed in key.secret_hashes}
    return [
        {"hint": key.record[f"hint:{hashed}"], "expires_at": rfc3339_ms(end) if end else None}
        for hashed, end in sorted(ends.items(), key=lambda pair: pair[1])
        if end == 0 or end > key.now_ms
    ]


def _money(key: Key) -> dict[str, Any]:
    balance, period = key.balance, key.period
    return {
        "spent_usd": format_usd(balance.spent),
        "held_usd": format_usd(balance.held),
        "in_doubt_usd": format_usd(balance.doubt),
        "remaining_usd": _usd(balance.remaining),
        "soft_limit_exceeded": balance.soft_limit_exceeded,
        "period_start": _moment(period.starts_at),
        "resets_at": _moment(period.resets_at),
    }


def _usd(nano_usd: int | None) -> str | None:
    return None if nano_usd is None else format_usd(nano_usd)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _time(epoch_ms: str | None) -> str | None:
    return None if epoch_ms is None else rfc3339_ms(int(epoch_ms))


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
