"""JSON logs on stdout, one line an event (structlog). Secrets and prompts never get here.

The usage log is the event `request`: one line for every request that reached a data-plane endpoint.
"""

import logging
import sys

import structlog
import structlog.tracebacks

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def configure_logs(level: str) -> None:
    """Send every event as one JSON line to stdout, from this level (`debug` ... `error`) on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            # Without the variables of each frame: they hold secrets and prompts.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
