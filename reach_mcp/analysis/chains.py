"""Chains from waiting rows down to their root blockers, and the circles that never clear."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reach_mcp.analysis.arrival import Arrival, Rows
from reach_mcp.analysis.components import find_components
from reach_mcp.analysis.graph import DependencyGraph, Groups, Numbers, group_pairs


@dataclass(frozen=True)
class Chain:
    """Keys from a waiting row's own down to a root blocker; `depth` counts the pending resources among them."""

    keys: tuple[int, ...]
    depth: int


@dataclass(frozen=True)
class Circle:
    """Stuck keys that wait for one another. `path` walks once around; `behind` rows wait for it and are not in it."""

    members: tuple[int, ...]
    path: tuple[int, ...]
    rows: int
    behind: int
    earliest: float


@dataclass(frozen=True)
class Structure:
    """How deep rows wait when every root blocker arrives, and what stays stuck even then."""

    depths: dict[int, int]
    """How many rows have chains of each depth."""
    stuck: Numbers
    """Rows that don't clear."""
    circles: tuple[Circle, ...]
    """The first of them, those with most rows behind them first."""
    groups: tuple[tuple[int, ...], ...]
    """The members of every circle, in no order."""
    ways: Groups
    """From each stuck key to the stuck keys that it waits for."""
    arrival: Arrival


CIRCLES = 24
"""Circles that are looked at closely unless more are asked for."""


def find_structure(graph: DependencyGraph, circles: int = CIRCLES) -> Structure:
    """Let every root blocker arrive, and see what clears in which round and what does not.

    So many circles are looked at closely: what waits for each takes a walk of the graph.
    """
    arrival = Arrival(graph, sent=graph.roots)
    ways = _find_ways(graph, arrival)
    keys: list[int] = np.flatnonzero(np.diff(ways.start)).tolist()
    components = find_components({key: ways(key) for key in keys})
    groups = tuple(tuple(group) for group in components if len(group) > 1 or group[0] in ways(group[0]))
    return Structure(
        depths={number: len(rows) for number, rows in enumerate(arrival.first_rounds, 1)},
        stuck=np.flatnonzero(arrival.left).astype(np.int32),
        circles=tuple(_rank_circles(graph, groups, components, ways, circles)),
        groups=groups,
        ways=ways,
        arrival=arrival,
    )


def trace_chain(graph: DependencyGraph, structure: Structure, row: int) -> Chain:
    """The way from a row that can clear down to a root: at each step the dependency that arrives last.

    Of several that arrive together the least by identity is taken, so that any order of pages gives the same chain. A
    chain that ends at a row which lists nothing has no root.
    """
    keys = [graph.bears[row]]
    while True:
        key = _last_to_arrive(graph, structure, row)
        if key is None:
            return Chain(tuple(keys), len(keys))
        keys.append(key)
        if not graph.is_pending[key]:
            return Chain(tuple(keys), len(keys) - 1)
        row = _first_to_clear(graph, structure, key)


def _last_to_arrive(graph: DependencyGraph, structure: Structure, row: int) -> int | None:
    rounds = structure.arrival.round_of
    return min(graph.missing(row), key=lambda key: (-rounds[key], graph.key(key)), default=None)


def _first_to_clear(graph: DependencyGraph, structure: Structure, key: int) -> int:
    rounds = structure.arrival.round_of
    rows = graph.bearers(key)
    return min(
        (row for row in rows if not structure.arrival.left[row]),
        key=lambda row: (max((rounds[dep] for dep in graph.missing(row)), default=0), _lists(graph, row)),
    )


def _lists(graph: DependencyGraph, row: int) -> list[tuple[str, str]]:
    return sorted(graph.key(key) for key in graph.missing(row))


def deepest_chains(graph: DependencyGraph, structure: Structure, count: int) -> list[Chain]:
    """The longest chains of two or more, one for each root that ends one, deepest first."""
    found: dict[int, Chain] = {}
    ends: dict[int, int] = {}
    for rows in reversed(structure.arrival.first_rounds[1:]):
        for row in _least_rows(graph, rows, 20 * count):
            end = find_end(graph, structure, row, ends)
            if end not in found:
                found[end] = trace_chain(graph, structure, row)
            if len(found) == count:
                return list(found.values())
    return list(found.values())


