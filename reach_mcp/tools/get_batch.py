"""`get_batch`: one batch by its id."""

from __future__ import annotations

import re
from urllib.parse import unquote

from reach_mcp.analysis.batch_stats import describe_batch
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

_WRAPPING = re.compile(r"^(?:[`'\"“”\[(<\s]|[a-z]\d\d(?=\"))+|[`'\"“”\])>\s]+$")
"""Blanks, quotes, brackets and the delimiter of our answers around an id."""


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

    return await call.analyse(work)


async def fetch_batch(call: Call, batch_id: str) -> Batch:
    """The batch with exactly this id, else without the quotes and brackets around it, else percent-decoded."""
    bare = unwrap_id(batch_id)
    rest = [name for name in dict.fromkeys((bare, unquote(bare))) if name not in ("", batch_id)]
    for name in (batch_id, *rest):
        try:
            batch = await call.context.client.get_batch(name, tenant=call.tenant, deadline=call.deadline)
        except BatchNotFound as error:
            unknown = error
        else:
            return call.censor(batch)
    raise unknown


def unwrap_id(text: str) -> str:
    """An id as it was before somebody quoted it or made a link of it."""
    return _WRAPPING.sub("", text.strip().removeprefix(BATCH_URI)).removeprefix(BATCH_URI)
