"""What MCP resources and completions read. They take part in the limiter under the caller's name."""

from __future__ import annotations

import logging

from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import ReachError
from reach_mcp.api.query import BatchQuery
from reach_mcp.render import glossary
from reach_mcp.render.sanitize import is_hidden
from reach_mcp.settings import ConfigurationError
from reach_mcp.tools.answers import answer, error_kind
from reach_mcp.tools.arguments import GetBatchArguments
from reach_mcp.tools.context import CALLER, Call, ToolContext, log_call
from reach_mcp.tools.get_batch import get_batch

logger = logging.getLogger(__name__)

COMPLETION_SECONDS = 5.0
"""Nobody waits longer for a suggestion."""

COMPLETION_PAGE = 100


TERMS = """\
Batch: one upload of at most 1,000 records of one schema. Its state is processing, success, partial_success or failure.
Pending resource: a record that Reach stored and did not process, because records that it refers to are missing.
Live: its time has not expired. Expired: Reach deletes it, and its record has to be sent again.
Missing record: live pending resources list it, and no live pending resource is it.
Chain: a pending resource waits for another one, which waits for a missing record.
Cycle: records that wait for each other.
Coverage: how many batches were read, of how many."""


def glossary_text() -> str:
    """The terms of the answers."""
    lines = [TERMS, glossary.WAITING, glossary.NOT_SEEN, glossary.CYCLE]
    causes = (f"{cause}: {words}" for cause, words in glossary.CAUSES.items())
    return "\n".join([*lines, "Causes of a missing record: " + "; ".join(causes) + "."])


async def read_batch_text(context: ToolContext, batch_id: str) -> str:
    """One batch as text, as the tool answers. Raises ReachError or ConfigurationError."""
    call = Call(context, Deadline(context.settings.deadline))
    kind = "cancelled"
    try:
        rendered = await answer(call, "get_batch", GetBatchArguments, {"batch_id": batch_id}, get_batch)
        kind = ""
        return context.redact(rendered.text)
    except (ReachError, ConfigurationError) as error:
        kind = error_kind(error)
        raise
    finally:
        log_call("resources/read", call, "error" if kind else "ok", kind)


async def recent_batch_ids(context: ToolContext, prefix: str, max_chars: int) -> list[str]:
    """Ids of the newest batches that start with the prefix and can be given back as an argument; none on failure."""
    call = Call(context, Deadline(min(COMPLETION_SECONDS, context.settings.deadline)))
    try:
        call.tenant = context.tenant(None)
        async with context.limiter.slot(CALLER.get().name, call.deadline):
            query = BatchQuery(limit=COMPLETION_PAGE)
            page = await context.client.list_batches(query, tenant=call.tenant, deadline=call.deadline)
    except (ReachError, ConfigurationError) as error:
        log_call("completion/complete", call, "error", error_kind(error))
        return []
    ids = (batch.batch_id for batch in page.batches)
    return [text for text in ids if text.startswith(prefix) and _can_return(text, max_chars)]


def _can_return(text: str, max_chars: int) -> bool:
    """Whether a completion would be accepted as an argument."""
    return 0 < len(text) <= max_chars and not any(map(is_hidden, text))
