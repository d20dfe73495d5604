"""The sections of an answer: facts about the selected rows as results, with the names of records and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from math import isfinite, isnan

from reach_mcp.analysis.blockers import RankedRoot
from reach_mcp.analysis.counters import counted_without_rows
from reach_mcp.analysis.cycles import describe_cycle
from reach_mcp.analysis.expiry import describe_expiry
from reach_mcp.analysis.part import Part
from reach_mcp.analysis.results import (
    Blocker,
    Cause,
    Counts,
    Cycle,
    Expiry,
    Order,
    Plan,
    PlanStep,
    Section,
    WaitingResource,
)
from reach_mcp.analysis.rows import describe_row, section
from reach_mcp.analysis.times import or_none


def count_rows(part: Part) -> Counts:
    """Count what needs no graph. Missing records, rows that clear and rows that are stuck are left at 0."""
    snapshot = part.analysis.snapshot
    rows = [snapshot.rows[row] for row in part.rows]
    batches = [snapshot.batches[number] for number in part.matched.batches]
    return Counts(
        pending=len(rows),
        batches=len({row.batch for row in rows}),
        missing_records=0,
        cleared_by_plan=0,
        stuck=0,
        in_cycles=0,
        lists_nothing=sum(not row.missing for row in rows),
        cycles=0,
        expired=len(part.expired),
        unreadable_expiry=sum(isnan(row.expires) for row in rows),
        duplicates=snapshot.duplicates,
        counters_pending=sum(batch.pending or 0 for batch in batches),
        unreadable_resources=sum(batch.unreadable_resources for batch in batches),
        batches_with_counter_but_no_rows=len(counted_without_rows(snapshot, part.matched.batches)),
    )


def count_outcomes(part: Part, counts: Counts) -> Counts:
    """Add how many rows clear when every missing record arrives, and how many are stuck."""
    stuck, members = len(part.stuck), part.analysis.stuck.in_cycles
    return replace(
        counts,
        cleared_by_plan=counts.pending - stuck - counts.lists_nothing,
        stuck=stuck,
        in_cycles=sum(part.matched.rows[row] for row in members),
        cycles=len(part.cycles),
    )


def list_cycles(part: Part, limit: int, offset: int, members: int | None = None) -> Section[Cycle]:
    """Describe the cycles from `offset` on, with at most so many members each (None: all)."""
    graph, stuck = part.analysis.graph, part.analysis.stuck
    return section(part.cycles, offset, limit, lambda cycle: describe_cycle(graph, stuck, cycle, members=members))


def list_blockers(part: Part, ranked: Sequence[RankedRoot], limit: int, offset: int) -> Section[Blocker]:
    """Describe ranked missing records from `offset` on."""
    shown = ranked[offset : offset + limit]
    keys = [root.key for root in shown]
    findings = part.analysis.find_causes(keys)
    frees = part.find_frees(keys)
    record = part.analysis.snapshot.record
    items = [
        Blocker(
            rank=position,
            record=record(root.key),
            waiting=root.waiting,
            direct=root.direct,
            frees=frees[root.key],
            batches=part.count_batches(root.key),
            earliest_expiry=or_none(root.earliest),
            finding=findings[root.key],
        )
        for position, root in enumerate(shown, offset + 1)
    ]
    return Section(tuple(items), len(ranked), offset)


def list_by_direct_count(part: Part, limit: int, offset: int) -> Section[Blocker]:
    """Rank by the rows that list a record, for an answer without time for more: nothing here asks the checkpoint.

    `waiting` is then that count too: rows that wait through others are not in it.
    """
    graph, snapshot = part.analysis.graph, part.analysis.snapshot
    listing = {key: part.listing(key) for key in graph.roots}
    ranked = sorted((key for key in listing if listing[key]), key=lambda key: (-len(listing[key]), snapshot.keys[key]))
    shown = ranked[offset : offset + limit]
    findings = part.analysis.find_causes(shown)
    items = [
        Blocker(
            rank=position,
            record=snapshot.record(key),
            waiting=len(listing[key]),
            direct=len(listing[key]),
            frees=0,
            batches=part.count_batches(key),
            earliest_expiry=min(filter(isfinite, (snapshot.rows[row].expires for row in listing[key])), default=None),
            finding=findings[key],
        )
        for position, key in enumerate(shown, offset + 1)
    ]
    return Section(tuple(items), len(ranked), offset)


def write_plan(part: Part, order: Order, cause: Cause | None, *, limit: int, offset: int) -> Plan:
    """Describe the steps of the plan from `offset` on. It is one list, whatever the limit."""
    kept = part.plan(order, cause)
    steps = kept.take(offset + limit) if offset < kept.total else []
    shown = steps[offset:]
    findings = part.analysis.find_causes([step.key for step in shown])
    totals = list(accumulate(step.gain for step in steps))[offset:]
    items = [
        PlanStep(
            position=position,
            record=part.analysis.snapshot.record(step.key),
            gain=step.gain,
            running_total=total,
            deadline=or_none(part.waiting.earliest[step.key]),
            finding=findings[step.key],
        )
        for position, (step, total) in enumerate(zip(shown, totals, strict=True), offset + 1)
    ]
    stuck, nothing = len(part.stuck), sum(not part.analysis.graph.missing[row] for row in part.rows)
    return Plan(
        steps=Section(tuple(items), kept.total, offset),
        cleared_by_all=len(part.rows) - stuck - nothing,
        upload_order=part.upload_order,
    )


def list_hours(part: Part, limit: int, offset: int) -> Expiry:
    """Describe the clock hours that lose rows, soonest first."""
    analysis, page = part.analysis, (limit, offset)
    if page not in part.expiry:
        part.expiry[page] = describe_expiry(
            analysis.graph, analysis.clearance, part.hours, offset=offset, limit=limit, checkpoint=analysis.check
        )
    return part.expiry[page]


def list_resources(part: Part, limit: int, offset: int) -> Section[WaitingResource]:
    """List the selected rows, soonest lost first; those without a readable expiry last."""
    snapshot = part.analysis.snapshot
    return section(part.by_expiry, offset, limit, lambda number: describe_row(snapshot, snapshot.rows[number]))
