"""Money: integer nano-USD for amounts, integer pico-USD for rates, decimal strings outside.

One rounding rule: a request's cost is summed exactly in pico-USD and rounded *up* to nano-USD once.
Amounts stay exact in Redis and Lua up to 2**53 nano-USD, a little over nine million dollars.
"""

import re
from decimal import Context, Decimal, localcontext

NANO_PER_USD = 1_000_000_000
PICO_PER_NANO = 1_000
MAX_NANO_USD = 2**53 - 1
_AMOUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,40})?")


class MoneyError(ValueError):
    """A text that is no amount of money; the message says why."""


def ceil_nano_usd(pico_usd: int) -> int:
    """Round a cost in pico-USD up to whole nano-USD (the only rounding of money there is)."""
    return -(-pico_usd // PICO_PER_NANO)


def parse_usd(value: str | int | Decimal) -> int:
    """Read decimal dollars exactly, as nano-USD.

    Takes a string, an integer or a Decimal (never a float). Raises MoneyError for anything that is
    negative, not finite, finer than a nano-dollar, or larger than the ledger holds exactly.
    """
    if isinstance(value, (bool, float)) or not isinstance(value, (str, int, Decimal)):
        raise MoneyError("must be an amount in US dollars, as a decimal string or a number")
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        raise MoneyError("must be an amount in US dollars, like '5' or '0.25'")
    # Wide enough for any JSON number's digits, so that nothing is rounded before it is judged.
    with localcontext(Context(prec=1000, Emax=10**6, Emin=-(10**6))):
        return _nano(Decimal(value))


def _nano(dollars: Decimal) -> int:
    if not dollars.is_finite():
        raise MoneyError("must be a finite amount")
    if dollars < 0:
        raise MoneyError("must not be negative")
    if dollars > Decimal(MAX_NANO_USD) / NANO_PER_USD:
        raise MoneyError(f"must be at most {format_usd(MAX_NANO_USD)}")
    nano = dollars.scaleb(9)
    if nano != nano.to_integral_value():
        raise MoneyError("must not be finer than a nano-dollar (9 decimals)")
    return int(nano)


def format_usd(nano_usd: int) -> str:
    """Nano-USD as a decimal string of dollars with 9 decimals: 48300 -> '0.000048300'."""
    sign = "-" if nano_usd < 0 else ""
    dollars, rest = divmod(abs(nano_usd), NANO_PER_USD)
    return f"{sign}{dollars}.{rest:09d}"


def format_usd_for_people(nano_usd: int) -> str:
    """Nano-USD as a sentence would have it: at least cents, more where they count: '$5.00', '$0.0025'."""
    dollars, _, rest = format_usd(nano_usd).partition(".")
    return f"${dollars}.{rest.rstrip('0').ljust(2, '0')}"
