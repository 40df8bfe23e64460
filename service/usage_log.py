"""The usage log: one JSON line a request on stdout. No secret, no prompt, no reply."""

from service.call import Call
from service.errors import SpendgateError
from service.logs import log
from service.money import format_usd


def log_call(call: Call) -> None:
    """The line of a call that was admitted, when it has ended."""
    outcome = call.outcome
    log.info(
        "request",
        request_id=call.incoming.request_id,
        key_id=call.account.key_id,
        project=call.account.project,
        endpoint=call.operation.name,
        model=call.model.name,
        model_served=call.tally.model if call.tally else None,
        status=call.status,
        **(outcome.usage.counts() if outcome.usage else {}),
        cost_usd=None if outcome.cost_nano_usd is None else format_usd(outcome.cost_nano_usd),
        hold_usd=format_usd(call.hold.bound_nano_usd),
        usage_source=outcome.usage_source,
        latency_ms=call.latency_ms(),
        ttft_ms=call.ttft_ms(),
    )


def log_refusal(endpoint: str, request_id: str, error: SpendgateError) -> None:
    """The line of a request that was never admitted."""
    log.info("request", request_id=request_id, endpoint=endpoint, status=error.status, error=error.code)


def log_free(endpoint: str, request_id: str, status: int) -> None:
    """The line of a request that cannot cost anything."""
    log.info("request", request_id=request_id, endpoint=endpoint, status=status)
