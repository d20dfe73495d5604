"""`get_batch`: one batch by its id."""

from __future__ import annotations

from typing import Annotated

from mcp_types import CallToolResult
from pydantic import Field

from reach_mcp.render.answer import Answer
from reach_mcp.render.batch import build_batch, write_batch
from reach_mcp.tools import arguments as a
from reach_mcp.tools.app import App, Call, run


async def get_batch(
    app: App,
    batch_id: Annotated[str, Field(min_length=1, max_length=500)],
    include_pending_details: a.PendingDetails = True,
    tenant_id: a.TenantId = None,
    response_format: a.Format = "concise",
) -> CallToolResult:
    """One Reach batch job by id: state, progress, errors grouped by category and likeness with example records, and \
its pending resources in brief."""
    arguments = a.given(locals(), include_pending_details=True)

    async def work(call: Call) -> Answer:
        batch, malformed = await app.client.get_batch(
            batch_id,
            tenant=call.tenant(tenant_id),
            deadline=call.deadline,
            include_pending_details=include_pending_details,
        )
        call.mask.learn(batch)
        return call.fit(
            lambda level: build_batch(
                batch, malformed, level, now=call.now, details=include_pending_details, arguments=arguments
            ),
            write_batch,
            detailed=response_format == "detailed",
        )

    return await run(app, work)
