"""Slots are shared by callers, queues end, and values are loaded once, kept for a while, within a number of bytes."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable

import anyio
import pytest

from reach_mcp.analysis.stop import AnalysisStopped, Checkpoint
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import Busy
from reach_mcp.tools.cache import Cache, Loaded
from reach_mcp.tools.context import Call
from reach_mcp.tools.limiter import MAX_QUEUED_PER_SLOT, Limiter
from tests.fakes import ScriptedTransport
from tests.helpers import serve

pytestmark = pytest.mark.anyio


def kept(cache: Cache[str], key: str) -> str | None:
    """The value that the cache still keeps for a key."""
    entry = cache._entries.get(key)
    return entry.loaded.value if entry is not None and cache._clock() < entry.ends else None


class Workers:
    """Calls that hold their slot until they are released."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.started: list[str] = []
        self.busy: list[float | None] = []
        self.end = anyio.Event()

    async def work(self, caller: str, seconds: float = 60) -> None:
        try:
            async with self.limiter.slot(caller, Deadline(seconds)):
                self.started.append(caller)
                await self.end.wait()
        except Busy as error:
            self.busy.append(error.retry_after)


async def test_flooding_caller_leaves_slots_for_others() -> None:
    workers = Workers(Limiter(4))

    async with anyio.create_task_group() as tasks:
        for caller in ["flood"] * 20 + ["other"]:
            tasks.start_soon(workers.work, caller)
        await anyio.wait_all_tasks_blocked()
        assert workers.started == ["flood"] * 3 + ["other"]
        workers.end.set()

    assert len(workers.started) == 21


@pytest.mark.parametrize(
    ("usual", "seconds", "wait"), [(4.0, 7, 4.0), (0.0, 0.02, 1.0)], ids=["too long", "half waited"]
)
async def test_call_that_gets_no_slot_is_told_when_to_come_again(usual: float, seconds: float, wait: float) -> None:
    workers = Workers(Limiter(1, usual=usual))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(workers.work, "a")
        await anyio.wait_all_tasks_blocked()
        await workers.work("b", seconds=seconds)
        workers.end.set()

    assert workers.busy == [wait]


async def test_queue_has_an_end() -> None:
    workers = Workers(Limiter(1))

    async with anyio.create_task_group() as tasks:
        for number in range(MAX_QUEUED_PER_SLOT + 2):
            tasks.start_soon(workers.work, str(number))
        await anyio.wait_all_tasks_blocked()
        workers.end.set()

    assert len(workers.busy) == 1


def loads(*values: str, size: int = 1, keep: bool = True) -> Callable[[], Awaitable[Loaded[str]]]:
    rest = list(values)

    async def load() -> Loaded[str]:
        await anyio.lowlevel.checkpoint()
        return Loaded(rest.pop(0), size, keep)

    return load


async def test_value_is_kept_until_it_is_too_old_or_a_fresh_one_is_asked_for() -> None:
    now = [0.0]
    cache: Cache[str] = Cache(seconds=30, max_bytes=10, clock=lambda: now[0])
    load = loads("one", "two", "three")

    assert [await cache.get("k", load), await cache.get("k", load)] == ["one", "one"]
    now[0] = 31.0
    assert kept(cache, "k") is None
    assert await cache.get("k", load) == "two"
    now[0] = 32.0
    assert await cache.get("k", load, fresh=True) == "three"
    assert kept(cache, "k") == "three"
    cache.clear()
    assert kept(cache, "k") is None


async def test_fresh_callers_share_a_load_that_began_after_they_asked() -> None:
    cache: Cache[str] = Cache(seconds=30, max_bytes=10)
    load = loads("one", "two", "three")
    found: list[str] = []

    async def ask() -> None:
        found.append(await cache.get("k", load, fresh=True))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)

    assert found == ["one", "one", "one"]


async def test_bytes_are_bounded_and_the_oldest_goes_first() -> None:
    cache: Cache[str] = Cache(seconds=30, max_bytes=10)

    for key in ("a", "b", "c"):
        await cache.get(key, loads(key, size=4))
    await cache.get("large", loads("large", size=11))
    await cache.get("unkept", loads("unkept", keep=False))

    assert [kept(cache, key) for key in ("a", "b", "c", "large", "unkept")] == [None, "b", "c", None, None]
    cache.clear()


async def test_nothing_is_kept_for_zero_seconds() -> None:
    cache: Cache[str] = Cache(seconds=0, max_bytes=10)

    assert [await cache.get("k", load := loads("a", "b")), await cache.get("k", load)] == ["a", "b"]


async def test_cancelled_call_stops_its_thread_at_the_next_checkpoint() -> None:
    call = Call(serve(ScriptedTransport()).context, Deadline(60))
    lock, running, stopped = threading.Lock(), threading.Event(), threading.Event()

    def work(checkpoint: Checkpoint) -> None:
        running.set()
        try:
            while True:
                checkpoint()
        except AnalysisStopped:
            stopped.set()
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.analyse, work, lock)
        await anyio.to_thread.run_sync(running.wait)
        tasks.cancel_scope.cancel()
    await anyio.to_thread.run_sync(stopped.wait)

    assert await call.analyse(lambda _: "the lock is free", lock) == "the lock is free"


async def test_analyses_of_one_caller_leave_the_processor_to_another() -> None:
    context, end = serve(ScriptedTransport()).context, threading.Event()
    working: list[str] = []

    async def work(call: Call, caller: str) -> None:
        def hold(_: Checkpoint) -> None:
            working.append(caller)
            end.wait()

        async with context.limiter.slot(caller, call.deadline) as call.threads:
            await call.analyse(hold)

    async with anyio.create_task_group() as tasks:
        for caller in ["flood"] * 5 + ["other"]:
            tasks.start_soon(work, Call(context, Deadline(60)), caller)
        while len(working) < 3:
            await anyio.lowlevel.checkpoint()
        assert sorted(working) == ["flood", "flood", "other"]
        end.set()

    assert len(working) == 6


async def test_call_that_waits_for_a_snapshot_in_use_ends_at_its_deadline() -> None:
    lock = threading.Lock()

    with lock, pytest.raises(AnalysisStopped):
        await Call(serve(ScriptedTransport()).context, Deadline(0.01)).analyse(lambda _: None, lock)
