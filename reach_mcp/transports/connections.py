"""Bounds what a connection may take before it has sent a request: number of connections, and time for headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from reach_mcp.logs import ThrottledLog

HEADER_SECONDS = 10.0
WRITE_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 30


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP protocol with a bound on connections, and time limits on headers and on answers that nobody reads.

    uvicorn bounds none of them (Kludex/uvicorn#157): it can go when uvicorn has such time limits.
    """

    max_connections = 256
    on_refusal: Callable[[], None]
    refusals = ThrottledLog()
    header_seconds = HEADER_SECONDS
    write_seconds = WRITE_SECONDS
    _headers: asyncio.TimerHandle
    """Runs exactly while headers are awaited: before the first request, and once one has begun."""
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._headers = self._abort_after(self.header_seconds)
        if len(self.connections) > self.max_connections:
            self.refusals.warning("too many connections", limit=self.max_connections)
            self.on_refusal()
            transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._headers.cancel()
        elif self._headers.cancelled():
            self._headers = self._abort_after(self.header_seconds)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self._abort_after(self.write_seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def _abort_after(self, seconds: float) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self.transport.abort)


def guarded(max_connections: int, on_refusal: Callable[[], None] = lambda: None) -> type[GuardedProtocol]:
    """The protocol with a bound of its own. `on_refusal` is called for each connection beyond it."""
    own = {"max_connections": max_connections, "on_refusal": staticmethod(on_refusal)}
    return type("BoundedProtocol", (GuardedProtocol,), own)
