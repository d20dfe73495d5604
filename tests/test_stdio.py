"""stdio: hosts that probe and change their mind, signals, and a host that goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import pytest
from mcp.server.mcpserver import MCPServer

from reach_mcp import stdio
from reach_mcp.stdio import run_stdio

pytestmark = pytest.mark.anyio

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "host", "version": "1"},
}


def request(number: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def probe(number: int) -> dict[str, Any]:
    return request(number, "server/discover", _meta=MODERN)


class Host:
    """A host at the other end of the pipes."""

    def __init__(self, read: int, write: int) -> None:
        self._read = os.fdopen(read, "r", encoding="utf-8")
        self._write = os.fdopen(write, "w", encoding="utf-8")

    def send(self, message: dict[str, Any]) -> None:
        self._write.write(json.dumps(message) + "\n")
        self._write.flush()

    async def receive(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(await anyio.to_thread.run_sync(self._read.readline))
        return answer

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self.send(message)
        return await self.receive()

    def hang_up(self) -> None:
        self._write.close()

    def close(self) -> None:
        self._write.close()
        self._read.close()


class Served:
    """A small server with the events of its lifespan, for what doesn't depend on our tools."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.server = MCPServer("small", lifespan=self._lifespan)
        self.server.add_tool(self._wait, name="wait", description="Waits for ever.")
        self.waiting = anyio.Event()
        self.died = anyio.Event()

    @asynccontextmanager
    async def _lifespan(self, _: MCPServer[None]) -> AsyncIterator[None]:
        self.events.append("open")
        yield
        self.events.append("closed")

    async def _wait(self) -> None:
        self.waiting.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.events.append("call ended")

    def die(self, number: int) -> None:
        self.events.append(f"died of {number}")
        self.died.set()


@contextmanager
def pipes() -> Iterator[tuple[Host, Any, Any]]:
    """A host, and the server's ends of its pipes."""
    (our_read, their_write), (their_read, our_write) = os.pipe(), os.pipe()
    host = Host(our_read, our_write)
    stdin, stdout = os.fdopen(their_read, "r", encoding="utf-8"), os.fdopen(their_write, "w", encoding="utf-8")
    try:
        yield host, anyio.wrap_file(stdin), anyio.wrap_file(stdout)
    finally:
        host.close()
        stdin.close()
        stdout.close()


@asynccontextmanager
async def serving(served: Served) -> AsyncIterator[Host]:
    with pipes() as (host, stdin, stdout):
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: run_stdio(served.server, stdin=stdin, stdout=stdout, die=served.die))
                yield host
                host.hang_up()


async def test_host_that_probes_and_goes_on_in_the_new_era_is_served() -> None:
    async with serving(Served()) as host:
        await host.ask(probe(0))
        await host.ask(probe(1))
        listed = await host.ask(request(2, "tools/list", _meta=MODERN))

    assert [tool["name"] for tool in listed["result"]["tools"]] == ["wait"]


async def test_probe_is_answered_as_the_sdk_answers_it() -> None:
    """An answer of our own making would drift from what the SDK says later on the same pipe."""
    async with serving(Served()) as host:
        first = await host.ask(probe(1))
        await host.ask(request(2, "tools/list", _meta=MODERN))
        later = await host.ask(probe(1))

    assert first == later


async def test_malformed_probe_is_refused_and_the_pipe_stays_open() -> None:
    async with serving(Served()) as host:
        refused = await host.ask(request(1, "server/discover"))
        old = await host.ask(request(2, "server/discover", _meta={**MODERN, next(iter(MODERN)): "1999-01-01"}))
        initialized = await host.ask(request(3, "initialize", **INITIALIZE))

    assert refused["error"]["code"] == -32601
    assert old["error"]["code"] == -32022
    assert initialized["id"] == 3


