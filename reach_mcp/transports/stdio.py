"""Serves a server over stdin and stdout, for hosts as they are.

Three things differ from the SDK's own runner, with the same parts:

- A leading `server/discover` is answered without deciding the protocol era. Some hosts probe with it, give up after
  half a second while Python still starts, and go on with the legacy `initialize` on the same pipe, which the SDK would
  refuse (github/copilot-cli#4525; modelcontextprotocol/python-sdk#3152). It can go when the SDK lets a probe pass.
- SIGTERM and SIGINT let open calls end within the grace, close the lifespan and end the process. The SDK is killed, or
  hangs until stdin closes (python-sdk#3551, #2663). A second signal ends the process at once.
- A line that is no JSON-RPC message is answered with an error; the SDK drops it in silence.

These parts of the SDK are provisional (`_lowlevel_server`, `mcp.server.runner`): the tests fail when they change.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import ObjectSendStream
from mcp.server.runner import serve_dual_era_loop
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse
from pydantic import ValidationError

if TYPE_CHECKING:
    from reach_mcp.server import ReachServer

SIGNALS = (signal.SIGTERM, signal.SIGINT)

_ID = re.compile(r'"id"\s*:\s*(?:(-?\d{1,18})(?![\d.eE])|"((?:[^"\\]){0,100})")')


def die_of(number: int) -> None:  # pragma: no cover - ends the process; the tests start one for it
    """End the process by the signal that it was sent, so that its parent sees the truth."""
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


@dataclass
class OpenCalls:
    """Requests that were read and not yet answered."""

    ids: set[object] = field(default_factory=set)
    changed: anyio.Event = field(default_factory=anyio.Event)
    closing: bool = False

    def opened(self, request: JSONRPCRequest) -> None:
        self.ids.add(request.id)

    def answered(self, message: object) -> None:
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self.ids.discard(message.id)
            self.changed.set()
            self.changed = anyio.Event()

    async def drained(self) -> None:
        """Wait until every request is answered."""
        while self.ids:
            await self.changed.wait()


async def run_stdio(
    server: ReachServer,
    *,
    grace: float = 5.0,
    stdin: anyio.AsyncFile[str] | None = None,
    stdout: anyio.AsyncFile[str] | None = None,
    die: Callable[[int], None] = die_of,
) -> None:
    """Serve until stdin ends or a signal comes. The lifespan is closed before this returns or the process dies."""
    lowlevel, calls = server._lowlevel_server, OpenCalls()
    async with stdio_server(stdin, stdout) as (read, write):
        async with lowlevel.lifespan(lowlevel) as state, anyio.create_task_group() as tasks:
            requests, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            outgoing, responses = anyio.create_memory_object_stream[SessionMessage](0)

            async def forward() -> None:
                """Write responses. An answered call counts as answered once the next write could begin."""
                async with responses, write:
                    async for item in responses:
                        await write.send(item)
                        await _flushed(write)
                        calls.answered(item.message)

            async def drain() -> None:
                calls.closing = True
                with anyio.move_on_after(grace):
                    await calls.drained()
                tasks.cancel_scope.cancel()

            def stop() -> None:
                tasks.start_soon(drain)

            with _caught_signals(stop, die) as caught:
                probes = _Probes(lowlevel, state, outgoing.clone())
                tasks.start_soon(forward)
                tasks.start_soon(_pump, read, requests, probes, calls)
                options = lowlevel.create_initialization_options()
                await serve_dual_era_loop(lowlevel, incoming, outgoing, lifespan_state=state, init_options=options)
                tasks.cancel_scope.cancel()
        # The thread that reads stdin can't be cancelled: leaving this block would wait for it.
        for number in caught:
            die(number)


async def _flushed(write: Any) -> None:
    """Wait until the writer waits for its next message, which it does after it has flushed the last one."""
    inner = getattr(write, "_inner", write)
    for _ in range(200):
        if inner.statistics().tasks_waiting_receive:
            return
        await anyio.sleep(0.005)


@dataclass
class _Probes:
    """Answers `server/discover` out of a connection of the probe's own, whose era alone is decided by it."""

    lowlevel: Any
    state: Any
    reply: ObjectSendStream[SessionMessage]
    leading: bool = True
    """Whether no other request has come yet."""

    async def answer(self, probe: SessionMessage) -> None:
        ask, asked = anyio.create_memory_object_stream[SessionMessage | Exception](1)
        answer, answered = anyio.create_memory_object_stream[SessionMessage](1)
        with ask, asked, answer, answered:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(serve_dual_era_loop, self.lowlevel, asked, answer, lifespan_state=self.state))
                await ask.send(probe)
                await self.reply.send(await answered.receive())
                tasks.cancel_scope.cancel()


async def _pump(read: Any, requests: ObjectSendStream[Any], probes: _Probes, calls: OpenCalls) -> None:
    """Pass every message on, except for leading probes and lines that are no message."""
    async with read, requests, probes.reply:
        async for item in read:
            if calls.closing:
                continue
            if isinstance(item, Exception):
                await probes.reply.send(SessionMessage(describe_bad_line(item)))
                continue
            request = item.message if isinstance(item.message, JSONRPCRequest) else None
            if request is not None and request.method == "server/discover" and probes.leading:
                await probes.answer(item)
                continue
            if request is not None:
                probes.leading = False
                calls.opened(request)
            await requests.send(item)


def describe_bad_line(error: Exception) -> JSONRPCError:
    """The error response to a line that is no JSON-RPC message, with the id where one can be found."""
    details = error.errors(include_url=False) if isinstance(error, ValidationError) else []
    no_json = any(detail["type"] == "json_invalid" for detail in details)
    found = next((name for name in (_find_id(detail["input"]) for detail in details) if name is not None), None)
    code, message = (
        (PARSE_ERROR, "The line is not valid JSON.") if no_json else (INVALID_REQUEST, "Not a JSON-RPC message.")
    )
    return JSONRPCError(jsonrpc="2.0", id=found, error=ErrorData(code=code, message=message))


def _find_id(given: object) -> str | int | None:
    if isinstance(given, dict):
        value = given.get("id")
        return value if isinstance(value, str | int) and not isinstance(value, bool) else None
    match = _ID.search(given if isinstance(given, str) else "")
    if match is None:
        return None
    return int(match[1]) if match[1] else match[2]


@contextmanager
def _caught_signals(drain: Callable[[], None], die: Callable[[int], None]) -> Iterator[list[int]]:
    """Drain at the first signal and die of the second. Yields the list that the caught signal will stand in."""
    loop = asyncio.get_running_loop()
    caught: list[int] = []

    def catch(number: int, _: object) -> None:
        if caught:
            die(number)
        caught.append(number)
        loop.call_soon_threadsafe(drain)

    previous = {number: signal.signal(number, catch) for number in SIGNALS}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
