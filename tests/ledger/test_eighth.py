"""The cap of a call that names none: an eighth of what is left, never under the floor. Exact numbers."""

from dataclasses import replace

import pytest

from service.errors import InsufficientQuota
from service.ledger.holds import Demand
from tests.ledger.conftest import Bench

# gpt-4o-mini puts out at most 16,384 tokens, at 0.60 USD per million: 600 nano-USD a token.
UNCAPPED = Demand(
    input_tokens=0, input_pico_usd=0, output_pico_usd=600_000, cap_tokens=16_384, floor_tokens=512
)
WHOLE = 16_384 * 600


@pytest.mark.parametrize(
    ("hard", "cap"),
    [
        (2**53 - 1, 16_384),
        (8 * WHOLE, 16_384),  # an eighth is exactly enough
        (8 * WHOLE - 1, 16_383),
        (10_000_000, 2_083),  # 1,250,000 / 600
        (8 * 600 * 513, 513),
        (8 * 600 * 513 - 1, 512),
        (307_200, 512),  # an eighth would be 64 tokens: the floor, which takes all there is
    ],
)
def test_uncapped_call_holds_an_eighth_and_no_less_than_the_floor(bench: Bench, hard: int, cap: int) -> None:
    hold = bench.demand(bench.key(hard=hard), UNCAPPED)
    assert (hold.cap_tokens, hold.bound_nano_usd) == (cap, cap * 600)
    assert hold.remaining_nano_usd == hard - cap * 600


def test_less_than_the_floor_is_refused(bench: Bench) -> None:
    with pytest.raises(InsufficientQuota):
        bench.demand(bench.key(hard=307_199), UNCAPPED)
    assert bench.ledger.reply[:3] == ["refused", "exceeds_remaining", 1]


def test_floor_of_a_reasoning_model_is_its_own(bench: Bench) -> None:
    reasoning = replace(UNCAPPED, floor_tokens=4_096)
    assert bench.demand(bench.key(hard=10_000_000), reasoning).cap_tokens == 4_096


def test_spent_and_in_doubt_narrow_the_eighth_and_held_does_not(bench: Bench) -> None:
    account = bench.key(hard=10_000_000)
    bench.settle(bench.reserve(account, 1_000_000), 1_000_000)
    bench.ledger.doubt(bench.reserve(account, 1_000_000), "unanswered")
    bench.reserve(account, 1_000_000)
    # 8,000,000 / 8 / 600
    assert bench.demand(account, UNCAPPED).cap_tokens == 1_666


@pytest.mark.parametrize(("key_hard", "project_hard"), [(10_000_000, 5_000_000), (5_000_000, 10_000_000)])
def test_tighter_of_two_scopes_decides(bench: Bench, key_hard: int, project_hard: int) -> None:
    bench.set_project(hard=project_hard)
    assert bench.demand(bench.key(hard=key_hard), UNCAPPED).cap_tokens == 1_041


def test_without_a_limit_there_is_no_eighth(bench: Bench) -> None:
    hold = bench.demand(bench.key(), UNCAPPED)
    assert (hold.cap_tokens, hold.bound_nano_usd, hold.remaining_nano_usd) == (16_384, WHOLE, None)


def test_own_cap_of_the_caller_is_not_touched(bench: Bench) -> None:
    own = replace(UNCAPPED, cap_tokens=16_000, floor_tokens=0)
    assert bench.demand(bench.key(hard=10_000_000), own).cap_tokens == 16_000


@pytest.mark.parametrize(("default", "cap"), [(100, 100), (3_000, 3_000), (99_999, 16_384)])
def test_default_of_the_key_stands_in_for_the_eighth(bench: Bench, default: int, cap: int) -> None:
    account = bench.key(hard=10_000_000, default_max_output_tokens=default)
    assert bench.demand(account, UNCAPPED).cap_tokens == cap


def test_default_of_the_key_leaves_an_own_cap_alone(bench: Bench) -> None:
    own = replace(UNCAPPED, cap_tokens=700, floor_tokens=0)
    assert bench.demand(bench.key(default_max_output_tokens=100), own).cap_tokens == 700


def test_free_output_is_not_narrowed(bench: Bench) -> None:
    free = replace(UNCAPPED, output_pico_usd=0)
    hold = bench.demand(bench.key(hard=1), free)
    assert (hold.cap_tokens, hold.bound_nano_usd) == (16_384, 0)


def test_bound_is_rounded_up_once_over_input_and_output(bench: Bench) -> None:
    odd = Demand(input_tokens=1, input_pico_usd=1, output_pico_usd=333, cap_tokens=6, floor_tokens=0)
    assert bench.demand(bench.key(), odd).bound_nano_usd == 2  # 1,999 pico-USD


def test_dearest_request_there_can_be_is_bounded_to_the_nano_dollar(bench: Bench) -> None:
    # 128 choices of o1-pro: 600 USD per million, all at once just below 2**53 pico-USD.
    dear = Demand(0, 2**53 - 1 - 76_800_000_000 * 100_000, 76_800_000_000, 100_000, 4_096)
    hold = bench.demand(bench.key(hard=2**53 - 1), dear)
    assert (hold.cap_tokens, hold.bound_nano_usd) == (100_000, -(-(2**53 - 1) // 1_000))
