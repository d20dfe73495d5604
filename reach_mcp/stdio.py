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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.mcpserver import MCPServer
from mcp.server.runner import modern_error_data, serve_dual_era_loop, serve_one
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.inbound import InboundLadderRejection, classify_inbound_request
from mcp.shared.message import SessionMessage
from mcp.shared.transport_context import TransportContext
from mcp_types import ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse, RequestId

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
                                await write.send(SessionMessage(await _answer_probe(lowlevel, state, request)))
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


async def _answer_probe(server: Any, state: Any, request: JSONRPCRequest) -> JSONRPCResponse | JSONRPCError:
    route = classify_inbound_request({"method": request.method, "params": request.params})
    if isinstance(route, InboundLadderRejection):
        return _refuse(request.id, ErrorData(code=route.code, message=route.message, data=route.data))
    connection = Connection.from_envelope(route.protocol_version, route.client_info, route.client_capabilities)
    context = _ProbeContext(request.id)
    try:
        result = await serve_one(
            server, context, request.method, request.params, connection=connection, lifespan_state=state
        )
    except Exception as error:  # whatever the handler raised: the SDK maps it to its protocol error
        return _refuse(request.id, modern_error_data(error))
    return JSONRPCResponse(jsonrpc="2.0", id=request.id, result=result)


def _refuse(request_id: RequestId, error: ErrorData) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=error)


@dataclass
class _ProbeContext:
    """What a handler needs to know of a request that is answered outside any connection: there is no way back."""

    request_id: RequestId | None
    transport: TransportContext = field(default_factory=lambda: TransportContext(kind="stdio", can_send_request=False))
    message_metadata: None = None
    can_send_request: bool = False
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)

    async def send_raw_request(self, method: str, *_: Any) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(self, *_: Any) -> None:
        """Nobody listens."""

    async def progress(self, *_: Any) -> None:
        """Nobody listens."""
