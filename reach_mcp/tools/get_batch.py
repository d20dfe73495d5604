"""`get_batch`: one batch by its id."""

from __future__ import annotations

from typing import Annotated, Any

from mcp_types import CallToolResult
from pydantic import Field

from reach_mcp.api.client import Deadline
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
        return await _tell_batch(
            call, batch_id, tenant_id, details=include_pending_details, format=response_format, arguments=arguments
        )

    return await run(app, work)


async def read_batch(app: App, batch_id: str) -> str:
    """One batch as text, as the tool tells it. Raises a ReachError."""
    call = Call(app, Deadline(app.settings.deadline), app.now(), app.mask(None))
    async with app.turns.take("", call.deadline):
        answer = await _tell_batch(
            call, batch_id, None, details=True, format="concise", arguments={"batch_id": batch_id}
        )
    return answer.text


async def _tell_batch(
    call: Call, batch_id: str, tenant: str | None, *, details: bool, format: str, arguments: dict[str, Any]
) -> Answer:
    batch, malformed = await call.app.client.get_batch(
        batch_id, tenant=call.tenant(tenant), deadline=call.deadline, include_pending_details=details
    )
    call.mask.learn(batch)
    return call.fit(
        lambda level: build_batch(batch, malformed, level, now=call.now, details=details, arguments=arguments),
        write_batch,
        detailed=format == "detailed",
    )
