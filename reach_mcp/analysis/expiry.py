"""When live rows are lost, by clock hour, and which rows are lost already."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby
from math import inf

from reach_mcp.analysis import pieces
from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.results import Expired, ExpiredRecord, Expiry, ExpiryHour, Holder, Section
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.times import DAY, HOUR
from reach_mcp.analysis.waiting import Holders


def group_by_hour(graph: DependencyGraph, selection: Selection = None) -> list[list[int]]:
    """The selected live rows by the clock hour of their expiry, soonest first; those without a readable one last."""
    expires = graph.expires
    rows = sorted(graph.selected(selection), key=expires.__getitem__)
    groups = groupby(rows, key=lambda row: expires[row] // HOUR if expires[row] < inf else inf)
    return [list(group) for _, group in groups]


def describe_expiry(
    graph: DependencyGraph,
    clearance: Clearance,
    groups: Sequence[Sequence[int]],
    holders: Sequence[Holders],
    *,
    offset: int = 0,
    limit: int = 24,
) -> Expiry:
    """Count what is lost within the hour and the day, and name the holders of `limit` clock hours from `offset` on.

    Args:
        groups: rows as `group_by_hour` groups them.
        holders: those of each group, as `count_by_group` finds them.
    """
    hours = [rows for rows in groups if graph.expires[rows[0]] < inf]
    times = [graph.expires[row] for rows in hours for row in rows]
    within_day = bisect_left(times, graph.now + DAY)

    def describe(number: int) -> ExpiryHour:
        rows, found = hours[number], holders[number]
        return ExpiryHour(
            start=graph.expires[rows[0]] // HOUR * HOUR,
            rows=len(rows),
            holders=tuple(Holder(graph.snapshot.record(key), count) for key, count in found.first),
            holders_total=found.total,
            stuck=clearance.count_stuck(rows),
        )

    return Expiry(
        within_hour=bisect_left(times, graph.now + HOUR),
        within_day=within_day,
        later=len(times) - within_day,
        unreadable=sum(map(len, groups)) - len(times),
        next_at=times[0] if times else None,
        hours=Section.of(range(len(hours)), offset, limit).map(describe),
    )


def describe_expired(
    graph: DependencyGraph, selection: Selection = None, *, offset: int = 0, limit: int = 20
) -> Expired:
    """The selected rows that have expired, by batch and schema, and `limit` of them from `offset` on.

    Rows of the batch and schema with most expired rows come first; within one, those that expired first.
    """
    snapshot = graph.snapshot
    rows = [
        number
        for number, row in enumerate(snapshot.rows)
        if row.expires <= graph.now and (selection is None or selection[number])
    ]
    all_rows, batches = snapshot.rows, snapshot.batches
    group_of = {row: (all_rows[row].batch, snapshot.record(graph.key_of[row]).schema) for row in rows}
    groups = pieces.count(group_of.values())
    ranked = sorted(groups, key=lambda group: (-groups[group], batches[group[0]].id, group[1]))
    place = {group: number for number, group in enumerate(ranked)}
    keys = snapshot.keys
    pieces.sort(rows, lambda row: (place[group_of[row]], graph.expires[row], keys[graph.key_of[row]], all_rows[row].id))

    def describe(row: int) -> ExpiredRecord:
        return ExpiredRecord(
            record=snapshot.record(graph.key_of[row]),
            batch_id=batches[all_rows[row].batch].id,
            expired_at=graph.expires[row],
            misses=snapshot.records(graph.missing[row]),
            pending_again=bool(graph.pending[graph.key_of[row]]),
        )

    return Expired(
        total=len(rows),
        batches=tuple((batches[batch].id, schema, groups[batch, schema]) for batch, schema in ranked[:limit]),
        batches_total=len(ranked),
        records=Section.of(rows, offset, limit).map(describe),
    )
