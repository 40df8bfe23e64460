"""`ledger verify`: do the counters, the books, the rollups, the holds and the rows say the same?

A shard is read in one transaction, so the check is exact under traffic. Every settle writes its cost
in four places (the scopes' counters, the books, the hourly rollup, a row that carries the balances
after it); every hold stands in a worker's list and in its scopes' counters. A row that was trimmed
takes nothing with it: the rows that are left are checked from one to the next, and the last one
against the counter.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import redis

from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import hold_from_record
from service.ledger.ledger import unavailable

PAGE = 1000


@dataclass
class Snapshot:
    """One shard as it was at one moment."""

    scopes: dict[str, dict[str, str]] = field(default_factory=dict)
    held: dict[str, dict[str, str]] = field(default_factory=dict)
    doubt: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    books: dict[str, str] = field(default_factory=dict)
    rollups: list[dict[str, str]] = field(default_factory=list)


def verify(client: Client) -> list[str]:
    """Every disagreement as one sentence; an empty list when the books are right."""
    try:
        return [problem for shard in names.SHARDS for problem in _verify_shard(client, shard)]
    except redis.RedisError as error:
        raise unavailable() from error


def _verify_shard(client: Client, shard: str) -> Iterator[str]:
    snapshot = _snapshot(client, shard)
    yield from _check_spent(snapshot)
    yield from _check_set_aside(snapshot, shard)
    yield from _check_rollups(snapshot)
    yield from _check_rows(client, shard, snapshot)


def _snapshot(client: Client, shard: str) -> Snapshot:
    """Read a shard in one MULTI. The lists of names come first; if they grew meanwhile, again."""
    while True:
        lists = _name_lists(client.pipeline(transaction=True), shard)
        pipe = client.pipeline(transaction=True)
        key_ids, project_ids, workers, hours = lists
        for key_id in key_ids:
            pipe.hgetall(names.key(shard, key_id))
        for project_id in project_ids:
            pipe.hgetall(names.project(shard, project_id))
        for worker in workers:
            pipe.hgetall(names.held(shard, worker))
        for hour in hours:
            pipe.hgetall(names.rollup(shard, hour))
        pipe.hgetall(names.doubt(shard)).hgetall(names.unreadable(shard)).hgetall(names.books(shard))
        _queue_name_lists(pipe, shard)
        replies = pipe.execute()
        if _sorted_lists(replies[-4:]) != lists:
            continue
        rest = iter(replies)
        return Snapshot(
            scopes={f"key:{k}": next(rest) for k in key_ids}
            | {f"project:{p}": next(rest) for p in project_ids},
            held={worker: next(rest) for worker in workers},
            rollups=[next(rest) for _ in hours],
            doubt=next(rest),
            unreadable=next(rest),
            books=next(rest),
        )


def _queue_name_lists(pipe: Any, shard: str) -> None:
    pipe.zrange(names.keys(shard), 0, -1).zrange(names.projects(shard), 0, -1)
    pipe.smembers(names.workers(shard)).zrange(names.hours(shard), 0, -1)


def _name_lists(pipe: Any, shard: str) -> list[list[str]]:
    _queue_name_lists(pipe, shard)
    return _sorted_lists(pipe.execute())


def _sorted_lists(replies: list[Any]) -> list[list[str]]:
    return [sorted(reply) for reply in replies]


def _check_spent(snapshot: Snapshot) -> Iterator[str]:
    booked = {f: v for f, v in snapshot.books.items() if f.startswith("spent:")}
    for scope, record in snapshot.scopes.items():
        for counter, value in record.items():
            if not counter.startswith("spent:"):
                continue
            account = f"spent:{scope}:{counter.removeprefix('spent:')}"
            yield from _differ(f"{scope} {counter}", value, "the books", booked.pop(account, "0"))
    for account, value in booked.items():
        yield from _differ(f"the books' {account}", value, "its scope's counter", "0")


def _check_set_aside(snapshot: Snapshot, shard: str) -> Iterator[str]:
    for name in snapshot.unreadable:
        if not name.endswith("#"):
            yield f"hold {name} cannot be read; it is still counted and must be resolved by hand"
    expected: dict[tuple[str, str], int] = defaultdict(int)
    running: dict[str, int] = defaultdict(int)
    for fields in snapshot.held.values():
        yield from _add_up(fields, shard, "held", expected, running)
    yield from _add_up(snapshot.doubt, shard, "doubt", expected, None)
    for scope, record in snapshot.scopes.items():
        for counter, value in record.items():
            if counter.startswith(("held:", "doubt:")):
                yield from _differ(
                    f"{scope} {counter}", value, "its holds", str(expected.pop((scope, counter), 0))
                )
        yield from _differ(f"{scope} running", record.get("running", "0"), "its holds", str(running[scope]))
    for (scope, counter), amount in expected.items():
        yield from _differ(f"{scope} {counter}", "0", "its holds", str(amount))


def _add_up(
    fields: dict[str, str],
    shard: str,
    kind: str,
    expected: dict[tuple[str, str], int],
    running: dict[str, int] | None,
) -> Iterator[str]:
    for hold_id, record in fields.items():
        if hold_id.endswith(("#", "@")):
            continue
        try:
            hold, _ = hold_from_record(hold_id, shard, record, fields.get(hold_id + "#", ""))
        except (ValueError, KeyError, TypeError):
            yield f"hold {hold_id} cannot be read"
            continue
        for _, label, period in hold.scopes:
            expected[label, f"{kind}:{period}"] += hold.bound_nano_usd
            if running is not None:
                running[label] += 1


def _check_rollups(snapshot: Snapshot) -> Iterator[str]:
    rolled: dict[str, int] = defaultdict(int)
    costs = [item for fields in snapshot.rollups for item in fields.items() if item[0].endswith("|cost")]
    for name, value in costs:
        key_id, project, *_ = name.split("|")
        if (cost := _whole(value)) is None:
            yield f"the rollups' {name} is {value!r}, which is no number"
            continue
        rolled[f"key:{key_id}"] += cost
        rolled[f"project:{project}"] += cost
    for scope, record in snapshot.scopes.items():
        spent = [_whole(v) for f, v in record.items() if f.startswith("spent:")]
        known = sum(amount for amount in spent if amount is not None)
        if None not in spent:  # else it has been named already
            yield from _differ(
                f"{scope} spent in all periods", str(known), "the hourly rollups", str(rolled[scope])
            )


def _check_rows(client: Client, shard: str, snapshot: Snapshot) -> Iterator[str]:
    """Each row's balance is the one before it plus the row's cost; the last row's is the counter."""
    anchors = {f.removeprefix("row:"): v for f, v in snapshot.books.items() if f.startswith("row:")}
    for name in snapshot.books:
        if name.startswith("spent:") and name.removeprefix("spent:") not in anchors:
            yield f"the books do not say which is the last row of {name.removeprefix('spent:')}"
    if not anchors:
        return
    last = max(anchors.values(), key=_row_order)
    missing, first = dict(anchors), None
    balance: dict[str, int] = {}
    for row_id, row in _rows(client, shard, last):
        first = first or row_id
        yield from _check_overrun(row_id, row)
        for account, after in _balances(row):
            cost = int(row["cost"])
            before = balance.get(account, after - cost)
            if before + cost != after:
                yield f"row {row_id} of {account} says {after} after {cost}, but {before} was before it"
            balance[account] = after
            if anchors.get(account) == row_id:
                del missing[account]
                booked = snapshot.books.get(f"spent:{account}", "0")
                yield from _differ(f"last row of {account}", str(after), "the books", booked)
    yield from _check_missing(missing, first, last)


