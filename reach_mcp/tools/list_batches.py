"""`list_batches`: one page of the endpoint as it is, or all batches that match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reach_mcp.analysis.batch_stats import census, group_all_errors, summarize_batch
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.results import BatchListing, BatchSummary, FilterReport, Section
from reach_mcp.api.models import RecordErrors
from reach_mcp.api.pagination import BatchReader, Coverage
from reach_mcp.api.query import BatchQuery
from reach_mcp.render.batch_list import render_listing
from reach_mcp.render.options import Rendered
from reach_mcp.tools.answers import render_options, without_messages
from reach_mcp.tools.arguments import ListBatchesArguments
from reach_mcp.tools.batch_filter import build_filter
from reach_mcp.tools.context import Call
from reach_mcp.tools.snapshot import KeptAnalysis, read_listing

MAX_ERROR_GROUPS = 10
"""Kinds of errors that a list names."""


async def list_batches(call: Call, arguments: ListBatchesArguments) -> Rendered:
    """Fetch, filter and count, render."""
    if arguments.one_page:
        return await _list_page(call, arguments)
    if arguments.cursor:
        call.notes.append("cursor was ignored: filters and scope=all read every page; offset skips rows.")
    conditions = build_filter(arguments, call.context.clock())
    kept = await read_listing(call, arguments)
    listing = await call.analyse(lambda _: _select(kept, arguments, conditions), kept.lock)
    options = render_options(call, arguments, age_seconds=kept.age_seconds)
    return await call.analyse(lambda _: render_listing(listing, options))


async def _list_page(call: Call, arguments: ListBatchesArguments) -> Rendered:
    """One page, with the endpoint's own parameters."""
    deadline = call.read_deadline()
    reader = BatchReader(
        call.context.client,
        _page_query(arguments),
        tenant=call.tenant,
        deadline=deadline,
        page_sizes=[arguments.limit],
        max_pages=1,
    )
    try:
        pages = [page async for page in reader.pages()]
    finally:
        call.spend(deadline)
    call.coverage = reader.coverage
    read = [batch for page in pages for batch in page.batches]
    batches = read if call.context.settings.error_messages else list(map(without_messages, read))
    now = float(int(call.context.clock() + reader.coverage.clock_skew))
    summaries = [summarize_batch(batch, arguments.include_pending_details) for batch in batches]
    errors = [(one.schema, batch.errors.details) for one, batch in zip(summaries, batches, strict=True) if batch.errors]
    listing = _list(summaries, errors, arguments, reader.coverage, now, None)
    options = render_options(call, arguments)
    return await call.analyse(lambda _: render_listing(listing, options))


def _page_query(arguments: ListBatchesArguments) -> BatchQuery:
    """The query as the caller wrote it. Defaults of the endpoint are not sent."""
    return BatchQuery(
        cursor=arguments.cursor,
        limit=arguments.limit,
        batch_type=arguments.batch_type,
        sort_by=arguments.sort_by if arguments.sort_by != "createdAt" else None,
        sort_direction=arguments.sort_direction if arguments.sort_direction != "desc" else None,
        include_pending_details=arguments.include_pending_details or None,
        only_batches_with_pending_resources=arguments.only_batches_with_pending_resources or None,
    )


def _select(kept: KeptAnalysis, arguments: ListBatchesArguments, conditions: BatchFilter) -> BatchListing:
    snapshot = kept.analysis.snapshot
    selection = conditions.apply(snapshot)
    batches = [snapshot.batches[number] for number in selection.batches]
    selected = set(selection.batches)
    errors = [
        (snapshot.batches[number].schema, details) for number, details in snapshot.error_details if number in selected
    ]
    return _list(batches, errors, arguments, snapshot.coverage, snapshot.read_at, selection.report)


def _list(
    batches: list[BatchSummary],
    errors: Sequence[tuple[str, Mapping[str, RecordErrors] | None]],
    arguments: ListBatchesArguments,
    coverage: Coverage,
    as_of: float,
    report: FilterReport | None,
) -> BatchListing:
    page = arguments.one_page
    start = 0 if page else arguments.offset
    shown = batches if page else batches[start : start + arguments.limit]
    groups = group_all_errors([(schema, details) for schema, details in errors if details], batches)
    return BatchListing(
        as_of=as_of,
        coverage=coverage,
        filter=report,
        census=census(batches),
        scope="page" if page else "all",
        batches=Section(tuple(shown), total=len(batches), offset=start),
        error_groups=Section(groups[:MAX_ERROR_GROUPS], total=len(groups)) if groups else None,
    )
