"""Money: read exactly or not at all, shown with nine decimals, rounded up once."""

import random
from decimal import Decimal
from typing import Any

import pytest

from service.money import (
    MAX_NANO_USD,
    MoneyError,
    ceil_nano_usd,
    format_usd,
    format_usd_for_people,
    parse_usd,
)


@pytest.mark.parametrize(
    ("value", "nano_usd"),
    [
        ("0", 0),
        ("5", 5_000_000_000),
        ("0.25", 250_000_000),
        ("0.000000001", 1),
        ("0.0000000010", 1),  # zeros beyond the nano-dollar are no finer amount
        ("00012.50", 12_500_000_000),
        (5, 5_000_000_000),
        (0, 0),
        (Decimal("0.1"), 100_000_000),
        (Decimal("1E-9"), 1),
        (Decimal("1E+3"), 1_000_000_000_000),
        (Decimal("-0"), 0),
        ("9007199.254740991", MAX_NANO_USD),
        (Decimal("9007199.254740991"), MAX_NANO_USD),
    ],
)
def test_amount_is_read_exactly(value: Any, nano_usd: int) -> None:
    assert parse_usd(value) == nano_usd


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (0.1, "as a decimal string or a number"),
        (5.0, "as a decimal string or a number"),
        (float("nan"), "as a decimal string or a number"),
        (True, "as a decimal string or a number"),
        (None, "as a decimal string or a number"),
        ([5], "as a decimal string or a number"),
        (b"5", "as a decimal string or a number"),
        ("-1", "like '5' or '0.25'"),
        ("+1", "like '5' or '0.25'"),
        ("", "like '5' or '0.25'"),
        (" 5", "like '5' or '0.25'"),
        ("5\n", "like '5' or '0.25'"),
        ("5.", "like '5' or '0.25'"),
        (".5", "like '5' or '0.25'"),
        ("1,000", "like '5' or '0.25'"),
        ("1_000", "like '5' or '0.25'"),
        ("1e3", "like '5' or '0.25'"),
        ("0x10", "like '5' or '0.25'"),
        ("$5", "like '5' or '0.25'"),
        ("\u0665", "like '5' or '0.25'"),
        ("\uff15", "like '5' or '0.25'"),
        ("NaN", "like '5' or '0.25'"),
        ("Infinity", "like '5' or '0.25'"),
        ("9" * 21, "like '5' or '0.25'"),
        (-1, "must not be negative"),
        (Decimal("-0.000000001"), "must not be negative"),
        (Decimal("NaN"), "must be a finite amount"),
        (Decimal("Infinity"), "must be a finite amount"),
        (Decimal("sNaN"), "must be a finite amount"),
        (Decimal("1E+400"), "must be at most 9007199.254740991"),
        (10**400, "must be at most 9007199.254740991"),
        ("9007199.254740992", "must be at most 9007199.254740991"),
        (Decimal("9007199.2547409910000000000000000000001"), "must be at most 9007199.254740991"),
        ("0.0000000001", "finer than a nano-dollar"),
        (Decimal("1E-400"), "finer than a nano-dollar"),
        (Decimal("0.1000000000000000055511151231257827"), "finer than a nano-dollar"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(value: Any, why: str) -> None:
    with pytest.raises(MoneyError) as caught:
        parse_usd(value)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("nano_usd", "text", "for_people"),
    [
        (0, "0.000000000", "$0.00"),
        (1, "0.000000001", "$0.000000001"),
        (48_300, "0.000048300", "$0.0000483"),
        (2_500_000, "0.002500000", "$0.0025"),
        (5_000_000_000, "5.000000000", "$5.00"),
        (1_234_567_890_123, "1234.567890123", "$1234.567890123"),
        (-1, "-0.000000001", "$-0.000000001"),
        (MAX_NANO_USD, "9007199.254740991", "$9007199.254740991"),
    ],
)
def test_amount_is_shown_in_dollars(nano_usd: int, text: str, for_people: str) -> None:
    assert (format_usd(nano_usd), format_usd_for_people(nano_usd)) == (text, for_people)


def test_what_is_shown_reads_back_as_the_same() -> None:
    rng = random.Random(20261122)
    amounts = [rng.randrange(10 ** rng.randrange(1, 16)) for _ in range(2_000)] + [0, MAX_NANO_USD]
    for amount in amounts:
        assert parse_usd(format_usd(amount)) == amount
        assert parse_usd(Decimal(format_usd(amount))) == amount
        assert parse_usd(format_usd_for_people(amount).removeprefix("$")) == amount


@pytest.mark.parametrize(
    ("pico_usd", "nano_usd"),
    [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (2**70 + 1, 2**70 // 1_000 + 1)],
)
def test_cost_is_rounded_up(pico_usd: int, nano_usd: int) -> None:
    assert ceil_nano_usd(pico_usd) == nano_usd
