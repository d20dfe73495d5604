"""The time that one call has, and what it has spent."""

from __future__ import annotations

import time


class Deadline:
    """The time budget of one tool call. Everything that waits asks it how long it may still take."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.requests = 0
        """Requests sent for this call, retries included."""
        self.size = 0
        """Bytes of answers read for this call, decompressed."""
        self.request_id: str | None = None
        """Reach's id of the last request that was answered with one."""
        self.clock_skew = 0.0
        """Seconds that the API's clock is ahead of ours, where it differs by more than a minute; else 0."""

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.left() <= 0
