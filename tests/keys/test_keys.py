"""Keys on a real Redis: secrets that are shown once, names that are unique, changes that hold at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service import secrets
from service.errors import Conflict, Forbidden, InvalidRequest, LedgerUnavailable, NotFound, Unauthenticated
from service.keys import Key, Keys
from service.ledger import names
from service.ledger.globs import lua_patterns, matches
from service.schemas.admin import load_key_create, load_key_update
from service.wiring import Stores
from tests.conftest import MakeKey, Spend, TakeHold


class NoRedis:
    """A client that must not be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"Redis was asked ({name})")


def everything_in(client: Any) -> str:
    """All names and all values of a Redis, as one text."""
    readers = {
        "string": client.get,
        "hash": client.hgetall,
        "set": client.smembers,
        "zset": lambda name: client.zrange(name, 0, -1),
        "stream": client.xrange,
    }
    return " ".join(f"{name} {readers[client.type(name)](name)}" for name in client.scan_iter(count=1000))


def at_once(threads: int, work: Callable[[int], Any]) -> list[Any]:
    """The results (or errors) of so many threads that begin at the same moment."""
    start = threading.Barrier(threads)

    def run(number: int) -> Any:
        start.wait()
        try:
            return work(number)
        except Conflict as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def ms_later(key: Key, seconds: float) -> int:
    """A moment so long after the key was read, in microseconds, for the ledger's injected clock."""
    return key.now_ms * 1_000 + int(seconds * 1_000_000)


# Secrets


def test_secret_is_kept_nowhere_but_its_hash_is(stores: Stores, make_key: MakeKey) -> None:
    key, secret = make_key()
    kept = everything_in(stores.client)
    assert secret not in kept
    assert secret.removeprefix("sk-sg-")[:-4] not in kept
    assert secrets.secret_hash(secret) in kept
    assert key.record[f"hint:{secrets.secret_hash(secret)}"] == f"{secret[:7]}...{secret[-4:]}"


def test_secret_finds_its_account(stores: Stores, make_key: MakeKey, project: str) -> None:
    key, secret = make_key()
    account = stores.keys.authenticate(secret)
    assert (account.key_id, account.project) == (key.id, project)
    assert [scope.label for scope in account.scopes] == [f"key:{key.id}", f"project:{project}"]
    assert secret[6] == names.shard_of_project(project) == key.id[4]


@pytest.mark.parametrize("position", [0, 5, 6, 7, 20, 38, 39, 44])
def test_mistyped_secret_is_refused_without_redis(position: int) -> None:
    secret = secrets.new_api_key("3")
    mistyped = secret[:position] + ("x" if secret[position] != "x" else "y") + secret[position + 1 :]
    keys = Keys(NoRedis(), None, None)  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated) as caught:
        keys.authenticate(mistyped)
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    "text",
    ["", "sk-sg-", "sk-", "é" * 45, secrets.new_admin_key(), " " * 45],
    ids=["nothing", "a prefix", "a shorter one", "other letters", "an admin key", "blanks"],
)
def test_text_that_is_no_key_is_refused_without_redis(text: str) -> None:
    with pytest.raises(Unauthenticated):
        Keys(NoRedis(), None, None).authenticate(text)  # type: ignore[arg-type]


def test_wellformed_secret_of_nobody_is_refused(stores: Stores) -> None:
    with pytest.raises(Unauthenticated) as caught:
        stores.keys.authenticate(secrets.new_api_key("0"))
    assert caught.value.code == "invalid_api_key"


def test_silent_redis_is_no_wrong_key(make_key: MakeKey, project: str) -> None:
    from service.config import Settings
    from service.wiring import open_stores

    _, secret = make_key()
    nobody = open_stores(Settings(), "unix:///nonexistent/redis.sock")
    with pytest.raises(LedgerUnavailable):
        nobody.keys.authenticate(secret)


# Names


def test_name_is_unique_in_its_project_only(stores: Stores, make_key: MakeKey, project: str) -> None:
    make_key(name="demo")
    with pytest.raises(Conflict) as caught:
        make_key(name="demo")
    assert caught.value.param == "name"
    other, _ = make_key(name="demo", project=f"{project}-2")
    assert stores.keys.find("demo", f"{project}-2").id == other.id


