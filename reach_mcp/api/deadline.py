"""The time that one call has, and what response headers say on clocks and waits. Unreadable headers are ignored."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping
from datetime import UTC

MIN_SKEW_SECONDS = 60
"""A smaller difference between two clocks is no skew: a `Date` has whole seconds, and an answer takes time."""
MAX_SKEW_SECONDS = 86_400
"""A larger one is no clock, but an answer from a cache or nonsense."""
MAX_WAIT_SECONDS = 31_536_000
"""A longer `Retry-After` than a year is nonsense."""


class Deadline:
    """The time budget of one tool call. Everything that waits asks it how long it may still take."""

    def __init__(self, seconds: float, caller: str = "") -> None:
        self.caller = caller
        """Who makes the call, empty where there is but one: named callers share the request slots."""
        self._end = time.monotonic() + seconds
        self.requests = 0
        """Requests sent for this call, retries included."""
        self.size = 0
        """Bytes of answers read for this call, decompressed."""
        self.request_id: str | None = None
        """Reach's id of the last request that was answered with one."""
        self.clock_skew = 0.0
        """Seconds that the API's clock is ahead of ours, where it differs by more than a minute; else 0."""
        self.server_time: float | None = None
        """The `Date` of the last answer in Unix seconds, however far it is from our clock."""

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.left() <= 0


def http_date(value: str) -> float | None:
    """A date of HTTP in Unix seconds; None where it can't be read."""
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait; None where `Retry-After` is absent, a date, or can't be read."""
    value = headers.get("retry-after", "").strip()
    wait = float(value) if value.isascii() and value.isdecimal() else math.inf
    return wait if wait <= MAX_WAIT_SECONDS else None


def clock_skew(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the API's clock is ahead of `now`, 0 where they agree; None where `Date` tells nothing."""
    sent = http_date(headers.get("date", ""))
    if sent is None or abs(sent - now) > MAX_SKEW_SECONDS:
        return None
    return sent - now if abs(sent - now) > MIN_SKEW_SECONDS else 0.0
