"""The rows that clear if some records arrived, and those that still wait then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from msgspec import structs

from reach_mcp.analysis.analysis import Analysis
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.results import Holder, Section, WhatIf
from reach_mcp.analysis.selected_rows import SelectedRows
from reach_mcp.analysis.simulation import Arrival, Clearance
from reach_mcp.analysis.stop import paced
from reach_mcp.analysis.waiting import count_waiting


def assume_arrived(selected: SelectedRows, names: Iterable[str], limit: int, offset: int) -> WhatIf:
    """Let the records named arrive. Counts are of the selected rows.

    A name that stands for several records means all of them. A record that is assumed and pending itself arrives for
    those that wait for it; its own pending resource still waits.

    Args:
        limit: of the records that are still missing, like `offset`.
    """
    analysis = selected.analysis
    keys_of = {name: [key for key in analysis.keys_of(name) if analysis.graph.waits_on(key)] for name in names}
    keys = list(dict.fromkeys(key for found in keys_of.values() for key in found))
    arrival = Arrival(analysis.graph, checkpoint=analysis.check)
    rounds = tuple(selected.count(rows) for rows in arrival.send(keys))
    kept = [row for row in analysis.graph.live if arrival.remaining[row]]
    flags = bytearray(selected.matched.rows[row] for row in kept)
    rest = _build_rest(analysis, kept, arrival)
    counts = count_waiting(rest, flags, checkpoint=analysis.check).counts
    clearance = Clearance(rest, checkpoint=analysis.check)
    record, identity = rest.snapshot.record, rest.snapshot.keys
    missing = sorted(filter(counts.get, rest.roots), key=lambda key: (-counts[key], identity[key]))
    return WhatIf(
        assumed=analysis.snapshot.records(keys),
        not_waited_for=tuple(name for name, found in keys_of.items() if not found),
        cleared=sum(rounds),
        rounds=rounds,
        still_waiting=sum(flags),
        stuck=sum(flags[row] for row in clearance.stuck),
        missing=Section.of(missing, offset, limit).map(lambda key: Holder(record(key), counts[key])),
    )


def _build_rest(analysis: Analysis, kept: list[int], arrival: Arrival) -> DependencyGraph:
    """The graph of the rows that still wait, numbered as in `kept`, without the keys that have arrived."""
    snapshot, arrived = analysis.snapshot, arrival.arrived
    rows = [
        structs.replace(row, missing=tuple([key for key in row.missing if not arrived[key]]))
        for row in paced(map(snapshot.rows.__getitem__, kept), analysis.check)
    ]
    return DependencyGraph(replace(snapshot, rows=rows), analysis.as_of, checkpoint=analysis.check)