async def test_probe_that_fails_inside_is_a_protocol_error() -> None:
    """The era is still open then, and the host may go on."""
    served = Served()

    async def fail(ctx: Any, call_next: Any) -> Any:
        if ctx.method == "server/discover":
            raise RuntimeError("broke: s3cret")
        return await call_next(ctx)

    served.server.middleware.append(fail)
    async with serving(served) as host:
        answer = await host.ask(probe(1))
        initialized = await host.ask(request(2, "initialize", **INITIALIZE))

    assert answer["error"]["code"] == -32603
    assert "s3cret" not in json.dumps(answer)
    assert initialized["id"] == 2


async def test_line_that_is_not_json_is_passed_over() -> None:
    async with serving(Served()) as host:
        host._write.write("not json\n")
        answer = await host.ask(request(1, "initialize", **INITIALIZE))

    assert answer["id"] == 1


async def test_end_of_stdin_ends_what_is_in_flight_and_closes_the_lifespan() -> None:
    served = Served()
    async with serving(served) as host:
        host.send(request(1, "tools/call", name="wait", arguments={}, _meta=MODERN))
        await served.waiting.wait()

    assert served.events == ["open", "call ended", "closed"]


@pytest.mark.parametrize("number", stdio.SIGNALS)
async def test_signal_ends_what_is_in_flight_and_closes_the_lifespan_before_death(number: int) -> None:
    """The SDK alone would leave connections to Reach open, or hang until the host loses patience."""
    served, before = Served(), signal.getsignal(number)
    async with serving(served) as host:
        host.send(request(1, "tools/call", name="wait", arguments={}, _meta=MODERN))
        await served.waiting.wait()
        os.kill(os.getpid(), number)
        await served.died.wait()

    assert served.events == ["open", "call ended", "closed", f"died of {int(number)}"]
    assert signal.getsignal(number) is before


async def test_second_signal_ends_the_process_at_once() -> None:
    """Who asks twice doesn't want to wait."""
    died_of: list[int] = []
    with stdio._caught_signals(lambda: None, died_of.append) as caught:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

    assert died_of == [signal.SIGINT]
    assert caught == [signal.SIGTERM, signal.SIGINT]


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """reach-mcp over the demo in a process of its own, with pipes."""
    command = [sys.executable, "-m", "reach_mcp", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8") as running:
        limit = threading.Timer(60, running.kill)
        limit.start()
        try:
            yield running
        finally:
            limit.cancel()
            running.kill()


def tell(running: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert running.stdin is not None
    running.stdin.write(json.dumps(message) + "\n")
    running.stdin.flush()


def hear(running: subprocess.Popen[str]) -> dict[str, Any]:
    assert running.stdout is not None
    answer: dict[str, Any] = json.loads(running.stdout.readline())
    return answer


def test_real_process_survives_the_probe_of_an_impatient_host() -> None:
    """Some give up on their probe while Python starts, and send the older handshake on the same pipe."""
    with process("--demo") as running:
        for message in (
            probe(0),
            request(1, "initialize", **INITIALIZE),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            request(2, "tools/list"),
        ):
            tell(running, message)
        answers = [hear(running) for _ in range(3)]
        assert running.stdin is not None
        running.stdin.close()

        assert running.wait() == 0
        assert [answer["id"] for answer in answers] == [0, 1, 2]
        assert "2026-07-28" in answers[0]["result"]["supportedVersions"]
        assert answers[1]["result"]["protocolVersion"] == "2025-11-25"
        assert len(answers[2]["result"]["tools"]) == 3


@pytest.mark.parametrize("number", stdio.SIGNALS)
def test_real_process_dies_of_the_signal_and_says_nothing(number: int) -> None:
    """Its parent sees by what it ended; with stdin still open, the SDK would hang here."""
    with process("--demo") as running:
        tell(running, request(1, "initialize", **INITIALIZE))
        hear(running)
        running.send_signal(number)

        assert running.wait(timeout=10) == -number
        assert running.stderr is not None
        assert running.stderr.read() == ""


def test_real_process_ends_quietly_when_its_host_is_gone() -> None:
    with process("--demo") as running:
        assert running.stdout is not None
        running.stdout.close()
        tell(running, request(1, "initialize", **INITIALIZE))
        assert running.stdin is not None
        running.stdin.close()

        assert running.wait() == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""
