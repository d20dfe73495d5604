"""Runs the work of calls in threads, or at once where it is so small that a thread costs more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from reach_mcp.analysis.stop import AnalysisStopped, Checkpoint
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import Busy

T = TypeVar("T")

LOCK_POLL_SECONDS = 0.05

SMALL_BYTES = 65_536
"""Work on no more bytes of the API's answers takes few milliseconds: the event loop can wait for it."""


@dataclass
class Stop:
    """The checkpoint of one analysis: raises AnalysisStopped at the deadline and on cancellation, Busy at shutdown."""

    deadline: Deadline
    stopping: threading.Event
    cancelled: bool = False

    def __call__(self) -> None:
        if self.stopping.is_set():
            raise Busy("This server is shutting down.", advice="Try again when it has started.")
        if self.cancelled or self.deadline.expired:
            raise AnalysisStopped


async def run_in_thread(
    work: Callable[[Checkpoint], T], stop: Stop, locks: Sequence[threading.Lock | threading.Semaphore]
) -> T:
    """Run work in a thread under these locks.

    A thread cannot be cancelled: it ends by itself at its next checkpoint, and keeps its locks until then.
    """
    from anyio import to_thread

    try:
        return await to_thread.run_sync(_locked, locks, work, stop, abandon_on_cancel=True)
    finally:
        stop.cancelled = True


def _locked(locks: Sequence[threading.Lock | threading.Semaphore], work: Callable[[Checkpoint], T], stop: Stop) -> T:
    with ExitStack() as held:
        for lock in locks:
            while not lock.acquire(timeout=LOCK_POLL_SECONDS):
                stop()
            held.callback(lock.release)
        return work(stop)
