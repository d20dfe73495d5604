"""`list_batches`: one page of the endpoint as it is, or all batches that match."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from reach_mcp.analysis.batch_stats import census, group_errors
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.results import BatchListing, BatchSummary, Section
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.render.batch_list import render_listing
from reach_mcp.render.options import Rendered
from reach_mcp.tools.answers import render_options
from reach_mcp.tools.arguments import ListBatchesArguments
from reach_mcp.tools.batch_filter import build_filter
from reach_mcp.tools.context import Call
from reach_mcp.tools.snapshot import read_page, read_snapshot

MAX_ERROR_GROUPS = 10
"""Kinds of errors that a list names."""


async def list_batches(call: Call, arguments: ListBatchesArguments) -> Rendered:
    """Fetch, filter and count, render."""
    conditions = _conditions(arguments, call.context.clock())  # refuses wrong ones before anything is read
    if arguments.one_page:
        kept = await read_page(call, arguments, whole=not conditions.is_set)
    else:
        if arguments.cursor:
            call.notes.append("cursor was ignored: scope=all reads every page; offset skips rows.")
        kept = await read_snapshot(call, fresh=arguments.fresh)
    conditions = _conditions(arguments, kept.analysis.as_of)
    options = render_options(call, arguments, age_seconds=kept.age_seconds)
    snapshot = kept.analysis.snapshot
    return await call.analyse(
        lambda _: render_listing(select(snapshot, arguments, conditions), options),
        kept.lock,
        read=snapshot.coverage.size if arguments.one_page else None,
    )


def _conditions(arguments: ListBatchesArguments, now: float) -> BatchFilter:
    """The filter that we apply ourselves: for one page, the API applies its own parameters."""
    found = build_filter(arguments, now)
    return replace(found, batch_type=None, only_pending=False) if arguments.one_page else found


def select(
    snapshot: Snapshot, arguments: ListBatchesArguments, conditions: BatchFilter, error_groups: int = MAX_ERROR_GROUPS
) -> BatchListing:
    """Count the batches that match and pick those to show."""
    selection = conditions.apply(snapshot)
    chosen = {number: snapshot.batches[number] for number in selection.batches}
    batches = [*chosen.values()]
    errors = [(chosen[number].schema, details) for number, details in snapshot.error_details if number in chosen]
    groups = group_errors(errors, batches)
    return BatchListing(
        as_of=snapshot.read_at,
        coverage=snapshot.coverage,
        filter=selection.report,
        census=census(batches),
        scope="page" if arguments.one_page else "all",
        batches=Section.of(_sort(batches, arguments), arguments.offset, arguments.limit),
        error_groups=Section.of(groups, 0, error_groups),
    )


def _sort(batches: list[BatchSummary], arguments: ListBatchesArguments) -> list[BatchSummary]:
    """The batches in the order asked for; those without the date last. A page and the default keep the API's order."""
    if arguments.one_page or not arguments.ordered:
        return batches
    name = arguments.sort_by.removesuffix("At")
    sign = -1 if arguments.sort_direction == "desc" else 1

    def rank(batch: BatchSummary) -> float:
        moment: float | None = getattr(batch, name)
        return inf if moment is None else sign * moment

    return sorted(batches, key=rank)
