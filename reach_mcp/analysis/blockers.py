"""Rank the root blockers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from reach_mcp.analysis import pieces
from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.results import Order
from reach_mcp.analysis.simulation import Arrival, count_selected
from reach_mcp.analysis.stop import Checkpoint, never_stop, paced
from reach_mcp.analysis.waiting import Waiting


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
    pieces.sort(roots, lambda root: (-root.waiting, -root.direct, root.earliest, keys[root.key]))
    if order == "expiry":
        roots.sort(key=lambda root: root.earliest)
    elif order == "frees" and frees is not None:
        roots.sort(key=lambda root: -frees[root.key])
    return roots


def count_direct(graph: DependencyGraph, key: int, selection: Selection = None) -> int:
    """Count the selected rows that list a key."""
    rows = graph.waits_on(key)
    return len(rows) if selection is None else sum(map(selection.__getitem__, rows))


def find_frees(
    graph: DependencyGraph,
    roots: Iterable[int] | None = None,
    selection: Selection = None,
    *,
    checkpoint: Checkpoint = never_stop,
) -> dict[int, int]:
    """Count, for each of some root blockers (None: all), the selected rows that clear in turn if it alone arrives.

    A root of which each row lists nothing else frees its rows and whatever their links free, which is counted once for
    all roots with the same links. Other roots hardly ever free the same rows.
    """
    arrival = Arrival(graph, checkpoint=checkpoint)
    remaining, arrived, key_of, links = arrival.remaining, arrival.arrived, graph.key_of, graph.links

    @cache
    def count(keys: frozenset[int]) -> int:
        cleared = count_selected(arrival.send(keys), selection)
        arrival.undo()
        return cleared

    found = {}
    for root in paced(graph.roots if roots is None else roots, checkpoint):
        rows = graph.waits_on(root)
        if all(remaining[row] == 1 for row in rows):
            above = {key_of[row] for row in rows}
            found[root] = count_direct(graph, root, selection)
            found[root] += count(frozenset(key for key in above if key in links and not arrived[key]))
        else:
            found[root] = count(frozenset((root,)))
    return found
