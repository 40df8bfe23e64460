"""`spendgate keys`."""

from typing import Any

import pytest

from service.wiring import Stores
from tests.cli.conftest import Run
from tests.conftest import MakeKey, Spend, TakeHold, oldest_first


def test_secret_stands_alone_on_its_line(run: Run, stores: Stores, project: str) -> None:
    made = run("keys", "create", "demo", "--project", project, "--hard-limit-usd", "5")
    [secret] = made.stdout.splitlines()
    key = stores.keys.get(stores.keys.authenticate(secret).key_id)
    assert (key.record["name"], key.record["project"], key.balance.hard) == ("demo", project, 5 * 10**9)
    assert key.id in made.stderr
    assert secret not in made.stderr


def test_every_option_reaches_the_key(run: Run, project: str) -> None:
    options = {
        "--project": project,
        "--soft-limit-usd": "0.000000001",
        "--hard-limit-usd": "5",
        "--period": "week",
        "--timezone": "Asia/Tokyo",
        "--default-max-output-tokens": "100",
        "--requests-per-minute": "10",
        "--tokens-per-minute": "20",
        "--max-concurrency": "2",
        "--expires-at": "2099-01-01T00:00:00Z",
    }
    lists = ("--alert-threshold", "80", "--alert-threshold", "90", "--model", "gpt-4o*", "--model", "o4-?")
    pairs = ("--metadata", "team=a", "--metadata", "note=b=c")
    flat = [part for pair in options.items() for part in pair]
    made = run("keys", "create", "demo", *flat, *lists, *pairs, "--json").json
    expected: dict[str, Any] = {
        "name": "demo",
        "project": project,
        "soft_limit_usd": "0.000000001",
        "hard_limit_usd": "5.000000000",
        "period": "week",
        "timezone": "Asia/Tokyo",
        "default_max_output_tokens": 100,
        "requests_per_minute": 10,
        "tokens_per_minute": 20,
        "max_concurrency": 2,
        "expires_at": "2099-01-01T00:00:00Z",
        "alert_thresholds": [80, 90],
        "models": ["gpt-4o*", "o4-?"],
        "metadata": {"team": "a", "note": "b=c"},
        "status": "active",
    }
    assert expected.items() <= made.items()
    assert made["key"].startswith("sk-sg-")


def test_admin_key_is_made_and_works(run: Run, stores: Stores) -> None:
    [secret] = run("keys", "create", "ops", "--admin").stdout.splitlines()
    assert secret.startswith("sk-sg-admin-")
    assert stores.admins.is_admin(secret)
    assert run("keys", "create", "ops", "--admin", "--hard-limit-usd", "5", status=2).stdout == ""


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        (("--hard-limit-usd", "a lot"), 1, "Error: Invalid value for 'hard_limit_usd'"),
        (("--period", "year"), 1, "Error: Invalid value for 'period'"),
        (("--max-concurrency", "0"), 1, "Error: Invalid value for 'max_concurrency'"),
        (("--expires-at", "2020-01-01T00:00:00Z"), 1, "Error: Invalid value for 'expires_at'"),
        (("--max-concurrency", "two"), 2, "'--max-concurrency'"),
        (("--metadata", "nothing"), 2, "'--metadata'"),
        (("--nonsense",), 2, "No such option"),
    ],
)
def test_wrong_option_is_one_line_and_makes_no_key(
    run: Run, stores: Stores, project: str, options: tuple[str, ...], status: int, told: str
) -> None:
    ran = run("keys", "create", "demo", "--project", project, *options, status=status)
    assert told in ran.stderr
    assert ran.stdout == ""
    if status == 1:
        assert len(ran.stderr.splitlines()) == 1
    assert [key for key in stores.keys.all() if key.record["project"] == project] == []


def test_key_is_found_by_id_and_by_name(run: Run, make_key: MakeKey, spend: Spend, project: str) -> None:
    key, secret = make_key(name=f"n-{project}", hard_limit_usd="1")
    spend(secret, 48_300)
    by_id = run("keys", "show", key.id, "--json").json
    assert by_id == run("keys", "show", f"n-{project}", "--json").json
    assert (by_id["spent_usd"], by_id["remaining_usd"]) == ("0.000048300", "0.999951700")
    shown = run("keys", "show", key.id).stdout
    assert "\nspent_usd:                 0.000048300\n" in shown
    assert run("keys", "show", "nobody", status=1).stderr == "Error: There is no key 'nobody'.\n"


def test_list_shows_every_key(run: Run, make_key: MakeKey) -> None:
    made = oldest_first([make_key()[0] for _ in range(3)])
    listed = [key["id"] for key in run("keys", "list", "--json").json]
    assert [key_id for key_id in listed if key_id in made] == made
    lines = run("keys", "list").stdout.splitlines()
    assert lines[0].split()[:3] == ["id", "name", "project"]
    assert sum(line.startswith(made[0]) for line in lines) == 1


def test_update_changes_what_is_given_and_clears_what_is_named(run: Run, make_key: MakeKey) -> None:
    key, _ = make_key(hard_limit_usd="1", soft_limit_usd="0.5", models=["gpt-*"])
    args = ("--hard-limit-usd", "2", "--clear", "soft-limit-usd", "--clear", "models", "--name", "renamed")
    changed = run("keys", "update", key.id, *args, "--json").json
    assert (changed["hard_limit_usd"], changed["soft_limit_usd"], changed["models"]) == (
        *("2.000000000", None),
        None,
    )
    assert changed["name"] == "renamed"
    assert "'period'" in run("keys", "update", key.id, "--clear", "period", status=1).stderr
    assert "Nothing to change" in run("keys", "update", key.id, status=2).stderr


def test_rotate_prints_the_new_secret_alone(run: Run, stores: Stores, make_key: MakeKey) -> None:
    key, old = make_key()
    [new] = run("keys", "rotate", key.id, "--overlap-seconds", "60").stdout.splitlines()
    assert new != old
    assert {stores.keys.authenticate(secret).key_id for secret in (old, new)} == {key.id}
    assert len(stores.keys.get(key.id).secret_hashes) == 2
    run("keys", "rotate", key.id)
    assert len(stores.keys.get(key.id).secret_hashes) == 1


def test_revoked_key_is_refused_from_then_on(
    run: Run, stores: Stores, make_key: MakeKey, take_hold: TakeHold
) -> None:
    from service.errors import Unauthenticated

    key, secret = make_key()
    stores.ledger.release(take_hold(secret))
    assert run("keys", "revoke", key.id, "--json").json["status"] == "revoked"
    with pytest.raises(Unauthenticated):
        take_hold(secret)


def test_control_characters_reach_no_terminal(run: Run, make_key: MakeKey) -> None:
    key, _ = make_key(metadata={"note": "\x1b[31mred"})
    assert "\x1b" not in run("keys", "show", key.id).stdout
