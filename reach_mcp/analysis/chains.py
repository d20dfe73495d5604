"""Chains from waiting rows down to their root blockers, and the circles that never clear."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reach_mcp.analysis.arrival import Arrival
from reach_mcp.analysis.components import find_components
from reach_mcp.analysis.graph import DependencyGraph


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
    stuck: frozenset[int]
    circles: tuple[Circle, ...]
    """The first of them, those with most rows behind them first."""
    groups: tuple[tuple[int, ...], ...]
    """The members of every circle, in no order."""
    arrival: Arrival


CIRCLES = 24
"""Most circles that are looked at closely: what waits for each takes a walk of the graph."""


def find_structure(graph: DependencyGraph) -> Structure:
    """Let every root blocker arrive, and see what clears in which round and what does not."""
    arrival = Arrival(graph, sent=graph.roots)
    stuck = frozenset(row for row, left in enumerate(arrival.left) if left)
    ways = find_ways(graph, arrival, stuck)
    components = find_components(ways)
    groups = tuple(tuple(group) for group in components if len(group) > 1 or group[0] in ways[group[0]])
    return Structure(
        depths={number: len(rows) for number, rows in enumerate(arrival.first_rounds, 1)},
        stuck=stuck,
        circles=tuple(_rank_circles(graph, groups, components, ways)),
        groups=groups,
        arrival=arrival,
    )


def trace_chain(graph: DependencyGraph, structure: Structure, row: int) -> Chain:
    """The way from a row that can clear down to a root: at each step the dependency that arrives last.

    Of several that arrive together the least by identity is taken, so that any order of pages gives the same chain. A
    chain that ends at a row which lists nothing has no root.
    """
    keys = [graph.row_key[row]]
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
        (row for row in rows if row not in structure.stuck),
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


def _least_rows(graph: DependencyGraph, rows: list[int], count: int) -> list[int]:
    """Rows of the least keys by identity; rows of one key by what they list, so that no order of reading shows."""
    by_key: dict[int, list[int]] = {}
    for row in rows:
        by_key.setdefault(graph.row_key[row], []).append(row)
    least = heapq.nsmallest(count, by_key, key=graph.key)
    return [row for key in least for row in sorted(by_key[key], key=lambda row: _lists(graph, row))]


def find_end(graph: DependencyGraph, structure: Structure, row: int, ends: dict[int, int]) -> int:
    """The key at which the chain of a row ends. `ends` keeps those of keys passed: long chains share their ways."""
    passed: list[int] = []
    while True:
        key = _last_to_arrive(graph, structure, row)
        if key is None:
            end = graph.row_key[row]
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


def find_ways(graph: DependencyGraph, arrival: Arrival, stuck: Iterable[int]) -> dict[int, list[int]]:
    """From each stuck key, one none of whose rows ever clears, to the stuck keys that it waits for."""
    ways: dict[int, list[int]] = {}
    for row in stuck:
        key = graph.row_key[row]
        if arrival.round_of[key] < 0:
            waits = [dep for dep in graph.missing(row) if arrival.round_of[dep] < 0]
            ways.setdefault(key, []).extend(waits)
    return ways


def _rank_circles(
    graph: DependencyGraph,
    groups: Sequence[tuple[int, ...]],
    components: Sequence[Sequence[int]],
    ways: dict[int, list[int]],
) -> list[Circle]:
    """The first circles by what is stuck behind them: only as many are walked as may be among these."""
    bound = _bound_waiting(graph, components)
    circles: list[Circle] = []
    most: list[int] = []
    for group in sorted(groups, key=lambda group: -bound[group[0]]):
        if len(most) == CIRCLES and bound[group[0]] < most[0]:
            break
        circles.append(look_at_circle(graph, group, ways))
        heapq.heappush(most, circles[-1].behind)
        if len(most) > CIRCLES:
            heapq.heappop(most)
    return sorted(circles, key=lambda circle: (-circle.behind, -circle.rows, graph.key(circle.path[0])))[:CIRCLES]


def _bound_waiting(graph: DependencyGraph, components: Sequence[Sequence[int]]) -> dict[int, int]:
    """For each stuck key a number of rows that those waiting for its component never exceed: ways instead of rows."""
    place_of = {key: place for place, component in enumerate(components) for key in component}
    bound = [0] * len(components)
    for place in reversed(range(len(components))):  # what waits comes before what it waits for
        uppers = set[int]()
        for key in components[place]:
            if not graph.is_inner[key]:
                continue  # nothing waits for it
            rows = graph.listing(key)
            links = [graph.row_key[row] for row in rows if graph.bears_link[row]]
            # A link that arrives by another of its rows is in no component: then nothing is known.
            uppers.update(place_of.get(upper, -1) for upper in links)
            bound[place] += len(rows) - len(links) + len(graph.bearers(key))
        above = graph.rows if -1 in uppers else sum(bound[upper] for upper in uppers - {place})
        bound[place] = min(bound[place] + above, graph.rows)
    return {key: bound[place] for key, place in place_of.items()}


def look_at_circle(graph: DependencyGraph, group: Sequence[int], ways: dict[int, list[int]]) -> Circle:
    """What is to be known about one circle, of which `ways` lead from member to member."""
    members = set(group)
    waiting = graph.waiting(group)
    inside = [row for row in waiting if graph.row_key[row] in members]
    return Circle(
        members=tuple(sorted(group, key=graph.key)),
        path=_walk_around(graph, members, ways),
        rows=len(inside),
        behind=len(waiting) - len(inside),
        earliest=graph.earliest(waiting),
    )


def _walk_around(graph: DependencyGraph, members: set[int], ways: dict[int, list[int]]) -> tuple[int, ...]:
    """One way around: from the least key along the least dependency, until a key comes up again."""
    key = min(members, key=graph.key)
    place: dict[int, int] = {}
    while key not in place:
        place[key] = len(place)
        key = min((dep for dep in ways[key] if dep in members), key=graph.key)
    path = list(place)[place[key] :]
    least = path.index(min(path, key=graph.key))
    return tuple(path[least:] + path[:least])
