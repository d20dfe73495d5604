"""`get_batch`: one batch by its id."""

from __future__ import annotations

from typing import Annotated, Any

from mcp_types import CallToolResult
from pydantic import Field

from reach_mcp.api.client import Deadline
from reach_mcp.render.answer import Answer
from reach_mcp.render.batch import BatchAnswer, build_batch, write_batch
from reach_mcp.tools import arguments as a
from reach_mcp.tools.app import App, Call, run


async def get_batch(
    app: App,
    batch_id: Annotated[str, Field(min_length=1, max_length=500)],
    include_pending_details: a.PendingDetails = True,
    tenant_id: a.TenantId = None,
    offset: a.Offset = 0,
    response_format: a.Format = "concise",
) -> CallToolResult:
    """One Reach batch job by id: state, progress, errors grouped by category and likeness with example records, and \
its pending resources in brief."""
    arguments = a.given(locals(), include_pending_details=True)

    async def work(call: Call) -> Answer:
        return await _tell_batch(
            call, arguments, details=include_pending_details, offset=offset, detailed=response_format == "detailed"
        )

    return await run(app, work)


async def read_batch(app: App, batch_id: str) -> str:
    """One batch as text, as the tool tells it. Raises a ReachError."""
    call = Call(app, Deadline(app.settings.deadline), app.now(), app.mask(None))
    async with app.turns.take("", call.deadline):
        return (await _tell_batch(call, {"batch_id": batch_id}, details=True, offset=0, detailed=False)).text


async def _tell_batch(call: Call, arguments: dict[str, Any], *, details: bool, offset: int, detailed: bool) -> Answer:
    tenant = call.tenant(arguments.get("tenant_id"))
    batch, malformed = await call.app.client.get_batch(
        arguments["batch_id"], tenant=tenant, deadline=call.deadline, include_pending_details=details
    )
    call.mask.learn(batch)
    found = BatchAnswer(batch, malformed, call.now, details, offset, arguments)
    return call.fit(lambda level: build_batch(found, level), write_batch, detailed=detailed)
