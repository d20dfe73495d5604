"""The sections of an answer: facts about the selected rows as results, with the names of records and batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from reach_mcp.analysis import results
from reach_mcp.analysis.analysis import SelectedRows
from reach_mcp.analysis.batch_stats import counted_without_rows, find_differences
from reach_mcp.analysis.blockers import RankedRoot
from reach_mcp.analysis.cycles import describe_cycle
from reach_mcp.analysis.expiry import describe_expired
from reach_mcp.analysis.results import Blocker, Cause, Order, Section
from reach_mcp.analysis.rows import describe_row, section
from reach_mcp.analysis.times import or_none

Outcome = tuple[int, int, int]
"""Selected rows that are stuck, those of them in cycles, and the number of cycles."""


def count_outcome(selected: SelectedRows) -> Outcome:
    """Count the rows that do not clear when every missing record arrives, and the cycles."""
    return len(selected.stuck), selected.count(selected.analysis.stuck.in_cycles), len(selected.cycles)


def count_missing(selected: SelectedRows) -> int:
    """Count the missing records for which a selected row waits."""
    return len(selected.roots)


def count_rows(selected: SelectedRows, missing_records: int, outcome: Outcome | None) -> results.Counts:
    """Count the selected rows and batches. Without an outcome, rows that clear or are stuck count as 0."""
    snapshot = selected.analysis.snapshot
    batches = [snapshot.batches[number] for number in selected.matched.batches]
    nothing = selected.lists_nothing
    stuck, in_cycles, cycles = outcome or (0, 0, 0)
    return results.Counts(
        pending=len(selected.rows),
        batches=selected.holding,
        missing_records=missing_records,
        cleared_by_plan=len(selected.rows) - stuck - nothing if outcome else 0,
        stuck=stuck,
        in_cycles=in_cycles,
        lists_nothing=nothing,
        cycles=cycles,
        expired=len(selected.expired),
        unreadable_expiry=selected.unreadable,
        duplicates=snapshot.duplicates,
        counters_pending=sum(batch.pending or 0 for batch in batches),
        unreadable_resources=sum(batch.unreadable_resources for batch in batches),
        batches_with_counter_but_no_rows=len(counted_without_rows(batches)),
    )


def tally_causes(selected: SelectedRows) -> tuple[results.ActionTally, ...]:
    """Count missing records by cause, with the selected rows that wait for at least one of them; most rows first.

    For cycles: all members, and the rows that are in a cycle or wait behind one.
    """
    findings = selected.analysis.findings
    records = Counter(findings[key].cause for key in selected.roots)
    waiting = selected.waiting_by_cause
    found = [
        results.ActionTally(cause, results.ACTION_OF[cause], count, waiting[cause]) for cause, count in records.items()
    ]
    if selected.cycles:
        members = sum(len(cycle.members) for cycle in selected.cycles)
        found.append(results.ActionTally("cycle", results.ACTION_OF["cycle"], members, len(selected.stuck)))
    return tuple(sorted(found, key=lambda one: (-one.waiting, -one.records, one.cause)))


def list_blockers(
    selected: SelectedRows, limit: int, offset: int, order: Order, cause: Cause | None
) -> Section[Blocker]:
    """Describe the missing records from `offset` on, in the order asked for."""
    ranked = selected.ranked(order, cause)
    frees = selected.find_frees([root.key for root in ranked[offset : offset + limit]])
    return _describe_blockers(selected, ranked, frees, limit, offset)


def list_by_direct_count(selected: SelectedRows, limit: int, offset: int) -> Section[Blocker]:
    """Describe the missing records by the rows that list them, for an answer without time for more."""
    return _describe_blockers(selected, selected.rank_by_direct_count(), {}, limit, offset)


def _describe_blockers(
    selected: SelectedRows, ranked: Sequence[RankedRoot], frees: dict[int, int], limit: int, offset: int
) -> Section[Blocker]:
    snapshot = selected.analysis.snapshot
    findings = selected.analysis.find_causes([root.key for root in ranked[offset : offset + limit]])

    def describe(place: int) -> Blocker:
        root = ranked[place]
        return Blocker(
            rank=place + 1,
            record=snapshot.record(root.key),
            waiting=root.waiting,
            direct=root.direct,
            frees=frees.get(root.key, 0),
            batches=len({snapshot.rows[row].batch for row in selected.listing(root.key)}),
            earliest_expiry=or_none(root.earliest),
            finding=findings[root.key],
        )

    return section(range(len(ranked)), offset, limit, describe)


def list_plan(selected: SelectedRows, limit: int, offset: int, order: Order, cause: Cause | None) -> results.Plan:
    """Describe the steps of the plan from `offset` on. It is one list, whatever the limit."""
    total = len(selected.ranked("waiting", cause))
    steps = selected.plan(order, cause, offset + limit) if offset < total else []
    shown = steps[offset:]
    findings = selected.analysis.find_causes([step.key for step in shown])
    totals = list(accumulate(step.gain for step in steps))[offset:]
    items = [
        results.PlanStep(
            position=position,
            record=selected.analysis.snapshot.record(step.key),
            gain=step.gain,
            running_total=running_total,
            deadline=or_none(selected.waiting.earliest[step.key]),
            finding=findings[step.key],
        )
        for position, (step, running_total) in enumerate(zip(shown, totals, strict=True), offset + 1)
    ]
    return results.Plan(
        steps=Section(tuple(items), total, offset),
        cleared_by_all=len(selected.rows) - len(selected.stuck) - selected.lists_nothing,
        upload_order=selected.upload_order,
    )


def list_hours(selected: SelectedRows, limit: int, offset: int) -> results.Expiry:
    """Describe the clock hours that lose rows, soonest first."""
    return selected.expiry(limit, offset)


def list_expired(selected: SelectedRows, limit: int, offset: int) -> results.Expired:
    """Describe the expired rows from `offset` on."""
    return describe_expired(selected.analysis.graph, selected.flags, offset=offset, limit=limit)


def list_cycles(selected: SelectedRows, limit: int, offset: int, members: int | None) -> Section[results.Cycle]:
    """Describe the cycles from `offset` on, with at most so many members each (None: all)."""
    graph, stuck = selected.analysis.graph, selected.analysis.stuck
    return section(selected.cycles, offset, limit, lambda cycle: describe_cycle(graph, stuck, cycle, members=members))


def list_resources(selected: SelectedRows, limit: int, offset: int) -> Section[results.WaitingResource]:
    """Describe the selected rows, soonest lost first; those without a readable expiry last."""
    snapshot = selected.analysis.snapshot
    return section(selected.by_expiry, offset, limit, lambda row: describe_row(snapshot, snapshot.rows[row]))


def list_counters(selected: SelectedRows, limit: int, offset: int) -> Section[results.CounterDifference]:
    """Describe the batches whose counter disagrees with their rows, largest difference first."""
    snapshot, batches = selected.analysis.snapshot, selected.matched.batches
    expired = Counter(snapshot.rows[row].batch for row in selected.expired)
    found = find_differences([(snapshot.batches[number], expired[number]) for number in batches])
    return section(found, offset, limit, lambda one: one)


def find_chains(selected: SelectedRows) -> results.Chains:
    """Describe how deep the selected rows wait."""
    return selected.chains
