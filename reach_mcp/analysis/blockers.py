"""What holds pending rows up: root blockers, ranked by how many rows wait for each."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from reach_mcp.analysis.arrival import Arrival
from reach_mcp.analysis.graph import DependencyGraph, Flags

OPEN, DONE = 1, 2
"""How far a walk upwards is with a key."""

Bounds = tuple["memoryview[int]", "memoryview[int]"]
"""What `bound_waiting` returns, by key, so that it is worked out once an answer."""


@dataclass(frozen=True)
class Blocker:
    """A root blocker and what hangs on it. Counts are of rows; `earliest` is in Unix seconds, infinite if unknown."""

    key: int
    waiting: int
    direct: int
    frees: int
    batches: int
    earliest: float


def rank_blockers(
    graph: DependencyGraph,
    *,
    count: int,
    first: int = 0,
    bounds: Bounds | None = None,
    arrival: Arrival | None = None,
) -> list[Blocker]:
    """Root blockers `first` to `first + count` of the ranking.

    Ranked by `waiting`, then `direct`, then earliest expiry, then key. A row counts once a blocker, however many paths
    lead to it; the same rows in any order of reading give the same ranking. Only as much of the graph is walked as
    these places need.
    `arrival` has nothing sent, and stays so.
    """
    waiting = _top_waiting(graph, first + count, bounds or bound_waiting(graph))
    earliest = {key: graph.earliest_waiting(key) for key in _near_top(graph, waiting, first + count)}
    ranked = sorted(earliest, key=lambda key: (-waiting[key], -graph.direct[key], earliest[key], graph.key(key)))
    arrival = arrival or Arrival(graph)
    return [
        Blocker(
            key=key,
            waiting=waiting[key],
            direct=int(graph.direct[key]),
            frees=arrival.gain(key),
            batches=graph.count_batches(graph.waiting([key])),
            earliest=earliest[key],
        )
        for key in ranked[first : first + count]
    ]


def _top_waiting(graph: DependencyGraph, count: int, bounds: Bounds) -> dict[int, int]:
    """Exact `waiting` of enough root blockers to rank the first `count`, ties at the end included."""
    bound, exact = bounds
    waiting: dict[int, int] = {}
    best: list[int] = []
    for key in sorted(graph.roots, key=bound.__getitem__, reverse=True):
        if len(best) == count and bound[key] < best[0]:
            break
        waiting[key] = bound[key] if exact[key] else graph.count_waiting(key)
        if len(best) < count:
            heapq.heappush(best, waiting[key])
        else:
            heapq.heappushpop(best, waiting[key])
    return waiting


def _near_top(graph: DependencyGraph, waiting: dict[int, int], count: int) -> list[int]:
    """The first `count` by waiting and direct, with all that tie with the last of them."""
    marks = {key: (waiting[key], int(graph.direct[key])) for key in waiting}
    order = sorted(marks, key=marks.__getitem__, reverse=True)
    if len(order) <= count:
        return order
    last = marks[order[count - 1]]
    return [key for place, key in enumerate(order) if place < count or marks[key] == last]


def bound_waiting(graph: DependencyGraph) -> Bounds:
    """For each root blocker and link, a number that `waiting` never exceeds, and whether it is `waiting` exactly.

    Counts ways instead of rows: rows that can be reached in two ways count twice. Where no row above a key can be
    reached in two ways the bound is exact; that is so for almost every key of real data, and saves one walk of the
    graph for each. Keys on or below a circle get the number of all rows.
    """
    bound: memoryview[int] = graph.direct.copy().data
    exact: memoryview[int] = (~_find_crossed(graph)).data
    borne_once = (np.diff(graph.bearers.start) == 1).data
    seen = bytearray(np.where(np.diff(graph.uppers.start) == 0, DONE, 0).astype(np.uint8))
    for key in _uppermost_first(graph, seen):
        uppers = graph.uppers(key)
        sure = exact[key] and all(exact[upper] and borne_once[upper] for upper in uppers)
        circular = any(seen[upper] != DONE for upper in uppers)
        above = graph.rows if circular else sum([bound[upper] for upper in uppers])
        bound[key] = min(bound[key] + above, graph.rows)
        exact[key] = sure and not circular
    return bound, exact


def _find_crossed(graph: DependencyGraph) -> Flags:
    """Keys listed by a row that lists a pending key beside: it may be reached by way of that as well."""
    lists_pending: Flags = np.zeros(graph.rows, np.bool_)
    lists_pending[graph.dep_row[graph.is_pending[graph.missing.values]]] = True
    crossing = (graph.listed > 1) & lists_pending
    crossed: Flags = np.zeros(graph.keys, np.bool_)
    crossed[graph.missing.values[crossing[graph.dep_row]]] = True
    return crossed


def _uppermost_first(graph: DependencyGraph, seen: bytearray) -> Iterable[int]:
    """Keys not yet seen with links above them, each after all that lie above it; in a circle the order is arbitrary."""
    for origin in np.flatnonzero(np.diff(graph.uppers.start)).tolist():
        stack: list[int] = [origin]
        while stack:
            key = stack[-1]
            if seen[key]:
                stack.pop()
                if seen[key] == OPEN:
                    yield key
                    seen[key] = DONE  # only now: what waits for itself lies above itself
                continue
            seen[key] = OPEN
            stack += [upper for upper in graph.uppers(key) if not seen[upper]]
