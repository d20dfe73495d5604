"""Reads the JSON documents of an identity provider: its metadata and its keys."""

from __future__ import annotations

import anyio
import anyio.to_thread
import httpx
import msgspec

from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import NoConnection, NotJSON, TimedOut, UnexpectedStatus
from reach_mcp.api.transport import BoundedTransport, network_transport

FETCH_SECONDS = 5.0
MAX_DOCUMENT_BYTES = 1_000_000


async def fetch_json(url: str, seconds: float = FETCH_SECONDS) -> dict[str, object]:
    """The JSON object at a URL. Redirects are not followed. Raises ReachError or ConfigurationError."""
    # Reading the CA bundle takes long: the event loop goes on meanwhile.
    network = await anyio.to_thread.run_sync(network_transport, url)
    try:
        with anyio.fail_after(seconds):
            async with httpx.AsyncClient(
                transport=BoundedTransport(network, MAX_DOCUMENT_BYTES), trust_env=False
            ) as client:
                response = await client.get(url, extensions={"deadline": Deadline(seconds)})
    except TimeoutError:
        raise TimedOut from None
    except httpx.TransportError:
        raise NoConnection from None
    if response.status_code != 200:
        raise UnexpectedStatus
    try:
        return msgspec.json.decode(response.content, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise NotJSON from None
