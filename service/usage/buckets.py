"""Buckets of time, in UTC: an hour, a day, a month."""

from datetime import datetime, timedelta

BUCKETS = ("hour", "day", "month")


def bucket_start(moment: datetime, bucket: str) -> datetime:
    """The first moment of the bucket that holds this one."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if bucket == "hour":
        return hour
    day = hour.replace(hour=0)
    return day if bucket == "day" else day.replace(day=1)


def bucket_end(start: datetime, bucket: str) -> datetime:
    """The first moment after the bucket that begins here."""
    if bucket == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + (timedelta(hours=1) if bucket == "hour" else timedelta(days=1))


def whole_buckets(start: datetime, end: datetime, bucket: str) -> tuple[datetime, datetime]:
    """The span widened to whole buckets, so that each of them counts all that is in it."""
    last = bucket_start(end, bucket)
    return bucket_start(start, bucket), last if last == end else bucket_end(last, bucket)
