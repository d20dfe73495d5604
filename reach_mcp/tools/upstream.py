"""Whether Reach can be reached, by a probe that is sent at most every 30 s, or 5 s after one that failed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio

from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import ReachError

if TYPE_CHECKING:
    from reach_mcp.tools.context import ToolContext

UNREACHABLE = ("no_connection", "not_json", "server_failed", "stalled", "timed_out", "tls_failed", "unexpected_status")
"""Kinds of errors that any call would meet. The others come from Reach itself."""

PROBE_EVERY_SECONDS = 30.0
PROBE_AGAIN_SECONDS = 5.0
"""After a probe that failed."""


@dataclass
class Upstream:
    """The result of the last probe."""

    reason: str = ""
    """The reason why Reach is not known to be reachable, empty where it was reached."""
    failed: bool = True
    """Whether the last probe failed, or there was none."""
    next_probe: float = 0.0
    """Monotonic time before which no probe is sent."""
    probe_seconds: float = 3.0
    lock: anyio.Lock = field(default_factory=anyio.Lock)


async def find_unreachable(context: ToolContext) -> str:
    """The reason why Reach can't be reached, empty where it can.

    Once Reach was reached, a failure counts when the next probe fails too: a busy event loop can cost one its time.
    """
    from reach_mcp.api.query import BatchQuery

    upstream, client = context.upstream, context.client
    async with upstream.lock:
        if time.monotonic() < upstream.next_probe:
            return upstream.reason
        deadline, failure, every = Deadline(upstream.probe_seconds), "", PROBE_EVERY_SECONDS
        try:
            await client.list_batches(BatchQuery(limit=1), tenant=client.pinned_tenant, deadline=deadline)
        except ReachError as error:
            if error.kind in UNREACHABLE:
                at, every = datetime.fromtimestamp(context.clock(), UTC), PROBE_AGAIN_SECONDS
                message = context.redactor.text(error.message)
                failure = f"Requests to Reach fail (last asked at {at:%Y-%m-%d %H:%M:%S} UTC): {message}"
        upstream.reason = failure if upstream.failed else ""
        upstream.failed, upstream.next_probe = bool(failure), time.monotonic() + every
        return upstream.reason
