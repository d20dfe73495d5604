"""Limits the calls at work at once, with a share per caller and a bounded queue.

Each caller has a limiter of its own that leaves slots for others; behind it stands one limiter for all. Both are
first-in, first-out. A call that would wait longer than half of its time is told to come again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import anyio

from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import Busy

MAX_QUEUED_PER_SLOT = 32
"""Calls that may wait per slot, over all callers. A request is at most a megabyte: this bounds their memory."""

THREADS_PER_CALLER = 2
"""Analyses of one caller at once. Threads share one interpreter: more would end no sooner, and slow down others."""

SMOOTHING = 8
"""The usual length of a call is an average over about this many of the latest."""


@dataclass
class _Share:
    slots: anyio.CapacityLimiter
    threads: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(THREADS_PER_CALLER))
    calls: int = 0
    """Calls of this caller, at work or waiting."""


@dataclass
class Limiter:
    """Lets `max_calls` calls work at once, and of one caller at most three quarters of these."""

    max_calls: int
    usual: float = 0.0
    """Seconds that a call usually works."""
    _shares: dict[str, _Share] = field(default_factory=dict)
    _calls: int = 0

    def __post_init__(self) -> None:
        self._slots = anyio.CapacityLimiter(self.max_calls)
        self._per_caller = max(1, self.max_calls - max(1, self.max_calls // 4))

    @property
    def active(self) -> int:
        """Calls at work."""
        return self._slots.borrowed_tokens

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return self._calls - self.active

    @asynccontextmanager
    async def slot(self, caller: str, deadline: Deadline) -> AsyncIterator[threading.Semaphore]:
        """Hold a slot while the block runs. Yields the caller's share of threads. Raises Busy."""
        patience = deadline.left() / 2
        expected = self._expected_wait(caller)
        if expected > patience or self._calls >= self.max_calls * (1 + MAX_QUEUED_PER_SLOT):
            raise _busy(expected)
        share = self._shares.setdefault(caller, _Share(anyio.CapacityLimiter(self._per_caller)))
        share.calls += 1
        self._calls += 1
        borrower = object()  # a task may hold several slots
        try:
            async with AsyncExitStack() as held:
                with anyio.move_on_after(patience) as wait:
                    for slots in (share.slots, self._slots):
                        await slots.acquire_on_behalf_of(borrower)
                        held.callback(slots.release_on_behalf_of, borrower)
                if wait.cancelled_caught:
                    raise _busy(self.usual)
                started = time.monotonic()
                yield share.threads
                self.usual += (time.monotonic() - started - self.usual) / SMOOTHING
        finally:
            self._calls -= 1
            share.calls -= 1
            if not share.calls:
                del self._shares[caller]

    def _expected_wait(self, caller: str) -> float:
        """Seconds until a new call of this caller would start."""
        share = self._shares.get(caller)
        own = (share.calls if share else 0) + 1 - self._per_caller
        of_all = self._calls + 1 - self.max_calls
        return self.usual * max(own / self._per_caller, of_all / self.max_calls, 0.0)


def _busy(wait: float) -> Busy:
    seconds = max(1, round(wait))
    return Busy(advice=f"Try again in {seconds} s, with fewer calls at once.", retry_after=float(seconds))