def _balances(row: dict[str, str]) -> Iterator[tuple[str, int]]:
    for name, value in row.items():
        if name.startswith("spent:"):
            yield name.removeprefix("spent:"), int(value)


def _check_overrun(row_id: str, row: dict[str, str]) -> Iterator[str]:
    if (row["overrun"] == "1") != (int(row["cost"]) > int(row["bound"])):
        told = f"overrun {row['overrun']}"
        yield f"row {row_id} cost {row['cost']} of a hold of {row['bound']}, but says {told}"


def _check_missing(missing: dict[str, str], first: str | None, last: str) -> Iterator[str]:
    """Trimming takes the oldest rows of a shard and never its newest: no other row may be gone."""
    for account, row_id in missing.items():
        if row_id == last or (first is not None and _row_order(row_id) > _row_order(first)):
            yield f"row {row_id}, the last one of {account}, is gone"


def _rows(client: Client, shard: str, last: str) -> Iterator[tuple[str, dict[str, str]]]:
    start = "-"
    while page := client.xrange(names.ledger(shard), min=start, max=last, count=PAGE):
        yield from page
        start = "(" + page[-1][0]


def _row_order(row_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in row_id.split("-"))


def _differ(what: str, value: str, other: str, expected: str) -> Iterator[str]:
    found, wanted = _whole(value), _whole(expected)
    if found is None or wanted is None:
        yield f"{what} is {value!r}, {other} say {expected!r}: not both are numbers"
    elif found != wanted:
        yield f"{what} is {value}, {other} say {expected}: off by {found - wanted}"


def _whole(value: str) -> int | None:
    """What Redis can count with; None for any other text."""
    try:
        return int(value)
    except ValueError:
        return None
