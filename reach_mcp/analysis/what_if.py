"""What clears if some records arrived, and what still waits then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reach_mcp.analysis.analysis import Analysis
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.part import Part
from reach_mcp.analysis.results import Holder, WhatIf
from reach_mcp.analysis.rows import section
from reach_mcp.analysis.simulation import Arrival, Clearance
from reach_mcp.analysis.snapshot import PendingRow
from reach_mcp.analysis.waiting import count_waiting


def assume_arrived(part: Part, names: tuple[str, ...], *, limit: int, offset: int = 0) -> WhatIf:
    """Let the records named arrive. Counts are of the selected rows; `limit` and `offset` page what is still missing.

    A name that stands for several records means all of them. A record that is assumed and pending itself arrives for
    those that wait for it; its own pending resource still waits.
    """
    graph, checkpoint = part.analysis.graph, part.analysis.checkpoint
    keys, unknown = find_keys(part.analysis, names)
    arrival = Arrival(graph, checkpoint=checkpoint)
    rounds = [_count(part, rows) for rows in arrival.send(keys)]
    rest, flags = _keep_waiting(part, arrival)
    counts = count_waiting(rest, flags, checkpoint=checkpoint).counts
    clearance = Clearance(rest, checkpoint=checkpoint)
    identity = rest.snapshot.keys.__getitem__
    missing = sorted(filter(counts.get, rest.roots), key=lambda key: (-counts[key], identity(key)))
    return WhatIf(
        assumed=part.analysis.snapshot.records(keys),
        not_waited_for=tuple(unknown),
        cleared=sum(rounds),
        rounds=tuple(rounds),
        still_waiting=sum(flags),
        stuck=sum(clearance.is_stuck(row) for row in rest.live if flags[row]),
        missing=section(missing, offset, limit, lambda key: Holder(rest.snapshot.record(key), counts[key])),
    )


def find_keys(analysis: Analysis, names: Iterable[str]) -> tuple[list[int], list[str]]:
    """The keys that names stand for, and the names for which no row waits."""
    keys: dict[int, None] = {}
    unknown = []
    for name in dict.fromkeys(names):
        found = [key for key in analysis.keys_of(name) if analysis.graph.waits_on(key)]
        keys.update(dict.fromkeys(found))
        if not found:
            unknown.append(name)
    return list(keys), unknown


def _keep_waiting(part: Part, arrival: Arrival) -> tuple[DependencyGraph, bytearray]:
    """The graph of the rows that still wait, without what has arrived; and which of its rows are selected."""
    graph, snapshot = part.analysis.graph, part.analysis.snapshot
    kept = [row for row in graph.live if arrival.remaining[row]]
    arrived = arrival.arrived
    rows = [
        PendingRow(
            id=row.id,
            key=row.key,
            missing=tuple(key for key in row.missing if not arrived[key]),
            expires=row.expires,
            created=row.created,
            batch=row.batch,
        )
        for row in map(snapshot.rows.__getitem__, kept)
    ]
    flags = bytearray(part.matched.rows[row] for row in kept)
    rest = DependencyGraph(replace(snapshot, rows=rows), graph.now, checkpoint=part.analysis.checkpoint)
    return rest, flags


def _count(part: Part, rows: list[int]) -> int:
    return len(rows) if part.flags is None else sum(part.flags[row] for row in rows)
