"""Requests, tokens and calls at once: a bucket of a minute each, by a clock that the test holds."""

from contextlib import suppress

import pytest

from service.errors import RateLimited
from service.ledger.holds import Account, Demand
from tests.ledger.conftest import Bench

# Later than Redis' own clock, which settle goes by: what it adds to the bucket is then exact.
START_US = 4_000_000_000_000_000
MINUTE_US = 60_000_000


def _call(bench: Bench, account: Account, *, at_us: int, tokens: int = 0) -> list[object]:
    """The raw reply."""
    with suppress(RateLimited):
        bench.demand(account, Demand(tokens, 0, 0, 0, 0), now_us=at_us)
    return bench.ledger.reply


@pytest.mark.parametrize("limit", [1, 2, 7, 11, 13, 60, 97])
def test_so_many_requests_pass_at_once_and_one_more_does_not(bench: Bench, limit: int) -> None:
    account = bench.key(rpm=limit)
    words = [_call(bench, account, at_us=START_US)[0] for _ in range(limit + 1)]
    assert words == ["admitted"] * limit + ["rate_limited"]


@pytest.mark.parametrize("limit", [1, 7, 60])
def test_retry_after_is_when_the_next_request_passes(bench: Bench, limit: int) -> None:
    account = bench.key(rpm=limit)
    while (reply := _call(bench, account, at_us=START_US))[0] == "admitted":
        pass
    word, kind, scope, _, told, wait_ms = reply
    assert (word, kind, scope, told) == ("rate_limited", "requests", 1, limit)
    assert isinstance(wait_ms, int)
    assert _call(bench, account, at_us=START_US + (wait_ms - 1) * 1000)[0] == "rate_limited"
    assert _call(bench, account, at_us=START_US + wait_ms * 1000)[0] == "admitted"


def test_bucket_is_full_again_after_a_minute_and_never_more_than_full(bench: Bench) -> None:
    account = bench.key(rpm=3)
    for _ in range(3):
        _call(bench, account, at_us=START_US)
    hour_later = START_US + 60 * MINUTE_US
    words = [_call(bench, account, at_us=hour_later)[0] for _ in range(4)]
    assert words == ["admitted", "admitted", "admitted", "rate_limited"]


def test_steady_requests_at_the_limit_all_pass(bench: Bench) -> None:
    account = bench.key(rpm=60)
    for second in range(130):
        assert _call(bench, account, at_us=START_US + second * 1_000_000)[0] == "admitted"


@pytest.mark.parametrize("limit", [7, 100])
def test_tokens_of_the_prompt_fill_the_bucket(bench: Bench, limit: int) -> None:
    account = bench.key(tpm=limit)
    for _ in range(limit):
        assert _call(bench, account, at_us=START_US, tokens=1)[0] == "admitted"
    word, kind, scope, _, told, wait_ms = _call(bench, account, at_us=START_US, tokens=1)
    assert (word, kind, scope, told) == ("rate_limited", "tokens", 1, limit)
    assert wait_ms == -(-60_000 // limit)


def test_call_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_off_after(bench: Bench) -> None:
    account = bench.key(tpm=1000)
    assert _call(bench, account, at_us=START_US, tokens=3000)[0] == "admitted"
    reply = _call(bench, account, at_us=START_US, tokens=1)
    assert reply[-1] == 120_060  # three minutes less the bucket, and the token's own 60 ms
    assert _call(bench, account, at_us=START_US + 2 * MINUTE_US + 60_000, tokens=1)[0] == "admitted"


def test_settle_adds_the_output_to_the_tokens(bench: Bench) -> None:
    account = bench.key(tpm=1000)
    hold = bench.demand(account, Demand(400, 0, 0, 0, 0), now_us=START_US)
    bench.settle(hold, 0, output_tokens=500)
    assert _call(bench, account, at_us=START_US, tokens=100)[0] == "admitted"
    assert _call(bench, account, at_us=START_US, tokens=1)[:2] == ["rate_limited", "tokens"]


def test_calls_at_once_count_until_they_end(bench: Bench) -> None:
    account = bench.key(max_concurrency=2)
    first, second = bench.reserve(account, 1), bench.reserve(account, 1)
    for end in (lambda: bench.settle(first, 1), lambda: bench.ledger.doubt(second, "unanswered")):
        assert _call(bench, account, at_us=START_US)[:3] == ["rate_limited", "concurrency", 1]
        end()
        assert _call(bench, account, at_us=START_US)[0] == "admitted"


def test_release_and_cancel_end_a_call_too(bench: Bench) -> None:
    account = bench.key(max_concurrency=1)
    bench.ledger.release(bench.reserve(account, 1))
    bench.ledger.cancel(bench.reserve(account, 1))
    assert bench.reserve(account, 1).bound_nano_usd == 1


@pytest.mark.parametrize(("kind", "limits"), [("requests", {"rpm": 1}), ("tokens", {"tpm": 10})])
def test_refusal_by_the_project_takes_nothing_from_the_key(
    bench: Bench, kind: str, limits: dict[str, int]
) -> None:
    bench.set_project(**limits)
    account = bench.key(rpm=100, tpm=100)
    assert _call(bench, account, at_us=START_US, tokens=10)[0] == "admitted"
    before = bench.everything()
    assert _call(bench, account, at_us=START_US, tokens=10)[:3] == ["rate_limited", kind, 2]
    assert bench.everything() == before


def test_refusal_over_a_rate_tells_callers_when_to_come_back(bench: Bench) -> None:
    account = bench.key(body={"name": "demo"}, rpm=1)
    bench.reserve(account, 1, now_us=START_US)
    with pytest.raises(RateLimited) as caught:
        bench.reserve(account, 1, now_us=START_US + 500_000)
    error = caught.value
    assert error.message == "Key 'demo' is limited to 1 requests per minute."
    assert (error.type, error.code, error.status) == ("requests", "rate_limit_exceeded", 429)
    assert error.headers == {
        "Retry-After": "60",
        "retry-after-ms": "59500",
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "59500ms",
    }
