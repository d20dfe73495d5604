"""Chains from waiting rows down to their root blockers, and the circles that never clear."""

from __future__ import annotations

import heapq
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
    arrival: Arrival


def find_structure(graph: DependencyGraph) -> Structure:
    """Let every root blocker arrive, and see what clears in which round and what does not."""
    arrival = Arrival(graph, sent=graph.roots)
    stuck = frozenset(row for row, left in enumerate(arrival.left) if left)
    return Structure(
        depths={number: len(rows) for number, rows in enumerate(arrival.first_rounds, 1)},
        stuck=stuck,
        circles=tuple(_find_circles(graph, arrival, stuck)) if stuck else (),
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


def _find_circles(graph: DependencyGraph, arrival: Arrival, stuck: frozenset[int]) -> list[Circle]:
    """Strongly connected groups of stuck keys: keys none of whose rows ever clears."""
    ways: dict[int, list[int]] = {}
    for row in stuck:
        key = graph.row_key[row]
        if arrival.round_of[key] < 0:
            waits = [dep for dep in graph.missing(row) if arrival.round_of[dep] < 0]
            ways.setdefault(key, []).extend(waits)
    groups = [group for group in find_components(ways) if len(group) > 1 or group[0] in ways[group[0]]]
    circles = [_circle(graph, group, ways) for group in groups]
    return sorted(circles, key=lambda circle: (-circle.behind, -circle.rows, graph.key(circle.path[0])))


def _circle(graph: DependencyGraph, group: list[int], ways: dict[int, list[int]]) -> Circle:
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
