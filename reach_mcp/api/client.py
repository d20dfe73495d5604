"""ReachClient: one method per endpoint, GET only; the only place that opens a connection to Reach."""

from __future__ import annotations

from typing import Self

import httpx

from reach_mcp.api.auth import Credential
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.models import Batch, Page
from reach_mcp.api.query import BatchQuery
from reach_mcp.settings import Settings


class ReachClient:
    """The Reach API over HTTP. Every method raises ReachError, or ConfigurationError where a setting is wrong."""

    def __init__(
        self,
        base_url: str,
        credential: Credential,
        *,
        tenant: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        max_body: int = 32_000_000,
        max_requests: int = 4,
    ) -> None:
        self.credential = credential
        self.pinned_tenant = tenant

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        raise NotImplementedError

    async def list_batches(self, query: BatchQuery, *, tenant: str | None, deadline: Deadline) -> Page:
        """`GET /api/batches`: one page."""
        raise NotImplementedError

    async def get_batch(
        self, batch_id: str, *, tenant: str | None, deadline: Deadline, include_pending_details: bool = True
    ) -> Batch:
        """`GET /api/batches/{batchId}`: one batch."""
        raise NotImplementedError

    def redact(self, text: str) -> str:
        """The text without any secret that the client holds."""
        raise NotImplementedError


def build_client(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> ReachClient:
    """The client that the settings describe. `transport` replaces the network."""
    raise NotImplementedError
