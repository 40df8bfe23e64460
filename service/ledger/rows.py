"""Ledger rows: what is written down of each settled call, and how rows read back.

A row is kept for ever as it was written: costs and balances as stream fields beside it (see
settle.lua), everything else as one JSON text made here.
"""

import heapq
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import redis

from service.errors import InvalidRequest
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.ledger import unavailable
from service.money import format_usd
from service.times import rfc3339

PAGE = 1000
TOKEN_CLASSES = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "audio_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "image_output_tokens",
    "seconds",
    "characters",
)

# A row as it is shown, in the order of an export.
COLUMNS = (
    "id",
    "at",
    "request_id",
    "upstream_request_id",
    "key_id",
    "project",
    "endpoint",
    "model",
    "model_served",
    "service_tier",
    "status",
    *TOKEN_CLASSES,
    "cost_usd",
    "bound_usd",
    "usage_source",
    "overrun",
    "late",
    "latency_ms",
    "ttft_ms",
)
_ROW_NAME = re.compile(r"row_([0-9a-f])([0-9]{1,15})-([0-9]{1,15})")

# A row's place among all shards' rows: when it was written (ms), its number in that ms, its shard.
Place = tuple[int, int, str]


def row_name(shard: str, stream_id: str) -> str:
    """A row's id outside, which says where it lies."""
    return f"row_{shard}{stream_id}"


def row_place(row_id: str) -> Place:
    """Raises InvalidRequest for a text that is no row's id."""
    match = _ROW_NAME.fullmatch(row_id)
    if match is None:
        raise InvalidRequest(f"Invalid value for 'after': '{row_id[:64]}' is no row's id.", param="after")
    return int(match[2]), int(match[3]), match[1]


def new_row(
    meta: Mapping[str, Any],
    *,
    counts: Mapping[str, int],
    usage_source: str,
    status: int | None = None,
    model_served: str | None = None,
    service_tier: str | None = None,
    upstream_request_id: str | None = None,
    latency_ms: int | None = None,
    ttft_ms: int | None = None,
) -> dict[str, Any]:
    """The row of one call. `meta` is what the hold was reserved with; `usage_source` is `provider`,
    `counted` or `operator`."""
    return {
        "at": rfc3339(datetime.now(UTC)),
        "request_id": meta["request_id"],
        "upstream_request_id": upstream_request_id,
        "key_id": meta["key_id"],
        "project": meta["project"],
        "endpoint": meta["endpoint"],
        "model": meta["model"],
        "model_served": model_served,
        "service_tier": service_tier,
        "status": status,
        **{name: counts.get(name, 0) for name in TOKEN_CLASSES},
        "usage_source": usage_source,
        "latency_ms": latency_ms,
        "ttft_ms": ttft_ms,
    }


def read_rows(
    client: Client,
    *,
    key_id: str | None = None,
    model: str | None = None,
    from_ms: int = 0,
    after: str | None = None,
    page: int = PAGE,
) -> Iterator[dict[str, Any]]:
    """Rows as they are shown outside, the oldest first over all shards, read `page` at a time.

    Only those of the key and of the model that was asked for, written from `from_ms` (epoch) on and
    after the row with that id. Raises InvalidRequest for an `after` that is no row's id.

    Stops at the moment it was called: a reader that goes on from the last row it got misses none.
    """
    start: Place = (from_ms, 0, "") if after is None else max((from_ms, 0, ""), row_place(after))
    shards = names.SHARDS if key_id is None else key_id[4:5]
    until_ms = _now_past_ms(client)
    streams = [_stream(client, shard, _from(start, shard), until_ms, page) for shard in shards]
    for _, row in heapq.merge(*streams, key=lambda placed: placed[0]):
        if key_id in (None, row["key_id"]) and model in (None, row["model"]):
            yield row


def _from(start: Place, shard: str) -> str:
    """Where to begin in a shard: behind the place, which is a row's own if it names its shard."""
    ms, number, of_shard = start
    return f"{'(' if shard <= of_shard else ''}{ms}-{number}"


def _now_past_ms(client: Client) -> int:
    """Redis' time, once it is past: no row of that ms, in whatever shard, is still to come."""
    try:
        seconds, microseconds = client.time()
    except redis.RedisError as error:
        raise unavailable() from error
    time.sleep(0.001)
    return int(seconds) * 1000 + int(microseconds) // 1000


def _stream(
    client: Client, shard: str, start: str, until_ms: int, page: int
) -> Iterator[tuple[Place, dict[str, Any]]]:
    try:
        while rows := _page(client, shard, start, until_ms, page):
            for stream_id, fields in rows:
                shown = _shown(shard, stream_id, fields)
                yield row_place(shown["id"]), shown
            start = f"({rows[-1][0]}"
    except redis.RedisError as error:
        raise unavailable() from error


def _page(client: Client, shard: str, start: str, until_ms: int, count: int) -> list[Any]:
    found: list[Any] = client.xrange(names.ledger(shard), min=start, max=str(until_ms), count=count)
    return found


def _shown(shard: str, stream_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    shown = {
        **json.loads(fields["row"]),
        "id": row_name(shard, stream_id),
        "cost_usd": format_usd(int(fields["cost"])),
        "bound_usd": format_usd(int(fields["bound"])),
        "overrun": fields["overrun"] == "1",
        "late": fields["late"] == "1",
    }
    return {column: shown.get(column) for column in COLUMNS}
