"""From the reserve script's refusals to errors a caller understands."""

import random
from typing import Any, NoReturn

from service.errors import (
    BudgetInFlight,
    Forbidden,
    InsufficientQuota,
    LedgerUnavailable,
    RateLimited,
    Unauthenticated,
)
from service.ledger.holds import Scope
from service.ledger.periods import Period
from service.money import format_usd, format_usd_for_people
from service.times import rfc3339

NO_RETRY = {"x-should-retry": "false"}


def invalid_api_key() -> Unauthenticated:
    return Unauthenticated("Incorrect API key provided. Check the key you were given.")


def raise_refusal(reply: list[Any], periods: list[tuple[Scope, Period]]) -> NoReturn:
    """Raise the error that a reserve's reply stands for. `periods`: the scopes as they were asked."""
    word = reply[0]
    if word == "refused":
        _raise_money(reply, periods)
    if word == "rate_limited":
        _raise_rate(reply, periods)
    if word == "cancelled":
        raise LedgerUnavailable("The ledger answered too late.", headers={"Retry-After": "1"})
    if word == "model_not_allowed":
        raise Forbidden("This key may not use this model.", code="model_not_allowed", param="model")
    raise_key_state(word)


def raise_key_state(word: str) -> NoReturn:
    """Raise the 401 for a key that is unknown, revoked or expired."""
    if word == "key_revoked":
        raise Unauthenticated("This API key has been revoked.", code="key_revoked")
    if word == "key_expired":
        raise Unauthenticated("This API key has expired.", code="key_expired")
    raise invalid_api_key()


def _raise_money(reply: list[Any], periods: list[tuple[Scope, Period]]) -> NoReturn:
    _, reason, number, title, limit, spent, held, doubt, bound = reply
    scope, period = periods[number - 1]
    resets_at = period.resets_at
    details: dict[str, Any] = {"reason": reason, "scope": scope.kind}
    if scope.kind == "key":
        # A project's figures are its operators' business, not every caller's.
        details |= {
            "limit_usd": format_usd(limit),
            "spent_usd": format_usd(spent),
            "held_usd": format_usd(held),
            "in_doubt_usd": format_usd(doubt),
        }
    details |= {"bound_usd": format_usd(bound), "resets_at": rfc3339(resets_at) if resets_at else None}
    message = _sentence(reason, scope, title, period, limit, bound)
    if reason == "budget_in_flight":
        headers = {"Retry-After": str(random.randint(1, 5))}
        raise BudgetInFlight(message, details=details, headers=headers)
    raise InsufficientQuota(message, details=details, headers=NO_RETRY)


def _sentence(reason: str, scope: Scope, title: str, period: Period, limit: int, bound: int) -> str:
    owner = f"{scope.kind} '{title}'"
    money = f" of {format_usd_for_people(limit)}" if scope.kind == "key" else ""
    when = "" if period.name == "total" else f" for {period.name}"
    resets = f"; it resets {rfc3339(period.resets_at)}" if period.resets_at else ""
    if reason == "hard_limit_reached":
        return f"{owner[0].upper()}{owner[1:]} reached its hard limit{money}{when}{resets}."
    could = f"This request can cost up to {format_usd_for_people(bound)}"
    if reason == "exceeds_remaining":
        return f"{could}, more than what remains of the hard limit{money}{when} of {owner}{resets}."
    if reason == "in_doubt":
        return (
            f"{could}, and what remains of the hard limit{money}{when} of {owner} is in doubt: "
            f"calls whose outcome is unknown are counted until they are resolved{resets}."
        )
    return (
        f"{could}; what remains of the hard limit{money}{when} of {owner} is held by calls that are "
        "still running. Try again shortly."
    )


def _raise_rate(reply: list[Any], periods: list[tuple[Scope, Period]]) -> NoReturn:
    _, kind, number, title, limit, wait_ms = reply
    scope, _ = periods[number - 1]
    seconds = max(1, -(-wait_ms // 1000))
    headers = {"Retry-After": str(seconds), "retry-after-ms": str(wait_ms)}
    if kind == "concurrency":
        message = f"{scope.kind.capitalize()} '{title}' has {limit} calls running, its most at once."
        raise RateLimited(message, type="requests", headers=headers)
    headers |= {
        f"x-ratelimit-limit-{kind}": str(limit),
        f"x-ratelimit-remaining-{kind}": "0",
        f"x-ratelimit-reset-{kind}": f"{wait_ms}ms",
    }
    message = f"{scope.kind.capitalize()} '{title}' is limited to {limit} {kind} per minute."
    raise RateLimited(message, type=kind, headers=headers)
