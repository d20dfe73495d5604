"""Serving over pipes: probes, lines that are no message, and signals."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from reach_mcp.server import ReachServer
from reach_mcp.transports.stdio import describe_bad_line, run_stdio
from tests.builders import batch, page
from tests.fakes import Answer, ScriptedTransport
from tests.helpers import LIST, META, api_of, rpc, serve

pytestmark = pytest.mark.anyio

INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Pipes:
    """A host's ends of the pipes."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self.stdin, self._to_server = os.fdopen(read), os.fdopen(write, "w")
        read, write = os.pipe()
        self._from_server, self.stdout = os.fdopen(read), os.fdopen(write, "w")
        self.died: list[int] = []

    def send(self, line: str) -> None:
        self._to_server.write(line + "\n")
        self._to_server.flush()

    async def receive(self) -> dict[str, Any]:
        line = await anyio.to_thread.run_sync(self._from_server.readline)
        found: dict[str, Any] = json.loads(line)
        return found

    async def ask(self, method: str, params: dict[str, Any], request_id: int = 1) -> dict[str, Any]:
        self.send(json.dumps(rpc(method, params, id=request_id)))
        return await self.receive()

    def hang_up(self) -> None:
        if not self._to_server.closed:
            self._to_server.close()

    def die(self, number: int) -> None:
        self.died.append(number)
        self.hang_up()


@asynccontextmanager
async def running(server: ReachServer, grace: float = 5.0) -> AsyncIterator[Pipes]:
    pipes = Pipes()
    with pipes.stdin, pipes.stdout, pipes._from_server:
        async with anyio.create_task_group() as tasks:

            async def run() -> None:
                stdin, stdout = anyio.wrap_file(pipes.stdin), anyio.wrap_file(pipes.stdout)
                await run_stdio(server, grace=grace, stdin=stdin, stdout=stdout, die=pipes.die)

            tasks.start_soon(run)
            yield pipes
            pipes.hang_up()


async def test_probe_does_not_decide_the_era() -> None:
    async with running(serve(api_of([]))) as pipes:
        probed = await pipes.ask("server/discover", {"_meta": META})
        initialized = await pipes.ask("initialize", INITIALIZE)
        pipes.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        listed = await pipes.ask("tools/list", {})

    assert "instructions" in probed["result"]
    assert initialized["result"]["protocolVersion"] == "2025-11-25"
    assert len(listed["result"]["tools"]) == 3


async def test_line_that_is_no_message_is_answered() -> None:
    async with running(serve(api_of([]))) as pipes:
        pipes.send("no JSON")
        answer = await pipes.receive()

    assert (answer["id"], answer["error"]["code"]) == (None, -32700)


@pytest.mark.parametrize("request_id", [36.5, None, True, "x" * 257, 10**256])
async def test_request_with_an_unusable_id_is_answered(request_id: object) -> None:
    async with running(serve(api_of([]))) as pipes:
        pipes.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized", "id": request_id}))
        pipes.send(json.dumps(rpc("tools/list", id=request_id)))
        answer = await pipes.receive()

    assert (answer["id"], answer["error"]["code"]) == (None, -32600)
    assert "request id" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("line", "request_id", "code"),
    [
        ('{"jsonrpc":"2.0","id":7,"method":"x\\ud800"}', 7, -32700),
        ('{"jsonrpc":"2.0","id":"a-1","method":"x",', "a-1", -32700),
        ('{"jsonrpc":"2.0","id":1.5,', None, -32700),
        ('{"jsonrpc":"2.0","id":9,"method":4}', 9, -32600),
        ('{"jsonrpc":"2.0","id":true,"method":4}', None, -32600),
        ('{"jsonrpc":"2.0","id":"' + "x" * 257 + '","method":4}', None, -32600),
        ("[]", None, -32600),
    ],
)
def test_error_of_a_bad_line_has_the_id_where_there_is_one(line: str, request_id: object, code: int) -> None:
    with pytest.raises(ValidationError) as caught:
        jsonrpc_message_adapter.validate_json(line, by_name=False)

    found = describe_bad_line(caught.value)

    assert (found.id, found.error.code) == (request_id, code)


def test_error_of_another_kind_has_no_id() -> None:
    assert describe_bad_line(RuntimeError()).id is None


class SlowReach:
    """Answers a request when it is told to."""

    def __init__(self) -> None:
        self.asked, self.release = anyio.Event(), anyio.Event()
        self.transport = ScriptedTransport(self._answer)

    async def _answer(self, _: httpx.Request) -> Answer:
        self.asked.set()
        await self.release.wait()
        return page(batch("b1"))


async def test_open_call_ends_within_the_grace_and_then_the_process_dies_of_the_signal() -> None:
    reach = SlowReach()
    server = serve(reach.transport)
    async with running(server) as pipes:
        await pipes.ask("initialize", INITIALIZE)
        pipes.send(json.dumps(rpc("tools/call", {"name": LIST, "arguments": {}}, id=5)))
        await reach.asked.wait()
        signal.raise_signal(signal.SIGTERM)
        await anyio.wait_all_tasks_blocked()
        pipes.send(json.dumps(rpc("tools/list", {}, id=6)))
        assert pipes.died == []
        reach.release.set()
        answer = await pipes.receive()
        while not pipes.died:
            await anyio.lowlevel.checkpoint()

    assert answer["id"] == 5
    assert "b1" in answer["result"]["content"][0]["text"]
    assert pipes.died == [signal.SIGTERM]
    assert server.context.stopping.is_set()


async def test_call_that_does_not_end_is_cut_after_the_grace() -> None:
    reach = SlowReach()
    async with running(serve(reach.transport), grace=0.01) as pipes:
        await pipes.ask("initialize", INITIALIZE)
        pipes.send(json.dumps(rpc("tools/call", {"name": LIST, "arguments": {}}, id=5)))
        await reach.asked.wait()
        signal.raise_signal(signal.SIGINT)

    assert pipes.died == [signal.SIGINT]


async def test_second_signal_ends_at_once() -> None:
    reach = SlowReach()
    async with running(serve(reach.transport), grace=60) as pipes:
        await pipes.ask("initialize", INITIALIZE)
        pipes.send(json.dumps(rpc("tools/call", {"name": LIST, "arguments": {}}, id=5)))
        await reach.asked.wait()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert pipes.died == [signal.SIGTERM]
        reach.release.set()