def test_of_twenty_parallel_creations_of_a_name_one_wins(
    stores: Stores, make_key: MakeKey, project: str
) -> None:
    results = at_once(20, lambda _: make_key(name="demo"))
    winners = [result for result in results if isinstance(result, tuple)]
    assert len(winners) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19
    shard = names.shard_of_project(project)
    assert stores.client.hgetall(names.key_names(shard, project)) == {"demo": winners[0][0].id}
    assert [key.id for key in stores.keys.all() if key.record["project"] == project] == [winners[0][0].id]


def test_of_parallel_renames_to_a_name_one_wins(stores: Stores, make_key: MakeKey, project: str) -> None:
    made = [make_key()[0] for _ in range(10)]
    results = at_once(10, lambda n: stores.keys.update(made[n].id, {"name": "best"}))
    assert sum(isinstance(result, Key) for result in results) == 1
    taken = stores.client.hgetall(names.key_names(names.shard_of_project(project), project))
    assert len(taken) == 10
    assert {key_id: name for name, key_id in taken.items()} == {
        key.id: stores.keys.get(key.id).record["name"] for key in made
    }


def test_parallel_renames_of_one_key_leave_one_name(stores: Stores, make_key: MakeKey, project: str) -> None:
    key, _ = make_key(name="first")
    at_once(10, lambda n: stores.keys.update(key.id, {"name": f"name-{n}"}))
    taken = stores.client.hgetall(names.key_names(names.shard_of_project(project), project))
    assert taken == {stores.keys.get(key.id).record["name"]: key.id}


def test_rename_frees_the_old_name(stores: Stores, make_key: MakeKey, project: str) -> None:
    key, _ = make_key(name="old")
    stores.keys.update(key.id, {"name": "new"})
    other, _ = make_key(name="old")
    assert stores.keys.find("new", project).id == key.id
    assert stores.keys.find("old", project).id == other.id


def test_revoked_key_gives_its_name_up_for_good(stores: Stores, make_key: MakeKey, project: str) -> None:
    old, _ = make_key(name="demo")
    stores.keys.revoke(old.id)
    with pytest.raises(NotFound):
        stores.keys.find("demo", project)
    new, _ = make_key(name="demo")
    stores.keys.revoke(old.id)
    assert stores.keys.find("demo", project).id == new.id


def test_name_in_two_projects_is_told_apart_by_id(stores: Stores, make_key: MakeKey, project: str) -> None:
    name = f"twin-{project}"
    one, _ = make_key(name=name)
    make_key(name=name, project=f"{project}-2")
    with pytest.raises(Conflict, match="use its id"):
        stores.keys.find(name)
    assert stores.keys.find(one.id).id == one.id


@pytest.mark.parametrize("key_id", ["", "key_", "key_z123", "key_0", "key_0x", "key_0:*", "{sg0}:keys"])
def test_unknown_id_is_not_found(stores: Stores, key_id: str) -> None:
    with pytest.raises(NotFound):
        stores.keys.get(key_id)


# Revoking and expiring


