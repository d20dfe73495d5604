"""Calls that take long, over both transports and in both protocol eras: how far they are, and how they are ended."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult

from tests.contract.processes import REACH_MCP, environment, serving
from tests.faults.site import Site
from tests.test_http import HEADERS, META, as_bytes

pytestmark = pytest.mark.anyio

EXPLAIN = "explain_pending_dependencies"
MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "http"])


@asynccontextmanager
async def connected(transport: str, mode: str, **settings: str) -> AsyncIterator[Client]:
    """The SDK's client before a server in a process of its own."""
    env = environment(REACH_API_TOKEN="t", REACH_MCP_LOG_LEVEL="WARNING", **settings)
    with anyio.fail_after(60):
        if transport == "stdio":
            command, *arguments = REACH_MCP
            parameters = StdioServerParameters(command=command, args=arguments, env=env)
            async with Client(stdio_client(parameters), mode=mode) as client:
                yield client
            return
        command_line = (*REACH_MCP, "serve", "--http", "--port", "0")
        with serving(command_line, ready=r"listening on (\S+)", env=env) as address:
            async with Client(address, mode=mode) as client:
                yield client


@TRANSPORTS
@MODES
async def test_caller_that_asks_for_it_hears_how_far_a_walk_has_got(site: Site, transport: str, mode: str) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with connected(transport, mode, REACH_API_URL=site.url("slow-head=0.3", times=100)) as client:
        result = await client.call_tool(EXPLAIN, {"limit": 3}, progress_callback=hear)

    assert isinstance(result, CallToolResult)
    assert not result.is_error
    assert heard[-1][:2] == (10, 10)
    assert re.fullmatch("[45] pages, 10 pending rows", heard[-1][2] or "")  # the ends of the list may meet on one page
    assert 2 <= len(heard) <= 4
    assert [batches for batches, _, _ in heard] == sorted({batches for batches, _, _ in heard})


def wait_until_asked(site: Site, requests: int) -> None:
    """Wait until Reach has been asked as often; it is another process, which sends no events."""
    end = time.monotonic() + 20
    while site.tally()["requests"] < requests:
        assert time.monotonic() < end
        time.sleep(0.02)


@TRANSPORTS
@MODES
async def test_call_that_its_host_cancels_hangs_up_on_reach(site: Site, transport: str, mode: str) -> None:
    """The user has pressed stop: nothing may go on reading in the user's name."""
    url = site.url("slow-head=30", times=100)
    async with connected(transport, mode, REACH_API_URL=url, REACH_MCP_MAX_CALLS="2") as client:
        for calls in (1, 2, 3):  # a place that was lost would be missed by the third
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.call_tool, EXPLAIN, {})
                await anyio.to_thread.run_sync(wait_until_asked, site, 2 * calls)
                tasks.cancel_scope.cancel()
            assert await anyio.to_thread.run_sync(site.open_connections) == []
        assert len((await client.list_tools()).tools) == 3


@pytest.mark.parametrize("headers", [{}, {"MCP-Protocol-Version": "2026-07-28"}])
async def test_call_whose_connection_ends_hangs_up_on_reach(site: Site, headers: dict[str, str]) -> None:
    """A host that crashed says nothing: its connection is just gone."""
    params = {"name": EXPLAIN, "arguments": {}, **({"_meta": META} if headers else {})}
    call: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    env = environment(REACH_API_TOKEN="t", REACH_API_URL=site.url("slow-head=30", times=100))
    with (
        anyio.fail_after(60),
        serving((*REACH_MCP, "serve", "--http", "--port", "0"), ready=r"listening on (\S+)", env=env) as address,
    ):
        parts = urlsplit(address)
        named = {"Mcp-Method": "tools/call", "Mcp-Name": EXPLAIN} if headers else {}
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(as_bytes(HEADERS | headers | named | {"Host": parts.netloc}, call))
        await anyio.to_thread.run_sync(wait_until_asked, site, 2)
        writer.transport.abort()
        assert await anyio.to_thread.run_sync(site.open_connections) == []
