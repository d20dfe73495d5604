"""Rank the root blockers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from reach_mcp.analysis.gains import Gains
from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.results import Order
from reach_mcp.analysis.simulation import Arrival, count_frees
from reach_mcp.analysis.stop import Checkpoint, never_stop
from reach_mcp.analysis.waiting import Waiting

FEW_ROOTS = 50
"""Up to so many roots, letting each arrive in turn costs less than the gains of all."""


class RankedRoot(NamedTuple):
    """A root blocker with its counts over the selected rows."""

    key: int
    waiting: int
    direct: int
    earliest: float
    """Earliest readable expiry among the rows that wait for it; infinity where none is readable."""


def rank(
    graph: DependencyGraph,
    waiting: Waiting,
    selection: Selection = None,
    *,
    order: Order = "waiting",
    frees: Mapping[int, int] | None = None,
) -> list[RankedRoot]:
    """Rank the root blockers for which selected rows wait.

    The order `waiting` goes by waiting, direct, earliest expiry and key; `frees` and `expiry` put their figure first.

    Args:
        waiting: `count_waiting` of the same selection.
        frees: `find_frees` of the same selection; needed for the order `frees`.
    """
    counts, earliest = waiting.counts, waiting.earliest
    roots = [
        RankedRoot(key, counts[key], count_direct(graph, key, selection), earliest[key])
        for key in graph.roots
        if key in counts
    ]
    keys = graph.snapshot.keys
    roots.sort(key=lambda root: (-root.waiting, -root.direct, root.earliest, keys[root.key]))
    if order == "expiry":
        roots.sort(key=lambda root: root.earliest)
    if order == "frees" and frees is not None:
        roots.sort(key=lambda root: -frees[root.key])
    return roots


def count_direct(graph: DependencyGraph, key: int, selection: Selection = None) -> int:
    """Count the selected rows that list a key."""
    rows = graph.waits_on(key)
    return len(rows) if selection is None else sum(map(selection.__getitem__, rows))


def find_frees(
    graph: DependencyGraph,
    roots: Collection[int] | None = None,
    selection: Selection = None,
    *,
    checkpoint: Checkpoint = never_stop,
) -> dict[int, int]:
    """Count, for each of some root blockers (None: all), the selected rows that clear in turn if it alone arrives."""
    arrival = Arrival(graph, checkpoint=checkpoint)
    if roots is not None and len(roots) <= FEW_ROOTS:
        return count_frees(arrival, roots, selection)
    roots = graph.roots if roots is None else roots
    return Gains(graph, roots, arrival, selection=selection, checkpoint=checkpoint).gain
