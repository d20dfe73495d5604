"""What was read a moment ago, for the calls that follow it up.

A focus, a what-if or the next rows ask about what the call before has read. They answer from the same reading, so that
they agree with it and cost Reach nothing. Three things are kept apart:

- a *question*: what decides what is read, with a keyed hash of the credential and the tenant in it;
- a *flight*: the reading of one question under way. Calls that ask the same meanwhile wait for it together; whoever
  is cancelled leaves, and the flight ends early only when nobody waits any more;
- a *reading*: what a flight brought. It is kept for some seconds, within a number of bytes, and then freed by a timer
  of its own. Errors aren't kept, nor what ended in one. What the deadline cut short is: its follow-ups say so just as
  loudly, and each would otherwise cost a deadline of its own, to end at another place.

A reading is worked with under its lock: a graph fills small caches while it is looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import inf
from typing import Any

import anyio

from reach_mcp.api.walk import Coverage

PACE = 0.25
"""Seconds between two words about the progress of a call, at least."""

Report = Callable[[float, float | None, str | None], Awaitable[None]]


@dataclass(frozen=True)
class Reading:
    """What was read, as of a moment in Unix seconds, and how many bytes that took."""

    found: Any
    at: float
    size: int
    keep: bool = True
    lock: anyio.Lock = field(default_factory=anyio.Lock)


@dataclass
class Progress:
    """How far a flight has got. A walk that begins anew with smaller pages does not take it back."""

    batches: int = 0
    total: int | None = None
    message: str = ""

    def note(self, coverage: Coverage, rows: int | None = None) -> None:
        """Take the state of a walk down."""
        if coverage.batches > self.batches:
            waiting = "" if rows is None else f", {rows:,} pending rows"
            self.batches, self.total = coverage.batches, coverage.total
            self.message = f"{coverage.pages} page{'s'[: coverage.pages > 1]}{waiting}"


class _Flight:
    def __init__(self, read: Callable[[Progress], Awaitable[Reading]]) -> None:
        self.progress = Progress()
        self.waiting = 0
        self.task = asyncio.ensure_future(read(self.progress))
        self.task.add_done_callback(_look_at)
        self.timer: asyncio.TimerHandle | None = None
        """Frees what was brought, once it is kept."""
        self.until = inf
        """When that is due, by a clock that goes on while a machine sleeps: its timers don't."""

    async def join(self, report: Report | None) -> Reading:
        """Wait for what it brings, or for its error; the last to leave before that ends it."""
        self.waiting += 1
        try:
            await self._follow(report)
        finally:
            self.waiting -= 1
            if not self.waiting and not self.task.done():
                self.task.cancel()
                with anyio.CancelScope(shield=True):
                    await asyncio.wait({self.task})
        return self.task.result()

    async def _follow(self, report: Report | None) -> None:
        told = 0
        while not self.task.done():
            await asyncio.wait({self.task}, timeout=None if report is None else PACE)
            if report is not None and self.progress.batches > told:
                told = self.progress.batches
                await report(told, self.progress.total, self.progress.message)


def _look_at(task: asyncio.Future[Reading]) -> bool:
    """Whether a flight has failed. Asked of each: asyncio complains of errors that nobody was there to see."""
    return task.cancelled() or task.exception() is not None


class Readings:
    """Keeps readings for so many seconds after they came, within `largest` bytes: beyond that the oldest go first."""

    def __init__(self, *, seconds: float, largest: int, clock: Callable[[], datetime]) -> None:
        self._seconds = seconds
        self._largest = largest
        self._clock = clock
        self._flights: dict[str, _Flight] = {}
        self._key = secrets.token_bytes(32)

    def question(self, token: str, *parts: object) -> str:
        """A name for what is read by this credential and these parts; it can't be turned back into either."""
        words = repr((token, parts)).encode(errors="backslashreplace")
        return hashlib.blake2b(words, key=self._key).hexdigest()

    async def get(
        self,
        question: str | None,
        read: Callable[[Progress], Awaitable[Reading]],
        *,
        fresh: bool,
        report: Report | None,
    ) -> Reading:
        """The reading of a question: the one that is kept, the one under way, or a new one.

        Without a question it is nobody else's. Raises what `read` raises.
        """
        if question is None or not self._seconds:
            return await _Flight(read).join(report)
        flight = self._flights.get(question)
        outdated = flight is not None and self._clock().timestamp() >= flight.until
        if flight is None or fresh or outdated or flight.task.cancelling():
            self._drop(question)  # whoever waits for it still gets it
            flight = self._flights[question] = _Flight(read)
            flight.task.add_done_callback(partial(self._land, question))
        return await flight.join(report)

    def _land(self, question: str, task: asyncio.Future[Reading]) -> None:
        """Keep what a flight brought, unless a newer one has taken its place."""
        flight = self._flights.get(question)
        if flight is None or flight.task is not task:
            return
        self._drop(question)
        if _look_at(task):
            return
        reading = task.result()
        if not reading.keep or reading.size > self._largest:
            return
        kept = {name: other.task.result().size for name, other in self._flights.items() if other.timer}
        while sum(kept.values()) + reading.size > self._largest:
            oldest = next(iter(kept))
            del kept[oldest]
            self._drop(oldest)
        flight.until = self._clock().timestamp() + self._seconds
        flight.timer = task.get_loop().call_later(self._seconds, self._drop, question)
        self._flights[question] = flight

    def _drop(self, question: str) -> None:
        flight = self._flights.pop(question, None)
        if flight is not None and flight.timer is not None:
            flight.timer.cancel()

    def clear(self) -> None:
        """Forget everything."""
        for question in list(self._flights):
            self._drop(question)
