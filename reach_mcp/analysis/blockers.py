"""What holds pending rows up: root blockers, ranked by how many rows wait for each."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from reach_mcp.analysis.arrival import Arrival
from reach_mcp.analysis.graph import DependencyGraph

Bounds = tuple[list[int], bytearray]
"""What `bound_waiting` returns, so that it is worked out once an answer."""


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
    rows = {key: graph.waiting([key]) for key in _near_top(graph, waiting, first + count)}
    earliest = {key: graph.earliest(found) for key, found in rows.items()}
    ranked = sorted(rows, key=lambda key: (-waiting[key], -graph.direct(key), earliest[key], graph.key(key)))
    arrival = arrival or Arrival(graph)
    return [
        Blocker(
            key=key,
            waiting=waiting[key],
            direct=graph.direct(key),
            frees=arrival.gain(key),
            batches=len({graph.row_batch[row] for row in rows[key]}),
            earliest=earliest[key],
        )
        for key in ranked[first : first + count]
    ]


def _top_waiting(graph: DependencyGraph, count: int, bounds: Bounds) -> dict[int, int]:
    """Exact `waiting` of enough root blockers to rank the first `count`, ties at the end included."""
    bound, exact = bounds
    candidates = sorted(graph.roots, key=lambda key: -bound[key])
    waiting: dict[int, int] = {}
    best: list[int] = []
    for key in candidates:
        if len(best) == count and bound[key] < best[0]:
            break
        waiting[key] = bound[key] if exact[key] else len(graph.waiting([key]))
        if len(best) < count:
            heapq.heappush(best, waiting[key])
        else:
            heapq.heappushpop(best, waiting[key])
    return waiting


def _near_top(graph: DependencyGraph, waiting: dict[int, int], count: int) -> list[int]:
    """The first `count` by waiting and direct, with all that tie with the last of them."""
    order = sorted(waiting, key=lambda key: (-waiting[key], -graph.direct(key)))
    if len(order) <= count:
        return order
    last = order[count - 1]
    mark = (waiting[last], graph.direct(last))
    return [key for place, key in enumerate(order) if place < count or (waiting[key], graph.direct(key)) == mark]


def bound_waiting(graph: DependencyGraph) -> Bounds:
    """For each root blocker and link, a number that `waiting` never exceeds, and whether it is `waiting` exactly.

    Counts ways instead of rows: rows that can be reached in two ways count twice. Where no row above a key can be
    reached in two ways the bound is exact; that is so for almost every key of real data, and saves one walk of the
    graph for each. Keys on or below a circle get the number of all rows.
    """
    bound = [-1] * graph.keys
    exact = bytearray(graph.keys)
    for key in _uppermost_first(graph):
        bound[key], exact[key] = _sum_above(graph, key, bound, exact)
    start = graph.listing_start
    below_links = {key for row in graph.linked for key in graph.missing(row)}
    for key in graph.roots:
        if key in below_links:
            bound[key], exact[key] = _sum_above(graph, key, bound, exact)
        else:
            bound[key], exact[key] = start[key + 1] - start[key], True
    return bound, exact


def _sum_above(graph: DependencyGraph, key: int, bound: list[int], exact: bytearray) -> tuple[int, bool]:
    start, row_key, dep_start = graph.listing_start, graph.row_key, graph.dep_start
    rows = graph.listing_rows[start[key] : start[key + 1]]
    total, sure = len(rows), True
    links = set()
    for row in rows:
        above = row_key[row]
        if start[above + 1] > start[above] and above not in links:
            links.add(above)
            total += bound[above] if bound[above] >= 0 else graph.rows
            sure = sure and bool(exact[above]) and above not in graph.borne_twice
        if sure and dep_start[row + 1] - dep_start[row] > 1:
            sure = not any(graph.is_pending[dep] for dep in graph.missing(row))
    return min(total, graph.rows), sure


def _uppermost_first(graph: DependencyGraph) -> Iterable[int]:
    """Links so that each comes after all that lie above it; within a circle the order is arbitrary."""
    start, row_key = graph.listing_start, graph.row_key
    seen = bytearray(graph.keys)
    for origin in graph.inner:
        stack = [origin]
        while stack:
            key = stack[-1]
            if seen[key]:
                stack.pop()
                if seen[key] == 1:
                    seen[key] = 2
                    yield key
                continue
            seen[key] = 1
            uppers = {row_key[row] for row in graph.listing_rows[start[key] : start[key + 1]]}
            stack.extend(upper for upper in uppers if not seen[upper] and start[upper + 1] > start[upper])
