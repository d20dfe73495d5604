"""Whose turn it is: so many calls at work at once, the rest in a queue that no caller can fill for the others.

A free place goes to the waiting caller with the fewest calls at work; among equals, to the one that has waited longest
for a turn. The queue has an end: when it is full, whoever has most waiting loses the newest call. A call that would
wait for more than half of its time is told to come again, while it could still be answered in full.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reach_mcp.api.client import Deadline
from reach_mcp.api.errors import Busy

QUEUED = 4
"""Places in the queue for each place at work: a request is at most a megabyte, so this bounds what waiting costs."""

SMOOTHING = 8
"""The usual length of a call is taken over about as many of the latest."""


class Turns:
    """Lets `most` calls work at a time. `usual` is for how many seconds a call works, until that is known."""

    def __init__(self, most: int, *, usual: float = 0.0) -> None:
        self._most = most
        self._working: Counter[str] = Counter()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}  # in the order in which callers had their last turn
        self._usual = usual

    @asynccontextmanager
    async def take(self, caller: str, deadline: Deadline) -> AsyncIterator[None]:
        """Wait for a turn and have it while the block runs. Raises Busy."""
        if self._working.total() < self._most:
            self._working[caller] += 1
        else:
            await self._wait(caller, deadline.left() / 2)
        started = time.monotonic()
        try:
            yield
        finally:
            self._usual += (time.monotonic() - started - self._usual) / SMOOTHING
            self._end(caller)

    async def _wait(self, caller: str, patience: float) -> None:
        """Until the turn is given; it is counted as at work by then."""
        if self._expected(caller) > patience:
            raise self._busy(caller)
        self._make_room(caller)
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(caller, deque()).append(turn)
        try:
            await asyncio.wait({turn}, timeout=patience)
        except asyncio.CancelledError:
            if not self._leave(caller, turn) and turn.exception() is None:
                self._end(caller)  # the turn came at the very moment at which nobody wanted it any more
            raise
        if self._leave(caller, turn):
            raise self._busy(caller)
        turn.result()

    def _make_room(self, caller: str) -> None:
        """See that one more can wait; at the cost of the caller that has most waiting, which may be this one."""
        if sum(map(len, self._queues.values())) < QUEUED * self._most:
            return
        longest = max(self._queues, key=lambda name: len(self._queues[name]))
        if len(self._queues[longest]) <= len(self._queues.get(caller, ())) + 1:
            raise self._busy(caller)
        self._queues[longest][-1].set_exception(self._busy(longest))
        self._leave(longest, self._queues[longest][-1])

    def _leave(self, caller: str, turn: asyncio.Future[None]) -> bool:
        """Take out of the queue what still stands in it; whether it did."""
        queue = self._queues.get(caller, deque())
        if turn not in queue:
            return False
        queue.remove(turn)
        if not queue:
            del self._queues[caller]
        return True

    def _end(self, caller: str) -> None:
        """A call has ended: its place goes to the caller whose turn it is."""
        self._working -= Counter({caller: 1})
        if self._queues:
            following = min(self._queues, key=lambda name: self._working[name])
            queue = self._queues.pop(following)
            queue.popleft().set_result(None)
            if queue:
                self._queues[following] = queue  # behind the others
            self._working[following] += 1

    def _expected(self, caller: str) -> float:
        """Seconds until this caller's next call would have its turn: its own go first, and as many of each other."""
        own = len(self._queues.get(caller, ())) + 1
        others = sum(min(own, len(queue)) for name, queue in self._queues.items() if name != caller)
        return (own + others) / self._most * self._usual

    def _busy(self, caller: str) -> Busy:
        return Busy(retry_after=max(1.0, self._expected(caller)))
