"""Whether Reach can be reached: the result of the last call that asked it, or of a rare probe."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio

from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import (
    NoConnection,
    NotJSON,
    ReachError,
    ServerFailed,
    Stalled,
    TimedOut,
    TLSFailed,
    UnexpectedStatus,
)

if TYPE_CHECKING:
    from reach_mcp.tools.context import ToolContext

UNREACHABLE = (NoConnection, NotJSON, ServerFailed, Stalled, TLSFailed, UnexpectedStatus)
"""Errors that any call would meet. The others are about one call, or come from Reach itself."""

PROBE_EVERY_SECONDS = 30.0
PROBE_SECONDS = 3.0


@dataclass
class Upstream:
    """The last result of asking Reach."""

    reached: bool | None = None
    """None before the first call."""
    kind: str = ""
    """The kind of the last failure."""
    at: float = 0.0
    """Unix time of that failure."""
    next_probe: float = 0.0
    """Monotonic time before which no probe is sent."""
    probe_seconds: float = PROBE_SECONDS
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    def record(self, error: ReachError | None, now: float) -> None:
        """Keep the result of a call that sent a request."""
        self.reached = not isinstance(error, UNREACHABLE)
        if error is not None and not self.reached:
            self.kind, self.at = error.kind, now


async def find_unreachable(context: ToolContext) -> str:
    """The reason why Reach is not known to be reachable, empty where the last call reached it.

    Otherwise it sends a probe, at most every 30 s: without calls nothing else would notice that Reach is back.
    """
    upstream = context.upstream
    async with upstream.lock:
        if not upstream.reached and time.monotonic() >= upstream.next_probe:
            upstream.next_probe = time.monotonic() + PROBE_EVERY_SECONDS
            upstream.record(await _probe(context), context.clock())
    if upstream.reached:
        return ""
    at = datetime.fromtimestamp(upstream.at, UTC)
    return f"Reach could not be reached (last call failed at {at:%Y-%m-%d %H:%M:%S} UTC: {upstream.kind})."


async def _probe(context: ToolContext) -> ReachError | None:
    from reach_mcp.api.query import BatchQuery

    client, deadline = context.client, Deadline(context.upstream.probe_seconds)
    try:
        await client.list_batches(BatchQuery(limit=1), tenant=client.pinned_tenant, deadline=deadline)
    except TimedOut as error:
        return Stalled(error.message)
    except ReachError as error:
        return error
    return None
