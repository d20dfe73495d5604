"""`list_batches`: which batches there are, in which state."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from mcp_types import CallToolResult

from reach_mcp.analysis.overview import Census, Filter
from reach_mcp.analysis.times import parse_time
from reach_mcp.api.client import BatchQuery
from reach_mcp.api.models import Batch, Page
from reach_mcp.api.walk import walk
from reach_mcp.render.answer import Answer
from reach_mcp.render.batches import Listing, build_listing, write_listing
from reach_mcp.tools import arguments as a
from reach_mcp.tools.app import App, Call, run

WALK_LIMIT = 100
"""Batches a page when every page is read: without pending details some 100 kB."""


async def list_batches(
    app: App,
    cursor: a.Cursor = None,
    limit: a.Limit = None,
    batch_type: a.BatchType = None,
    sort_by: a.SortBy = "createdAt",
    sort_direction: a.SortDirection = "desc",
    include_pending_details: a.PendingDetails = False,
    only_batches_with_pending_resources: a.OnlyPending = False,
    tenant_id: a.TenantId = None,
    status: a.Status = None,
    schema: a.Schema = None,
    created_after: a.CreatedAfter = None,
    created_before: a.CreatedBefore = None,
    scope: a.Scope = None,
    offset: a.Offset = 0,
    response_format: a.Format = "concise",
) -> CallToolResult:
    """Reach batch jobs: a census (counts by status, type, schema; records; commonest errors; most pending) and a line \
each. Reads one page, or all that match."""
    arguments = a.given(locals())

    async def work(call: Call) -> Answer:
        wanted = a.build_filter(
            status=status, schema=schema, created_after=created_after, created_before=created_before, now=call.now
        )
        one_page = not wanted.is_set and scope != "all"
        query = BatchQuery(
            cursor=cursor,
            limit=limit or (None if one_page else WALK_LIMIT),
            batch_type=batch_type,
            sort_by=None if sort_by == "createdAt" else sort_by,
            sort_direction=None if sort_direction == "desc" else sort_direction,
            include_pending_details=include_pending_details or None,
            only_batches_with_pending_resources=only_batches_with_pending_resources or None,
        )
        census = Census(details=include_pending_details)

        def fold(batch: Batch) -> None:
            call.mask.learn(batch)
            if wanted.matches(batch):
                census.add(batch)

        coverage = await walk(
            app.client,
            query,
            tenant=call.tenant(tenant_id),
            deadline=call.deadline,
            fold=fold,
            enough=_past(wanted) if sort_by == "createdAt" and sort_direction == "desc" else _never,
            pages=1 if one_page else None,
        )
        found = Listing(call.now, census, coverage, one_page, offset, arguments)
        detailed = response_format == "detailed"
        return call.fit(lambda level: build_listing(found, level, detailed=detailed), write_listing, detailed=detailed)

    return await run(app, work)


def _never(_page: Page) -> bool:
    return False


def _past(wanted: Filter) -> Callable[[Page], bool]:
    """Whether a page, newest first, lies wholly before the time asked for: no later page can match then."""
    if wanted.after == -inf:
        return _never
    return lambda page: (
        bool(page.batches) and all(parse_time(batch.get("createdAt")) < wanted.after for batch in page.batches)
    )
