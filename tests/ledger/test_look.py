"""Looking at what a reserve would say: the same answers, and not a byte is written."""

import pytest

from service.errors import InsufficientQuota, RateLimited
from service.ledger.holds import Demand
from tests.ledger.conftest import Bench

UNCAPPED = Demand(
    input_tokens=5, input_pico_usd=750_000, output_pico_usd=600_000, cap_tokens=16_384, floor_tokens=512
)


def test_look_says_what_a_reserve_would_and_takes_nothing(bench: Bench) -> None:
    account = bench.key(hard=10_000_000, rpm=1, tpm=100, max_concurrency=1)
    before = bench.everything()
    looks = [bench.ledger.look(account, UNCAPPED, model="gpt-4o-mini") for _ in range(3)]
    assert bench.everything() == before
    hold = bench.demand(account, UNCAPPED)
    for look in looks:
        assert (look.bound_nano_usd, look.cap_tokens) == (hold.bound_nano_usd, hold.cap_tokens)
        assert look.remaining_nano_usd == hold.remaining_nano_usd


def test_look_is_refused_for_what_a_reserve_would_be(bench: Bench) -> None:
    poor, busy = bench.key(hard=1), bench.key(rpm=1)
    bench.reserve(busy, 1)
    before = bench.everything()
    with pytest.raises(InsufficientQuota):
        bench.ledger.look(poor, UNCAPPED, model="gpt-4o-mini")
    with pytest.raises(RateLimited):
        bench.ledger.look(busy, UNCAPPED, model="gpt-4o-mini")
    assert bench.everything() == before
