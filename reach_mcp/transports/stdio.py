"""Serves a server over stdin and stdout, for hosts as they are.

Three things differ from the SDK's own runner (mcp 2.3), with the same parts:

- A leading `server/discover` is answered without deciding the protocol era. Copilot CLI probes with it and goes on with
  the legacy `initialize` on the same pipe, which the SDK would refuse (github/copilot-cli#4525, #4888). It can go when
  the SDK lets a probe pass.
- SIGTERM and SIGINT let open calls end within the grace, close the lifespan and end the process. The SDK is killed by
  the one, and ignores the other until stdin closes (modelcontextprotocol/python-sdk#3551): it can go with that issue.
- A line that is no JSON-RPC message, or a request whose id is unusable, is answered with an error. It can go when the
  SDK does not drop either in silence.

These parts of the SDK are provisional (`_lowlevel_server`, `mcp.server.runner`): the tests fail when they change.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.server.runner import serve_dual_era_loop
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCNotification, JSONRPCRequest
from pydantic import ValidationError

from reach_mcp.transports.request_ids import WRONG_ID, usable_id
from reach_mcp.transports.signals import die_later, die_of

if TYPE_CHECKING:
    from reach_mcp.server import ReachServer

SIGNALS = (signal.SIGTERM, signal.SIGINT)
POLL_SECONDS = 0.01

_ID = re.compile(r'"id"\s*:\s*(?:(-?\d{1,18})(?![\d.eE])|"((?:[^"\\]){0,100})")')


async def run_stdio(
    server: ReachServer,
    *,
    grace: float = 5.0,
    stdin: anyio.AsyncFile[str] | None = None,
    stdout: anyio.AsyncFile[str] | None = None,
    die: Callable[[int], None] = die_of,
) -> None:
    """Serve until stdin ends or a signal comes. The lifespan is closed before this returns or the process dies."""
    lowlevel = server._lowlevel_server
    async with stdio_server(stdin, stdout) as (read, write):
        async with lowlevel.lifespan(lowlevel) as state, anyio.create_task_group() as tasks:
            requests, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            outgoing, responses = anyio.create_memory_object_stream[SessionMessage](0)
            pipe = _Pipe(partial(serve_dual_era_loop, lowlevel, lifespan_state=state), outgoing.clone())

            async def drain() -> None:
                with anyio.move_on_after(grace):
                    await pipe.drain(write)
                tasks.cancel_scope.cancel()

            def stop() -> None:
                tasks.start_soon(drain)

            with _caught_signals(stop, grace, die) as caught:
                tasks.start_soon(pipe.write, responses, write)
                tasks.start_soon(pipe.read, read, requests)
                options = lowlevel.create_initialization_options()
                await serve_dual_era_loop(lowlevel, incoming, outgoing, lifespan_state=state, init_options=options)
                tasks.cancel_scope.cancel()
        # The thread that reads stdin can't be cancelled: leaving this block would wait for it.
        for number in caught:
            die(number)


@dataclass
class _Pipe:
    """Passes messages between the pipes and the SDK, and knows which requests are open."""

    serve: Callable[..., Any]
    reply: ObjectSendStream[SessionMessage]
    open: set[object] = field(default_factory=set)
    """Ids of requests that were read and not yet answered."""
    leading: bool = True
    """Whether no other request than probes has come yet."""
    closing: bool = False

    async def read(self, read: Any, requests: ObjectSendStream[SessionMessage | Exception]) -> None:
        """Pass every message on, except for leading probes and lines that are no message."""
        async with read, requests, self.reply:
            async for item in read:
                if self.closing:
                    continue
                if isinstance(item, Exception):
                    await self.reply.send(SessionMessage(describe_bad_line(item)))
                elif _has_wrong_id(item.message):
                    await self.reply.send(SessionMessage(_error(None, INVALID_REQUEST, WRONG_ID)))
                elif not await self._answer_probe(item):
                    await requests.send(item)

    async def _answer_probe(self, item: SessionMessage) -> bool:
        """Answer a leading `server/discover` out of a connection of its own, whose era alone is decided by it."""
        request = item.message
        if isinstance(request, JSONRPCRequest):
            self.leading = self.leading and request.method == "server/discover"
            if not self.leading:
                self.open.add(request.id)
        if not (self.leading and isinstance(request, JSONRPCRequest)):
            return False
        ask, asked = anyio.create_memory_object_stream[SessionMessage | Exception](1)
        answer, answered = anyio.create_memory_object_stream[SessionMessage](1)
        with ask, asked, answer, answered:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.serve, asked, answer)
                await ask.send(item)
                await self.reply.send(await answered.receive())
                tasks.cancel_scope.cancel()
        return True

    async def write(self, responses: ObjectReceiveStream[SessionMessage], write: Any) -> None:
        async with responses, write:
            async for item in responses:
                await write.send(item)
                self.open.discard(getattr(item.message, "id", None))

    async def drain(self, write: Any) -> None:
        """Take no more requests, and wait until all are answered and flushed: then the SDK's writer is idle."""
        self.closing = True
        stream = getattr(write, "_inner", write)
        while self.open or not stream.statistics().tasks_waiting_receive:  # noqa: ASYNC110 - the SDK has no event for it
            await anyio.sleep(POLL_SECONDS)


def describe_bad_line(error: Exception) -> JSONRPCError:
    """The error response to a line that is no JSON-RPC message, with the id where one can be found."""
    details = error.errors(include_url=False) if isinstance(error, ValidationError) else []
    no_json = any(detail["type"] == "json_invalid" for detail in details)
    found = next((name for name in (_find_id(detail["input"]) for detail in details) if name is not None), None)
    code, message = (
        (PARSE_ERROR, "The line is not valid JSON.") if no_json else (INVALID_REQUEST, "Not a JSON-RPC message.")
    )
    return _error(found, code, message)


def _error(request_id: str | int | None, code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))


def _has_wrong_id(message: object) -> bool:
    """Whether a message is a request that can't be answered by its id.

    The SDK takes a request whose id is null or a fraction for a notification. All of MCP's start with `notifications/`.
    """
    if isinstance(message, JSONRPCRequest):
        return usable_id(message.id) is None
    return isinstance(message, JSONRPCNotification) and not message.method.startswith("notifications/")


def _find_id(given: object) -> str | int | None:
    if isinstance(given, dict):
        return usable_id(given.get("id"))
    match = _ID.search(given if isinstance(given, str) else "")
    return match and (int(match[1]) if match[1] else match[2])


@contextmanager
def _caught_signals(drain: Callable[[], None], grace: float, die: Callable[[int], None]) -> Iterator[list[int]]:
    """Drain at the first signal and die of the second. Yields the list that the caught signal will stand in."""
    loop, caught, stack = asyncio.get_running_loop(), list[int](), ExitStack()

    def catch(number: int, _: object) -> None:
        if caught:
            die(number)
        caught.append(number)
        stack.callback(die_later(grace, number).cancel)
        loop.call_soon_threadsafe(drain)

    with stack:
        for number in SIGNALS:
            stack.callback(signal.signal, number, signal.signal(number, catch))
        yield caught
