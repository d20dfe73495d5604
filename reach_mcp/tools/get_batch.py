"""`get_batch`: one batch by its id."""

from __future__ import annotations

from urllib.parse import unquote

from reach_mcp.analysis.batch_stats import describe_batch
from reach_mcp.analysis.lookup import spellings
from reach_mcp.analysis.stop import Checkpoint
from reach_mcp.api.errors import BatchNotFound
from reach_mcp.api.models import Batch
from reach_mcp.render.batch_detail import render_detail
from reach_mcp.render.coverage import clock_note
from reach_mcp.render.options import Rendered
from reach_mcp.tools.answers import render_options
from reach_mcp.tools.arguments import GetBatchArguments
from reach_mcp.tools.context import Call

BATCH_URI = "reach://batches/"


async def get_batch(call: Call, arguments: GetBatchArguments) -> Rendered:
    """Fetch, describe, render."""
    batch = await fetch_batch(call, arguments.batch_id)
    skew = call.deadline.clock_skew
    now = float(int(call.context.clock() + skew))
    if skew:
        call.notes.append(clock_note(skew))
    options, whole = render_options(call, arguments), arguments.include_pending_details

    def work(_: Checkpoint) -> Rendered:
        detail = describe_batch(batch, now, with_resources=whole, limit=arguments.limit, offset=arguments.offset)
        return render_detail(detail, options)

    return await call.analyse(work, read=call.deadline.size)


async def fetch_batch(call: Call, batch_id: str) -> Batch:
    """The batch with exactly this id, else without the quotes and brackets around it, else percent-decoded."""
    *_, bare = spellings(batch_id)
    bare = bare.removeprefix(BATCH_URI)
    for name in dict.fromkeys((batch_id, bare, unquote(bare))):
        try:
            return call.censor(await call.client.get_batch(name, tenant=call.tenant, deadline=call.deadline))
        except BatchNotFound as error:
            unknown = error
    raise unknown
