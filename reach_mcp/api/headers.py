"""Response headers: the API's clock, its waits and its request ids. Unreadable ones are ignored."""

from __future__ import annotations

import email.utils
import math
from collections.abc import Mapping
from datetime import UTC

MIN_SKEW_SECONDS = 60
"""A smaller difference between two clocks is no skew: a `Date` has whole seconds, and an answer takes time."""
MAX_SKEW_SECONDS = 86_400
"""A larger one is no clock, but an answer from a cache or nonsense."""

MAX_WAIT_SECONDS = 31_536_000
"""A longer `Retry-After` than a year is nonsense."""

_REQUEST_ID_NAMES = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")
MAX_REQUEST_ID_CHARS = 80


def http_date(value: str) -> float | None:
    """A date of HTTP in Unix seconds; None where it can't be read."""
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, from either form of `Retry-After`; None when it is absent or can't be read."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        wait = float(value) if len(value) <= 9 else math.inf
    else:
        sent, moment = http_date(headers.get("date", "")), http_date(value)
        wait = math.inf if moment is None else max(0.0, moment - (now if sent is None else sent))
    return wait if wait <= MAX_WAIT_SECONDS else None


def clock_skew(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the API's clock is ahead of `now`, 0 where they agree; None where `Date` tells nothing."""
    sent = http_date(headers.get("date", ""))
    if sent is None or abs(sent - now) > MAX_SKEW_SECONDS:
        return None
    return sent - now if abs(sent - now) > MIN_SKEW_SECONDS else 0.0


def request_id(headers: Mapping[str, str]) -> str | None:
    """Reach's id of the request, if it sent one."""
    return next((headers[name][:MAX_REQUEST_ID_CHARS] for name in _REQUEST_ID_NAMES if name in headers), None)


def format_age(seconds: float) -> str:
    """A duration in its largest fitting unit: '3 h'."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
