"""Bounds on requests to Reach that replicas share. tests/service/test_replicas.py has them with a real Redis."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import httpx
import pytest

from reach_mcp.server import ReachServer
from reach_mcp.tools.context import CALLER, Caller
from reach_mcp.tools.shared_requests import SharedRequests
from tests.builders import batch, page
from tests.fakes import Answer, ScriptedTransport
from tests.helpers import LIST, call, refused
from tests.tools.test_shared_cache import FakeRedis, replica

pytestmark = pytest.mark.anyio


@dataclass
class HeldApi:
    """A Reach API that answers when it is told to."""

    go_on: anyio.Event = field(default_factory=anyio.Event)
    active: int = 0
    most: int = 0

    async def answer(self, _: httpx.Request) -> Answer:
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await self.go_on.wait()
        finally:
            self.active -= 1
        return page(batch("b1"))


async def ask_as(server: ReachServer, caller: str, number: int = 1) -> None:
    """One call, which shares no request with those of other numbers."""
    CALLER.set(Caller(name=caller))
    assert not (await call(server, LIST, limit=number)).is_error


async def wait_for_queue(redis: FakeRedis, leases: int) -> None:
    """Wait until so many leases have asked, and been told, whether they have a slot."""
    with anyio.fail_after(10):
        while max(map(len, redis.queues.values()), default=0) < leases:
            await anyio.lowlevel.checkpoint()
    await anyio.wait_all_tasks_blocked()


async def test_bound_holds_over_all_replicas_and_nobody_is_lost() -> None:
    redis, api = FakeRedis(), HeldApi()
    servers = [replica(redis, ScriptedTransport(api.answer), max_requests=2) for _ in range(2)]

    async with anyio.create_task_group() as tasks:
        for server in servers:
            for number in range(1, 4):
                tasks.start_soon(ask_as, server, "", number)
        await wait_for_queue(redis, 4)
        assert api.active == 2
        api.go_on.set()

    assert api.most == 2
    assert next(iter(redis.queues.values())) == []  # no lease is left


async def test_stalls_of_one_caller_on_all_replicas_leave_slots_to_another() -> None:
    redis, api = FakeRedis(), HeldApi()
    servers = [replica(redis, ScriptedTransport(api.answer), max_requests=4) for _ in range(2)]

    async with anyio.create_task_group() as tasks:
        for server in servers:
            tasks.start_soon(ask_as, server, "alice", 1)
            tasks.start_soon(ask_as, server, "alice", 2)
        await wait_for_queue(redis, 4)
        assert api.active == 2
        tasks.start_soon(ask_as, servers[0], "bob", 3)
        await wait_for_queue(redis, 5)
        assert api.active == 3
        api.go_on.set()


async def test_request_that_waits_for_too_long_goes_on_by_the_bound_of_its_replica() -> None:
    redis, api = FakeRedis(), HeldApi()
    api.go_on.set()
    server = replica(redis, ScriptedTransport(api.answer), max_requests=1)
    assert server.context.shared is not None
    requests = SharedRequests(server.context.shared, "http://reach.test")
    requests.wait_seconds = 0.1
    server.context.client.slot_of_all = requests.slot
    async with requests.slot({"all": 1}):
        assert not (await call(server, LIST)).is_error

    assert redis.asked.count("enter") > 2


async def test_call_that_gets_no_slot_in_its_time_is_told_so_and_leaves_the_queue() -> None:
    redis, api = FakeRedis(), HeldApi()
    server = replica(redis, ScriptedTransport(api.answer), max_requests=1, deadline=0.5)
    assert server.context.shared is not None
    async with SharedRequests(server.context.shared, "http://reach.test").slot({"all": 1}):
        assert "hold all request slots" in await refused(server, LIST)
        assert len(next(iter(redis.queues.values()))) == 1
