"""Keeps values for some seconds, within a number of bytes. Identical loads at the same time run once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

import anyio

T = TypeVar("T")


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """A value that was loaded, the bytes it counts for, and whether it may be kept."""

    value: T
    size: int
    keep: bool = True
    age: float | None = None
    """Seconds since it was loaded elsewhere, None where this load did it."""


@dataclass
class _Entry(Generic[T]):
    loaded: Loaded[T]
    started: float
    ends: float
    timer: asyncio.TimerHandle


class Cache(Generic[T]):
    """Values by key, each kept for `seconds`. Beyond `max_bytes` the oldest are dropped."""

    def __init__(self, *, seconds: float, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._clock = clock
        self.lookups = {"hit": 0, "shared": 0, "miss": 0}
        """Calls of `get`, by whether the value was kept, was loaded elsewhere, or had to be loaded."""
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._locks: WeakValueDictionary[Hashable, anyio.Lock] = WeakValueDictionary()

    async def get(self, key: Hashable, load: Callable[[], Awaitable[Loaded[T]]], *, fresh: bool = False) -> T:
        """The value kept for a key, or the one that `load` brings.

        Callers of one key wait for one load. `fresh` accepts no value whose load started before this call.
        """
        asked = self._clock()
        if not self._seconds:
            self.lookups["miss"] += 1
            return (await load()).value
        lock = self._locks.setdefault(key, anyio.Lock())
        async with lock:
            entry = self._entries.get(key)
            if entry is not None and self._clock() < entry.ends and not (fresh and entry.started < asked):
                self.lookups["hit"] += 1
                return entry.loaded.value
            return await self._load(key, load)

    async def _load(self, key: Hashable, load: Callable[[], Awaitable[Loaded[T]]]) -> T:
        started = self._clock()
        self._drop(key)  # free it before the next one takes its memory
        loaded = await load()
        self.lookups["miss" if loaded.age is None else "shared"] += 1
        if loaded.keep and loaded.size <= self._max_bytes:
            left = self._seconds - (loaded.age or 0.0)
            timer = asyncio.get_running_loop().call_later(left, self._drop, key)
            started = started if loaded.age is None else -math.inf  # never fresh
            self._entries[key] = _Entry(loaded, started, self._clock() + left, timer)
            while sum(entry.loaded.size for entry in self._entries.values()) > self._max_bytes:
                self._drop(next(iter(self._entries)))
        return loaded.value

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.timer.cancel()

    def values(self) -> list[T]:
        """All values that are kept."""
        return [entry.loaded.value for entry in list(self._entries.values())]

    def clear(self) -> None:
        """Drop everything."""
        for key in list(self._entries):
            self._drop(key)


@dataclass(eq=False)
class _Run(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class Runs(Generic[T]):
    """Runs identical work that is asked for at the same time once, for all who ask."""

    def __init__(self) -> None:
        self._runs: dict[Hashable, _Run[T]] = {}

    async def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the work that runs for this key, or its error. It is cancelled when nobody waits for it."""
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = _Run(asyncio.create_task(work()))
            run.task.add_done_callback(lambda _, run=run: self._forget(key, run))  # type: ignore[misc]
        run.waiting += 1
        try:
            return await asyncio.shield(run.task)
        finally:
            run.waiting -= 1
            if not run.waiting:
                self._forget(key, run)
                run.task.cancel()

    def _forget(self, key: Hashable, run: _Run[T]) -> None:
        if self._runs.get(key) is run:
            del self._runs[key]
