"""One resource or one batch: what it waits for, down to each root blocker, and what waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from math import inf

import numpy as np

from reach_mcp.analysis.arrival import Arrival
from reach_mcp.analysis.chains import Circle, Structure, look_at_circle
from reach_mcp.analysis.evidence import EvidenceBuilder, Finding, find_likeness
from reach_mcp.analysis.graph import DependencyGraph, Numbers


@dataclass(frozen=True)
class Path:
    """The shortest way from what is in focus down to one root blocker, both included."""

    keys: tuple[int, ...]
    finding: Finding


@dataclass(frozen=True)
class Focus:
    """`key` is None for a batch. `rows` are its pending rows (none for a root blocker); `above` rows wait for it.

    `paths` lead to some of `roots` root blockers, from place `first` on; those that most of `rows` wait for come first
    where there are many. `circle` is the one
    that it is in or waits for. `earliest` is the first expiry among `rows`, or `above` where it has none; `expired` of
    these are past their time.
    """

    key: int | None
    batch_id: str
    rows: tuple[int, ...]
    above: int
    paths: tuple[Path, ...]
    roots: int
    circle: Circle | None
    earliest: float
    finding: Finding | None
    expired: int = 0
    first: int = 0


def focus_on_key(
    graph: DependencyGraph,
    structure: Structure,
    evidence: EvidenceBuilder,
    key: int,
    paths: int,
    *,
    first: int = 0,
    now: float = -inf,
) -> Focus:
    """Look at one key, pending or root blocker."""
    rows = _numbers(graph.bearers(key))
    above = graph.waiting([key])
    meant = rows if len(rows) else above
    found, roots, below = _find_paths(graph, evidence, [key], rows, first, paths)
    return Focus(
        key=key,
        batch_id="",
        rows=tuple(rows.tolist()),
        above=len(above),
        paths=found if len(rows) else (),
        roots=roots if len(rows) else 0,
        circle=_find_circle(graph, structure, below),
        earliest=graph.earliest(meant),
        finding=None if graph.is_pending[key] else evidence.about(graph, [key])[key],
        expired=int(np.count_nonzero(graph.expires[meant] < now)),
        first=first,
    )


def focus_on_batch(
    graph: DependencyGraph,
    structure: Structure,
    evidence: EvidenceBuilder,
    batch_id: str,
    paths: int,
    *,
    first: int = 0,
    now: float = -inf,
) -> Focus:
    """Look at all pending rows of one batch."""
    places = [place for place, facts in enumerate(graph.facts) if facts.id == batch_id]
    rows = np.flatnonzero(np.isin(graph.row_batch, places)).astype(np.int32)
    keys = sorted(np.unique(graph.row_key[rows]).tolist(), key=graph.key)
    found, roots, below = _find_paths(graph, evidence, keys, rows, first, paths)
    return Focus(
        key=None,
        batch_id=batch_id,
        rows=tuple(rows.tolist()),
        above=len(np.setdiff1d(graph.waiting(keys), rows)),
        paths=found,
        roots=roots,
        circle=_find_circle(graph, structure, below),
        earliest=graph.earliest(rows),
        finding=None,
        expired=int(np.count_nonzero(graph.expires[rows] < now)),
        first=first,
    )


def _numbers(found: list[int]) -> Numbers:
    return np.array(found, np.int32)


def _find_paths(
    graph: DependencyGraph, evidence: EvidenceBuilder, keys: Iterable[int], rows: Numbers, first: int, count: int
) -> tuple[tuple[Path, ...], int, set[int]]:
    """Shortest paths from keys down to the root blockers below them, how many of these there are, and all below."""
    below: dict[int, int | None] = dict.fromkeys(keys)
    queue = deque(below)
    roots = []
    while queue:
        key = queue.popleft()
        if not graph.is_pending[key]:
            roots.append(key)
        for dep in sorted({dep for row in graph.bearers(key) for dep in graph.missing(row)}, key=graph.key):
            if dep not in below:
                below[dep] = key
                queue.append(dep)
    if len(roots) > count:
        meant = np.isin(np.arange(graph.rows), rows)
        roots.sort(key=lambda key: (-int(np.count_nonzero(meant[graph.waiting([key])])), graph.key(key)))
    shown = roots[first : first + count]
    findings = evidence.about(graph, shown)
    return tuple(Path(_walk_up(below, root), findings[root]) for root in shown), len(roots), set(below)


def _walk_up(below: dict[int, int | None], key: int | None) -> tuple[int, ...]:
    path = []
    while key is not None:
        path.append(key)
        key = below[key]
    return tuple(reversed(path))


def _find_circle(graph: DependencyGraph, structure: Structure, below: set[int]) -> Circle | None:
    """The first circle that has a member among some keys: those in focus and all below them."""
    for circle in structure.circles:
        if not below.isdisjoint(circle.members):
            return circle
    groups = [group for group in structure.groups if not below.isdisjoint(group)]
    if not groups:
        return None
    least = min(groups, key=lambda group: min(map(graph.key, group)))
    return look_at_circle(graph, least, structure.ways)


@dataclass(frozen=True)
class WhatIf:
    """What clears, round by round, if some keys arrived; what then still waits, and for which root blockers.

    `holders` are some of `missing` root blockers, from place `first` on.
    """

    assumed: tuple[int, ...]
    rounds: tuple[int, ...]
    left: int
    stuck: int
    holders: tuple[tuple[int, int], ...]
    missing: int
    first: int = 0


def assume_arrived(
    graph: DependencyGraph, structure: Structure, keys: Iterable[int], holders: int = 5, first: int = 0
) -> WhatIf:
    """Let keys arrive. `holders` are the root blockers that most of the rows left over list, with how many do.

    `stuck` of the rows left over would not clear even if every root blocker arrived as well: a key that is assumed
    may break a circle.
    """
    arrival = Arrival(graph)
    assumed = tuple(dict.fromkeys(keys))
    rounds = arrival.send(assumed)
    counts = {key: int(graph.direct[key]) for key in graph.roots if arrival.round_of[key] < 0}
    ranked = sorted(counts, key=counts.__getitem__, reverse=True)
    left = int(np.count_nonzero(arrival.left))
    arrival.send(graph.roots)
    return WhatIf(
        assumed=assumed,
        rounds=tuple(map(len, rounds)),
        left=left,
        stuck=int(np.count_nonzero(arrival.left[structure.stuck])),
        holders=tuple((key, counts[key]) for key in ranked[first : first + holders]),
        missing=len(ranked),
        first=first,
    )


SEARCHED = 20_000
"""Most ids of a schema that are compared with a mistyped one."""


def suggest_keys(graph: DependencyGraph, schema: str, external: str, count: int = 3) -> list[int]:
    """Keys that a mistyped one may mean: the same id in another schema, or nearly the same id."""
    same = [graph.number(name, external) for name in graph.schemas if external in graph.externals(name)]
    close = []
    for definition in graph.definitions(schema) or graph.schemas:
        ids = list(islice(graph.externals(definition), SEARCHED))
        likely = [seen for seen in ids if find_likeness(external, seen)]
        likely += get_close_matches(external, ids, n=count, cutoff=0.8)
        close += [graph.number(definition, seen) for seen in likely]
    return list(dict.fromkeys(same + close))[:count]
