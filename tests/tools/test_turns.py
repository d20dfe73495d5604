"""Whose turn it is when more calls come than may work at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from reach_mcp.api.client import Deadline
from reach_mcp.api.errors import Busy
from reach_mcp.tools.turns import QUEUED, Turns
from tests.builders import batch
from tests.tools.harness import LIST, answer_page, ask, refused, serve

pytestmark = pytest.mark.anyio


class Office:
    """Callers with calls that each work until they are told to end."""

    def __init__(self, most: int, *, seconds: float = 60, usual: float = 0) -> None:
        self.turns = Turns(most, usual=usual)
        self.seconds = seconds
        self.began: list[str] = []
        self.refused: dict[str, float | None] = {}
        self.turned_away = anyio.Event()
        self.ends: dict[str, anyio.Event] = {}

    async def call(self, name: str) -> None:
        """A call named by its caller and a number: `a1`."""
        self.ends[name] = anyio.Event()
        try:
            async with self.turns.take(name[0], Deadline(self.seconds)):
                self.began.append(name)
                await self.ends[name].wait()
        except Busy as error:
            self.refused[name] = error.retry_after
            self.turned_away.set()

    async def end(self, *names: str) -> None:
        """Let calls end, one after the other."""
        for name in names:
            self.ends[name].set()
            await settle()


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def opened(office: Office, *names: str) -> AsyncIterator[Any]:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(office.call, name)
                await settle()
            yield tasks
            tasks.cancel_scope.cancel()


async def test_caller_that_floods_does_not_keep_another_waiting() -> None:
    """One agent may fire fifty calls; the person beside it asks one."""
    office = Office(2)
    async with opened(office, "a1", "a2", "a3", "a4", "a5", "b1"):
        assert office.began == ["a1", "a2"]
        await office.end("a1", "a2", "b1")

    assert office.began == ["a1", "a2", "b1", "a3", "a4"]


async def test_callers_that_wait_alike_take_turns() -> None:
    office = Office(1)
    async with opened(office, "a1", "a2", "a3", "b1", "c1"):
        await office.end("a1", "a2", "b1", "c1")

    assert office.began == ["a1", "a2", "b1", "c1", "a3"]


async def test_queue_has_an_end_and_whoever_fills_it_loses_the_newest_call() -> None:
    office = Office(1)
    flood = [f"a{n}" for n in range(QUEUED + 1)]
    async with opened(office, *flood, "a!", "b1", "b2", "b3"):
        assert office.refused == {"a!": 1.0, flood[-1]: 1.0, flood[-2]: 1.0, "b3": 1.0}
        await office.end("a0", "a1", "b1", "a2")

    assert office.began == ["a0", "a1", "b1", "a2", "b2"]


async def test_call_that_leaves_the_queue_takes_no_turn() -> None:
    office = Office(1)
    async with opened(office, "a1") as tasks:
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(office.call, "b1")
            await settle()
            leaving.cancel_scope.cancel()
        tasks.start_soon(office.call, "c1")
        await settle()
        await office.end("a1")

    assert office.began == ["a1", "c1"]


@pytest.mark.parametrize("names", [["b1"], ["b1", "c1"]])
async def test_turn_that_comes_at_the_moment_of_leaving_is_passed_on(names: list[str]) -> None:
    """It would otherwise be lost for ever, and the server with the last of them."""
    office = Office(1)
    async with opened(office, "a1") as tasks:
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(office.call, names[0])
            await settle()
            for name in names[1:]:
                tasks.start_soon(office.call, name)
                await settle()
            office.ends["a1"].set()
            await anyio.lowlevel.checkpoint()
            leaving.cancel_scope.cancel()
        await settle()
        tasks.start_soon(office.call, "d1")
        await settle()
        await office.end(*names[1:])

    assert office.began == ["a1", *names[1:], "d1"]


async def test_call_refused_at_the_moment_of_leaving_takes_no_turn_with_it() -> None:
    office = Office(1)
    async with opened(office, "a0", *(f"a{n}" for n in range(1, QUEUED))) as tasks:
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(office.call, "a!")
            await settle()
            tasks.start_soon(office.call, "b1")
            await anyio.lowlevel.checkpoint()
            leaving.cancel_scope.cancel()
        await office.end("a0", "a1", "b1")

    assert office.began[:3] == ["a0", "a1", "b1"]


async def test_call_waits_for_no_more_than_half_of_its_time() -> None:
    """With less it could only be answered in part."""
    office = Office(1, seconds=0.1)
    async with opened(office, "a1", "b1"):
        await office.turned_away.wait()

    assert office.began == ["a1"]


async def test_call_that_would_wait_too_long_is_told_at_once() -> None:
    """How long a call usually takes is known from those before it."""
    office = Office(1, usual=40)
    async with opened(office, "a1", "b1"):
        assert office.refused == {"b1": 40.0}


async def test_busy_server_says_when_to_come_again() -> None:
    """A retry that is told when to come does not add to the load."""
    asked, go_on = anyio.Event(), anyio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        asked.set()
        await go_on.wait()
        return answer_page({"success": True, "data": {"results": [batch("b1")], "pagination": {"hasNextPage": False}}})

    server = serve(handler=slow, max_calls=1, deadline=10)
    texts: list[str] = []

    async def call() -> None:
        texts.append(await refused(server, LIST))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, server, LIST)
        await asked.wait()
        for _ in range(QUEUED):
            tasks.start_soon(ask, server, LIST)
        await settle()
        await call()
        result = await server.call_tool(LIST, {})
        go_on.set()

    busy = "This server has too many calls at work. Try again later, with fewer calls at once.\nTry again in 1 s."
    assert texts == [busy]
    about = {name: value for name, value in (result.meta or {}).items() if name != "reach/cost"}
    assert about == {"reach/error": "Busy", "reach/retry_after": 1}
