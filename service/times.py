"""Times as they are shown: RFC 3339, UTC."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """`2026-12-01T00:00:00Z`; milliseconds only where there are some."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def rfc3339_ms(epoch_ms: int) -> str:
    return rfc3339(datetime.fromtimestamp(epoch_ms / 1000, UTC))
