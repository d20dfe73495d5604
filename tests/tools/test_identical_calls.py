"""Identical calls at the same time share one answer, and only identical ones do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest
from mcp_types import CallToolResult

from reach_mcp.tools.context import CALLER, Caller
from tests.builders import batch, detail, page
from tests.fakes import Answer, ScriptedTransport
from tests.helpers import EXPLAIN, GET, LIST, call, serve, text_of

pytestmark = pytest.mark.anyio


class SlowApi:
    """An API that answers when it is released, and says which requests were given up."""

    def __init__(self, respond: Callable[[httpx.Request], Answer]) -> None:
        self.respond = respond
        self.transport = ScriptedTransport(self.answer)
        self.given_up = 0
        self.released = anyio.Event()

    async def answer(self, request: httpx.Request) -> Answer:
        try:
            await self.released.wait()
        except BaseException:
            self.given_up += 1
            raise
        return self.respond(request)


def one_batch(request: httpx.Request) -> Answer:
    return page(batch("b1")) if request.url.path == "/api/batches" else detail(batch("b1"))


async def gather(api: SlowApi, *calls: Callable[[], Awaitable[CallToolResult]]) -> list[CallToolResult]:
    """The results of calls that all wait for the API at the same time."""
    found: dict[int, CallToolResult] = {}

    async def run(number: int, one: Callable[[], Awaitable[CallToolResult]]) -> None:
        found[number] = await one()

    async with anyio.create_task_group() as tasks:
        for number, one in enumerate(calls):
            tasks.start_soon(run, number, one)
        await anyio.wait_all_tasks_blocked()
        api.released.set()
    return [found[number] for number in range(len(calls))]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [(LIST, {}), (LIST, {"limit": 5, "unknown_word": 1}), (GET, {"batch_id": "b1"})],
    ids=["list", "list with a note", "get"],
)
async def test_identical_calls_at_the_same_time_are_one_request(tool: str, arguments: dict[str, Any]) -> None:
    api = SlowApi(one_batch)
    server = serve(api.transport)

    first, second = await gather(api, *[lambda: call(server, tool, **arguments)] * 2)

    assert len(api.transport.requests) == 1
    assert text_of(first) == text_of(second)
    assert first.structured_content == second.structured_content
    assert first.meta is not None
    assert second.meta is not None
    costs = first.meta["reach/cost"], second.meta["reach/cost"]
    assert [cost["requests"] for cost in costs] == [1, 0]
    assert costs[0].get("coverage") == costs[1].get("coverage")


async def test_a_call_after_the_answer_asks_again() -> None:
    transport = ScriptedTransport(page(batch("b1")), page(batch("b2")))
    server = serve(transport)

    texts = [text_of(await call(server, LIST)) for _ in range(2)]

    assert "b1" in texts[0]
    assert "b2" in texts[1]


@pytest.mark.parametrize(
    ("tool", "one", "other"),
    [
        (LIST, {}, {"limit": 5}),
        (LIST, {}, {"response_format": "detailed"}),
        (LIST, {}, {"unknown_word": 1}),
        (LIST, {"tenant_id": "a"}, {"tenant_id": "b"}),
        (LIST, {"fresh": True}, {"fresh": True}),
        (GET, {"batch_id": "b1"}, {"batch_id": "b1", "include_pending_details": True}),
    ],
    ids=["limit", "format", "note", "tenant", "fresh", "details"],
)
async def test_calls_that_differ_share_nothing(tool: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    api = SlowApi(one_batch)
    server = serve(api.transport)

    await gather(api, lambda: call(server, tool, **one), lambda: call(server, tool, **other))

    assert len(api.transport.requests) == 2


async def test_calls_with_other_credentials_share_nothing() -> None:
    api = SlowApi(one_batch)
    server = serve(api.transport, credential="caller")

    async def ask(token: str | None) -> CallToolResult:
        CALLER.set(Caller(credential=token))
        return await call(server, LIST)

    await gather(api, *(lambda token=token: ask(token) for token in ("token-one", "token-two", None)))

    assert len(set(api.transport.tokens)) == 3


async def test_calls_of_other_callers_share_nothing() -> None:
    api = SlowApi(one_batch)
    server = serve(api.transport)

    async def ask(name: str) -> CallToolResult:
        CALLER.set(Caller(name))
        return await call(server, LIST)

    await gather(api, *(lambda name=name: ask(name) for name in ("alice", "bob")))

    assert len(api.transport.requests) == 2


async def test_explanations_share_their_reading_alone() -> None:
    api = SlowApi(one_batch)
    server = serve(api.transport)

    first, second = await gather(api, *[lambda: call(server, EXPLAIN)] * 2)

    assert len(api.transport.requests) == 1
    assert not server.context.runs._runs
    assert text_of(first) == text_of(second)


async def test_failure_is_shared_too() -> None:
    api = SlowApi(lambda _: 403)
    server = serve(api.transport)

    results = await gather(api, *[lambda: call(server, LIST)] * 2)

    assert len(api.transport.requests) == 1
    assert [result.is_error for result in results] == [True, True]
    assert not server.context.runs._runs


async def test_call_that_is_cancelled_leaves_the_others_their_answer() -> None:
    api = SlowApi(one_batch)
    server = serve(api.transport)
    found: list[CallToolResult] = []

    async def ask(scope: anyio.CancelScope) -> None:
        with scope:
            found.append(await call(server, LIST))

    first, second = anyio.CancelScope(), anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, first)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ask, second)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        api.released.set()

    assert len(found) == 1
    assert not found[0].is_error
    assert (len(api.transport.requests), api.given_up) == (1, 0)


async def test_request_ends_when_nobody_waits_for_it_and_the_next_call_sends_its_own() -> None:
    api = SlowApi(one_batch)
    server = serve(api.transport)

    with anyio.move_on_after(0.05):
        await call(server, LIST)
    results = await gather(api, lambda: call(server, LIST))

    assert not results[0].is_error
    assert (len(api.transport.requests), api.given_up) == (2, 1)
