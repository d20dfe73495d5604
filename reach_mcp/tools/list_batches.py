"""`list_batches`: which batches there are, in which state."""

from __future__ import annotations

from mcp_types import CallToolResult

from reach_mcp.analysis.overview import Census
from reach_mcp.api.client import BatchQuery
from reach_mcp.api.models import Batch
from reach_mcp.api.walk import Coverage, walk
from reach_mcp.render.answer import Answer
from reach_mcp.render.batches import Listing, build_listing, write_listing
from reach_mcp.tools import arguments as a
from reach_mcp.tools.app import App, Call, run
from reach_mcp.tools.readings import Progress, Reading

LIMITS = (500, 100, 20, 5, 1)
"""Batches a page when every page is read: without pending details some 1 kB each. Smaller where that is too much."""

DETAILED_LIMITS = LIMITS[1:]


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
    fresh: a.Fresh = False,
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
            limit=limit,
            batch_type=batch_type,
            sort_by=None if sort_by == "createdAt" else sort_by,
            sort_direction=None if sort_direction == "desc" else sort_direction,
            include_pending_details=include_pending_details or None,
            only_batches_with_pending_resources=only_batches_with_pending_resources or None,
        )
        tenant = call.tenant(tenant_id)

        async def read(progress: Progress) -> Reading:
            census, mask = Census(details=include_pending_details), call.mask

            def fold(batch: Batch) -> None:
                mask.learn(batch)
                if wanted.matches(batch):
                    census.add(batch)

            async def note(coverage: Coverage) -> None:
                progress.note(coverage)

            coverage = await walk(
                app.client,
                query,
                tenant=tenant,
                deadline=call.deadline,
                fold=fold,
                enough=a.past(wanted) if sort_by == "createdAt" and sort_direction == "desc" else None,
                pages=1 if one_page else None,
                on_page=note,
                sizes=() if one_page else DETAILED_LIMITS if include_pending_details else LIMITS,
                both_ends=not include_pending_details,
                ordered=True,
            )
            return Reading((census, coverage, mask), call.now, coverage.size, keep=coverage.stop != "error")

        question = ("list", tenant, query, status, schema, created_after, created_before)
        reading = await call.read(read, *question, fresh=fresh, shared=not one_page)
        census, coverage, call.mask = reading.found
        found = Listing(reading.at, census, coverage, one_page, offset, arguments, call.age(reading))
        detailed = response_format == "detailed"
        return call.fit(lambda level: build_listing(found, level, detailed=detailed), write_listing, detailed=detailed)

    return await run(app, work)
