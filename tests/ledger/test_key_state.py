"""What the reserve script reads of a key before it looks at money: state, secrets, models."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.errors import Forbidden, Unauthenticated
from service.ledger.holds import Account
from tests.ledger.conftest import Bench

EXPIRY = datetime(2100, 1, 1, tzinfo=UTC)
EXPIRY_US = int(EXPIRY.timestamp()) * 1_000_000


def _reply(bench: Bench, account: Account, *, model: str = "gpt-4o-mini", now_us: int | None = None) -> str:
    """The status word of a reserve; a refusal must leave no trace."""
    before = bench.everything()
    try:
        bench.reserve(account, 1, model=model, now_us=now_us)
    except (Unauthenticated, Forbidden):
        assert bench.everything() == before
    return str(bench.ledger.reply[0])


def test_revoked_key_is_refused(bench: Bench) -> None:
    account = bench.key()
    assert _reply(bench, account) == "admitted"
    bench.keys.revoke(account.key_id)
    assert _reply(bench, account) == "key_revoked"


def test_key_expires_to_the_millisecond(bench: Bench) -> None:
    account = bench.key(body={"expires_at": EXPIRY.isoformat()})
    assert _reply(bench, account, now_us=EXPIRY_US - 1) == "admitted"
    assert _reply(bench, account, now_us=EXPIRY_US) == "key_expired"


def test_revoked_is_told_before_expired(bench: Bench) -> None:
    account = bench.key(body={"expires_at": EXPIRY.isoformat()})
    bench.keys.revoke(account.key_id)
    assert _reply(bench, account, now_us=EXPIRY_US) == "key_revoked"


def test_secret_of_nobody_is_unknown(bench: Bench) -> None:
    assert _reply(bench, replace(bench.key(), secret_hash="0" * 64)) == "unknown_key"


def test_key_whose_record_is_gone_is_unknown(bench: Bench) -> None:
    account = bench.key()
    bench.client.delete(account.scopes[0].name)
    assert _reply(bench, account) == "unknown_key"


def test_rotated_secret_works_until_its_overlap_ends(bench: Bench) -> None:
    old = bench.key()
    _, secret = bench.keys.rotate(old.key_id, 3600)
    new = bench.keys.authenticate(secret)
    ends_us = int(bench.client.hget(old.scopes[0].name, f"secret:{old.secret_hash}")) * 1_000
    assert _reply(bench, old, now_us=ends_us - 1) == "admitted"
    assert _reply(bench, old, now_us=ends_us) == "unknown_key"
    assert _reply(bench, new, now_us=ends_us) == "admitted"


def test_secret_rotated_without_overlap_is_dead_at_once(bench: Bench) -> None:
    old = bench.key()
    bench.keys.rotate(old.key_id, 0)
    assert _reply(bench, old) == "unknown_key"


@pytest.mark.parametrize(
    ("globs", "model", "word"),
    [
        (["gpt-4o"], "gpt-4o", "admitted"),
        (["gpt-4o"], "gpt-4o-mini", "model_not_allowed"),
        (["gpt-4o*"], "gpt-4o-mini", "admitted"),
        (["*mini"], "gpt-4o-mini", "admitted"),
        (["gpt-?o"], "gpt-4o", "admitted"),
        (["gpt-?o"], "gpt-44o", "model_not_allowed"),
        (["gpt-4.1"], "gpt-4x1", "model_not_allowed"),
        (["o3", "gpt-*-mini"], "gpt-4o-mini", "admitted"),
        (["*"], "anything at\nall", "admitted"),
        (["gpt-4o"], "gpt-4o\nx", "model_not_allowed"),
        (["GPT-4o"], "gpt-4o", "model_not_allowed"),
    ],
)
def test_globs_name_the_models_of_a_key(bench: Bench, globs: list[str], model: str, word: str) -> None:
    assert _reply(bench, bench.key(body={"models": globs}), model=model) == word


def test_state_is_told_before_the_budget(bench: Bench) -> None:
    account = bench.key(hard=0)
    bench.keys.revoke(account.key_id)
    assert _reply(bench, account) == "key_revoked"


def test_admission_notes_when_the_key_was_used(bench: Bench) -> None:
    account = bench.key()
    bench.reserve(account, 1, now_us=EXPIRY_US)
    assert bench.client.hget(account.scopes[0].name, "last_used_at") == str(EXPIRY_US // 1000)
