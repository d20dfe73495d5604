"""Serves a server over stdin and stdout, for hosts as they are.

Two things differ from the SDK's own runner, with the same parts:

- A leading `server/discover` is answered without deciding the protocol era. Some hosts probe with it, give up on the
  answer after half a second, while Python is still starting, and go on with the older `initialize` on the same pipe;
  the SDK would refuse that.
- SIGTERM and SIGINT cancel what is in flight, close the lifespan and end the process, where the SDK would be killed
  with its connections open or hang until stdin closes. A second signal ends it at once.

These parts of the SDK are provisional (`_lowlevel_server`, `mcp.server.runner`); tests hold on to what is used of them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.runner import serve_dual_era_loop
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCRequest

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def die_of(number: int) -> None:  # pragma: no cover - ends the process; the tests start one for it
    """End the process by the signal that it was sent, so that its parent sees the truth."""
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


async def run_stdio(
    server: MCPServer[Any],
    *,
    stdin: anyio.AsyncFile[str] | None = None,
    stdout: anyio.AsyncFile[str] | None = None,
    die: Callable[[int], None] = die_of,
) -> None:
    """Serve until stdin ends or a signal comes; either way the lifespan is closed before this returns or dies."""
    lowlevel = server._lowlevel_server
    async with stdio_server(stdin, stdout) as (read, write):
        async with lowlevel.lifespan(lowlevel) as state:
            send, undecided = anyio.create_memory_object_stream[SessionMessage | Exception](0)

            async def answer_probes() -> None:
                """Pass everything on, except for the probes that come before the first other request."""
                probing = True
                async with read, send:
                    async for item in read:
                        request = item.message if isinstance(item, SessionMessage) else None
                        if probing and isinstance(request, JSONRPCRequest):
                            if request.method == "server/discover":
                                await _answer_probe(lowlevel, state, item, write.send)
                                continue
                            probing = False
                        await send.send(item)

            async with anyio.create_task_group() as tasks:
                with _caught_signals(tasks.cancel_scope.cancel, die) as caught:
                    tasks.start_soon(answer_probes)
                    options = lowlevel.create_initialization_options()
                    await serve_dual_era_loop(lowlevel, undecided, write, lifespan_state=state, init_options=options)
                    tasks.cancel_scope.cancel()
        # The thread that reads stdin can't be called off: leaving this block would wait for it.
        for number in caught:
            die(number)


@contextmanager
def _caught_signals(cancel: Callable[[], None], die: Callable[[int], None]) -> Iterator[list[int]]:
    """Cancel at the first signal and die of the second; yields the list that the caught signal will stand in."""
    loop = asyncio.get_running_loop()
    caught: list[int] = []

    def catch(number: int, _: object) -> None:
        if caught:
            die(number)
        caught.append(number)
        loop.call_soon_threadsafe(cancel)

    previous = {number: signal.signal(number, catch) for number in SIGNALS}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


async def _answer_probe(
    server: Any, state: Any, probe: SessionMessage, reply: Callable[[SessionMessage], Awaitable[None]]
) -> None:
    """Answer as the SDK does, out of a connection of the probe's own: that one's era is decided by it."""
    ask, asked = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    answer, answered = anyio.create_memory_object_stream[SessionMessage](1)
    with ask, asked, answer, answered:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(serve_dual_era_loop, server, asked, answer, lifespan_state=state))
            await ask.send(probe)
            await reply(await answered.receive())
            tasks.cancel_scope.cancel()
