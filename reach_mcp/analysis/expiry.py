"""When live rows are lost, by clock hour, and which rows are lost already."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.results import Expired, ExpiredRecord, Expiry, ExpiryHour, Holder, Section
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.times import DAY, HOUR
from reach_mcp.analysis.waiting import Holders


@dataclass(frozen=True, slots=True)
class Hours:
    """Selected live rows by the clock hour in which they expire, soonest first."""

    rows: dict[float, list[int]]
    """Start of the hour to its rows."""
    unreadable: list[int]

    @property
    def groups(self) -> list[list[int]]:
        """The rows of each hour, then those whose expiry is unreadable."""
        return [*self.rows.values(), self.unreadable]


def group_by_hour(graph: DependencyGraph, selection: Selection = None) -> Hours:
    """Group the selected live rows by the clock hour of their expiry."""
    expires = graph.expires
    rows = sorted(graph.selected(selection), key=expires.__getitem__)
    readable = bisect_left(rows, inf, key=expires.__getitem__)
    hours = groupby(rows[:readable], key=lambda row: expires[row] // HOUR)
    return Hours({start * HOUR: list(group) for start, group in hours}, rows[readable:])


def describe_expiry(
    graph: DependencyGraph,
    clearance: Clearance,
    hours: Hours,
    holders: Sequence[Holders],
    *,
    offset: int = 0,
    limit: int = 24,
) -> Expiry:
    """Count what is lost within the hour and the day, and name the holders of `limit` clock hours from `offset` on.

    Args:
        holders: those of each hour, as `count_by_group` finds them.
    """
    page = list(zip(hours.rows.items(), holders, strict=False))[offset : offset + limit]
    within_day = _count_before(graph, hours, graph.now + DAY)
    first = next(iter(hours.rows.values()), ())
    return Expiry(
        within_hour=_count_before(graph, hours, graph.now + HOUR),
        within_day=within_day,
        later=sum(map(len, hours.rows.values())) - within_day,
        unreadable=len(hours.unreadable),
        next_at=min((graph.expires[row] for row in first), default=None),
        hours=Section(
            tuple(_describe_hour(graph, clearance, start, rows, found) for (start, rows), found in page),
            len(hours.rows),
            offset,
        ),
    )


def _count_before(graph: DependencyGraph, hours: Hours, end: float) -> int:
    """Rows that expire before a time."""
    count = 0
    for start, rows in hours.rows.items():
        if start + HOUR <= end:
            count += len(rows)
        elif start < end:
            count += sum(1 for row in rows if graph.expires[row] < end)
    return count


def _describe_hour(
    graph: DependencyGraph, clearance: Clearance, start: float, rows: list[int], holders: Holders
) -> ExpiryHour:
    return ExpiryHour(
        start=start,
        rows=len(rows),
        holders=tuple(Holder(graph.snapshot.record(key), count) for key, count in holders.first),
        holders_total=holders.total,
        stuck=clearance.count_stuck(rows),
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
    group_of = {row: (snapshot.rows[row].batch, snapshot.record(graph.key_of[row]).schema) for row in rows}
    groups = Counter(group_of.values())
    batches = snapshot.batches
    ranked = sorted(groups, key=lambda group: (-groups[group], batches[group[0]].id, group[1]))
    place = {group: number for number, group in enumerate(ranked)}
    all_rows, keys = snapshot.rows, snapshot.keys
    rows.sort(key=lambda row: (place[group_of[row]], graph.expires[row], keys[graph.key_of[row]], all_rows[row].id))
    return Expired(
        total=len(rows),
        batches=tuple((batches[batch].id, schema, groups[batch, schema]) for batch, schema in ranked[:limit]),
        batches_total=len(ranked),
        records=Section(tuple(_describe_row(graph, row) for row in rows[offset : offset + limit]), len(rows), offset),
    )


def _describe_row(graph: DependencyGraph, row: int) -> ExpiredRecord:
    snapshot = graph.snapshot
    return ExpiredRecord(
        record=snapshot.record(graph.key_of[row]),
        batch_id=snapshot.batches[snapshot.rows[row].batch].id,
        expired_at=graph.expires[row],
        misses=snapshot.records(graph.missing[row]),
        pending_again=bool(graph.pending[graph.key_of[row]]),
    )