def _least_rows(graph: DependencyGraph, rows: Rows, count: int) -> list[int]:
    """Rows of the least keys by identity; rows of one key by what they list, so that no order of reading shows."""
    by_key: dict[int, list[int]] = {}
    for row in map(int, rows):
        by_key.setdefault(graph.bears[row], []).append(row)
    least = heapq.nsmallest(count, by_key, key=graph.key)
    return [row for key in least for row in sorted(by_key[key], key=lambda row: _lists(graph, row))]


def find_end(graph: DependencyGraph, structure: Structure, row: int, ends: dict[int, int]) -> int:
    """The key at which the chain of a row ends. `ends` keeps those of keys passed: long chains share their ways."""
    passed: list[int] = []
    while True:
        key = _last_to_arrive(graph, structure, row)
        if key is None:
            end = graph.bears[row]
        elif not graph.is_pending[key]:
            end = key
        elif key in ends:
            end = ends[key]
        else:
            passed.append(key)
            row = _first_to_clear(graph, structure, key)
            continue
        ends.update(dict.fromkeys(passed, end))
        return end


def _find_ways(graph: DependencyGraph, arrival: Arrival) -> Groups:
    """From each stuck key, one none of whose rows ever clears, to the stuck keys that it waits for."""
    bears, lists = graph.row_key[graph.dep_row], graph.missing.values
    stuck = (arrival.round_of[bears] < 0) & (arrival.round_of[lists] < 0)
    return group_pairs(bears[stuck], lists[stuck], graph.keys)


def _rank_circles(
    graph: DependencyGraph,
    groups: Sequence[tuple[int, ...]],
    components: Sequence[Sequence[int]],
    ways: Groups,
    count: int,
) -> list[Circle]:
    """The first circles by what is stuck behind them: only as many are walked as may be among these."""
    bound = _bound_waiting(graph, components)
    circles: list[Circle] = []
    most: list[int] = []
    for members in sorted(groups, key=lambda members: -bound[members[0]]):
        if len(most) == count and bound[members[0]] < most[0]:
            break
        circles.append(look_at_circle(graph, members, ways))
        heapq.heappush(most, circles[-1].behind)
        if len(most) > count:
            heapq.heappop(most)
    return sorted(circles, key=lambda circle: (-circle.behind, -circle.rows, graph.key(circle.path[0])))[:count]


def _bound_waiting(graph: DependencyGraph, components: Sequence[Sequence[int]]) -> dict[int, int]:
    """For each stuck key a number of rows that those waiting for its component never exceed: ways instead of rows."""
    links = np.bincount(graph.missing.values[graph.bears_link[graph.dep_row]], minlength=graph.keys)
    own = np.where(graph.is_link, graph.direct - links + np.diff(graph.bearers.start), 0).tolist()
    place_of = {key: place for place, component in enumerate(components) for key in component}
    bound = [0] * len(components)
    for place in reversed(range(len(components))):  # what waits comes before what it waits for
        above = set[int]()
        for key in components[place]:
            # A link that arrives by another of its rows is in no component: then nothing is known.
            above.update(place_of.get(upper, -1) for upper in graph.uppers(key))
            bound[place] += own[key]
        more = graph.rows if -1 in above else sum(bound[upper] for upper in above - {place})
        bound[place] = min(bound[place] + more, graph.rows)
    return {key: bound[place] for key, place in place_of.items()}


def look_at_circle(graph: DependencyGraph, members: Sequence[int], ways: Groups) -> Circle:
    """What is to be known about one circle, of which `ways` lead from member to member."""
    waiting = graph.waiting(members)
    inside = np.count_nonzero(np.isin(graph.row_key[waiting], members))
    return Circle(
        members=tuple(sorted(members, key=graph.key)),
        path=_walk_around(graph, set(members), ways),
        rows=int(inside),
        behind=len(waiting) - int(inside),
        earliest=graph.earliest(waiting),
    )


def _walk_around(graph: DependencyGraph, members: set[int], ways: Groups) -> tuple[int, ...]:
    """One way around: from the least key along the least dependency, until a key comes up again."""
    key = min(members, key=graph.key)
    place: dict[int, int] = {}
    while key not in place:
        place[key] = len(place)
        key = min((dep for dep in ways(key) if dep in members), key=graph.key)
    path = list(place)[place[key] :]
    least = path.index(min(path, key=graph.key))
    return tuple(path[least:] + path[:least])