def test_revoked_key_is_refused_by_a_worker_that_remembers_it(
    stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, secret = make_key()
    stores.ledger.release(take_hold(secret))
    stores.keys.revoke(key.id)
    with pytest.raises(Unauthenticated) as caught:
        take_hold(secret)
    assert caught.value.code == "key_revoked"
    with pytest.raises(Unauthenticated) as caught:
        stores.keys.current(stores.keys.authenticate(secret))
    assert caught.value.code == "key_revoked"


def test_revoking_keeps_the_books(stores: Stores, make_key: MakeKey, spend: Spend) -> None:
    key, secret = make_key(hard_limit_usd="1")
    spend(secret, 48_300)
    revoked = stores.keys.revoke(key.id)
    assert (revoked.status, revoked.balance.spent, revoked.balance.hard) == ("revoked", 48_300, 10**9)


def test_revoked_key_can_be_neither_changed_nor_rotated(stores: Stores, make_key: MakeKey) -> None:
    key, _ = make_key()
    before = stores.keys.revoke(key.id).record
    for change in (
        lambda: stores.keys.update(key.id, {"hard_limit_nano_usd": 1}),
        lambda: stores.keys.update(key.id, {"name": "again"}),
        lambda: stores.keys.rotate(key.id, 0),
    ):
        with pytest.raises(Conflict):
            change()
    assert stores.keys.get(key.id).record == before


def test_key_expires_at_its_moment(stores: Stores, make_key: MakeKey, take_hold: TakeHold) -> None:
    key, secret = make_key(expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    expires_us = int(key.record["expires_at"]) * 1_000
    stores.ledger.release(take_hold(secret, now_us=expires_us - 1_000))
    with pytest.raises(Unauthenticated) as caught:
        take_hold(secret, now_us=expires_us)
    assert caught.value.code == "key_expired"
    assert key.status == "active"
    assert (
        Key(key.id, key.shard, key.record, key.period, key.balance, expires_us // 1_000).status == "expired"
    )


def test_key_cannot_be_made_or_changed_to_have_expired(
    stores: Stores, make_key: MakeKey, project: str
) -> None:
    past = "2020-01-01T00:00:00Z"
    with pytest.raises(InvalidRequest) as caught:
        make_key(name="late", expires_at=past)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "expires_at")
    assert not stores.client.exists(names.key_names(names.shard_of_project(project), project))
    key, _ = make_key()
    with pytest.raises(InvalidRequest):
        stores.keys.update(key.id, load_key_update({"expires_at": past}))
    assert "expires_at" not in stores.keys.get(key.id).record


# Rotating


def test_rotation_without_overlap_kills_the_old_secret_at_once(
    stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, old = make_key()
    stores.ledger.release(take_hold(old))
    rotated, new = stores.keys.rotate(key.id, 0)
    with pytest.raises(Unauthenticated) as caught:
        take_hold(old)
    assert caught.value.code == "invalid_api_key"
    assert rotated.secret_hashes == [secrets.secret_hash(new)]
    assert not stores.client.exists(names.secret(key.shard, secrets.secret_hash(old)))
    assert stores.ledger.release(take_hold(new))


def test_rotation_with_overlap_lets_both_work_until_it_ends(
    stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, old = make_key()
    rotated, new = stores.keys.rotate(key.id, 60)
    assert rotated.record[f"secret:{secrets.secret_hash(new)}"] == "0"
    old_ends_us = int(rotated.record[f"secret:{secrets.secret_hash(old)}"]) * 1_000
    assert ms_later(key, 60) <= old_ends_us <= ms_later(key, 70)
    for secret in (old, new):
        stores.ledger.release(take_hold(secret, now_us=old_ends_us - 1_000))
    with pytest.raises(Unauthenticated):
        take_hold(old, now_us=old_ends_us)
    stores.ledger.release(take_hold(new, now_us=old_ends_us))


def test_both_secrets_spend_from_one_budget(stores: Stores, make_key: MakeKey, spend: Spend) -> None:
    key, old = make_key()
    spend(old, 100)
    _, new = stores.keys.rotate(key.id, 60)
    spend(old, 20)
    spend(new, 3)
    assert stores.keys.get(key.id).balance.spent == 123


def test_third_secret_ends_the_first(stores: Stores, make_key: MakeKey, take_hold: TakeHold) -> None:
    key, first = make_key()
    _, second = stores.keys.rotate(key.id, 3600)
    rotated, third = stores.keys.rotate(key.id, 3600)
    assert sorted(rotated.secret_hashes) == sorted(map(secrets.secret_hash, (second, third)))
    with pytest.raises(Unauthenticated):
        take_hold(first)


def test_parallel_rotations_leave_two_secrets_at_most(stores: Stores, make_key: MakeKey) -> None:
    key, _ = make_key()
    made = [secret for _, secret in at_once(10, lambda _: stores.keys.rotate(key.id, 3600))]
    hashes = stores.keys.get(key.id).secret_hashes
    assert len(hashes) == 2
    kept = [each for each in made if stores.client.exists(names.secret(key.shard, secrets.secret_hash(each)))]
    assert sorted(map(secrets.secret_hash, kept)) == sorted(hashes)


@pytest.mark.parametrize("meanwhile", ["rotate", "rename", "revoke"])
def test_change_of_a_key_that_was_changed_meanwhile_begins_again(
    stores: Stores, lost_worker: Stores, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    key, _ = make_key()
    others = {
        "rotate": lambda: lost_worker.keys.rotate(key.id, 3600),
        "rename": lambda: lost_worker.keys.update(key.id, {"name": "renamed"}),
        "revoke": lambda: lost_worker.keys.revoke(key.id),
    }
    read, reads = stores.keys.get, iter(range(100))

    def read_and_be_overtaken(key_id: str) -> Key:
        found = read(key_id)
        if next(reads) == 2:  # The read inside the transaction, after its WATCH.
            others[meanwhile]()
        return found

    monkeypatch.setattr(stores.keys, "get", read_and_be_overtaken)
    if meanwhile == "revoke":
        with pytest.raises(Conflict):
            stores.keys.rotate(key.id, 3600)
    else:
        stores.keys.rotate(key.id, 3600)
    now = read(key.id)
    assert len(now.secret_hashes) == {"rotate": 2, "rename": 2, "revoke": 1}[meanwhile]
    assert now.status == ("revoked" if meanwhile == "revoke" else "active")
    taken = stores.client.hgetall(names.key_names(key.shard, key.record["project"]))
    assert taken == ({} if meanwhile == "revoke" else {now.record["name"]: key.id})


# Settings


def test_unset_thresholds_are_the_default_again(stores: Stores, make_key: MakeKey) -> None:
    key, _ = make_key(alert_thresholds=[10])
    assert key.alert_thresholds == [10]
    assert stores.keys.update(key.id, {"alert_thresholds": []}).alert_thresholds == []
    cleared = stores.keys.update(key.id, load_key_update({"alert_thresholds": None}))
    assert cleared.alert_thresholds == [50, 80, 100]


def test_null_takes_a_limit_away_and_what_was_spent_stays(
    stores: Stores, make_key: MakeKey, spend: Spend
) -> None:
    key, secret = make_key(hard_limit_usd="1", models=["gpt-*"])
    spend(secret, 5)
    changed = stores.keys.update(key.id, load_key_update({"hard_limit_usd": None, "models": None}))
    assert (changed.balance.hard, changed.balance.remaining, changed.balance.spent) == (None, None, 5)
    assert not {"models", "models_lua", "hard"} & changed.record.keys()


def test_every_key_is_listed_once_the_oldest_first(stores: Stores, make_key: MakeKey, project: str) -> None:
    made = {make_key(project=f"{project}-{n}")[0].id for n in range(5)}
    listed = [key for key in stores.keys.all() if key.id in made]
    assert {key.id for key in listed} == made
    assert len(listed) == 5
    times = [int(key.record["created_at"]) for key in listed]
    assert times == sorted(times)


GLOBS = [
    ("gpt-4o", "gpt-4o", True),
    ("gpt-4o", "gpt-4o-mini", False),
    ("gpt-4o", "xgpt-4o", False),
    ("gpt-4o*", "gpt-4o", True),
    ("gpt-4o*", "gpt-4o-mini", True),
    ("gpt-4o*", "gpt-4", False),
    ("*-mini", "o4-mini", True),
    ("*-mini", "o4-mini-2025", False),
    ("gpt-?o", "gpt-4o", True),
    ("gpt-?o", "gpt-o", False),
    ("gpt-4.1", "gpt-4x1", False),
    ("gpt-4.1", "gpt-4.1", True),
    ("ft:*:acme:*", "ft:gpt-4o:acme::abc", True),
    ("ft:*:acme:*", "ft:gpt-4o:other::abc", False),
    ("a-b", "ab", False),
    ("a-b", "aab", False),
    ("*", "", True),
    ("*", "anything at all", True),
    ("GPT-4o", "gpt-4o", False),
    ("m/x_1", "m/x_1", True),
    ("m%d", "m%d", True),
    ("m%d", "m5", False),
    ("[ab]", "a", False),
    ("(a)+$^", "(a)+$^", True),
    ("*a*b*c", "xxaxxbxxc", True),
    ("*a*b*c", "xxaxxcxxb", False),
]


@pytest.mark.parametrize(("glob", "model", "allowed"), GLOBS)
def test_glob_means_the_same_in_lua_and_python(stores: Stores, glob: str, model: str, allowed: bool) -> None:
    in_lua = stores.client.eval(
        "return string.find(ARGV[1], ARGV[2]) and 1 or 0", 0, model, lua_patterns([glob])
    )
    assert (bool(in_lua), matches([glob], model)) == (allowed, allowed)


def test_model_outside_the_list_is_refused_and_nothing_held(
    stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    key, secret = make_key(models=["o4-*", "gpt-4o"])
    stores.ledger.release(take_hold(secret, model="gpt-4o"))
    stores.ledger.release(take_hold(secret, model="o4-mini"))
    with pytest.raises(Forbidden) as caught:
        take_hold(secret, model="gpt-4o-mini")
    assert caught.value.code == "model_not_allowed"
    assert stores.keys.get(key.id).balance.held == 0


def test_longest_list_of_globs_works(stores: Stores, take_hold: TakeHold, project: str) -> None:
    globs = [f"model-{n:02d}-{'x' * 100}*" for n in range(64)]
    _, secret = stores.keys.create(load_key_create({"name": "wide", "project": project, "models": globs}))
    assert stores.ledger.release(take_hold(secret, model=f"model-63-{'x' * 100}yz"))
