"""Which root blockers hold the rows that are deleted first."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reach_mcp.analysis.chains import Structure, find_end
from reach_mcp.analysis.expiry import HOUR, Expiry
from reach_mcp.analysis.graph import DependencyGraph

NAMED = 3
"""Most root blockers named for one hour."""


def name_holders(
    graph: DependencyGraph,
    structure: Structure,
    expiry: Expiry,
    hour_of: array[int],
    *,
    now: float,
    hours: int,
    known: Mapping[int, Counter[int]],
) -> Expiry:
    """The first `hours` hours in which rows are deleted, with root blockers that hold them.

    `known` says for some of them how many rows wait in which hour, as `hour_of` numbers it.

    How many rows of an hour wait for a blocker is exact. Which ones are named is a choice among those that the rows of
    the hour list themselves, those at the ends of the other rows' chains, and the known ones: to count all of them
    would take a walk of the graph for each.
    """
    places = {round((hour.start - now) / HOUR): hour for hour in expiry.hours[:hours]}
    rows_of: dict[int, list[int]] = {place: [] for place in places}
    for row, place in enumerate(hour_of):
        if place in rows_of:
            rows_of[place].append(row)
    ends: dict[int, int] = {}
    waiting = dict(known)
    named = []
    for place, hour in places.items():
        likely = _count_ends(graph, structure, rows_of[place], ends)
        for key in sorted(likely, key=lambda key: (-likely[key], graph.key(key)))[:NAMED]:
            if key not in waiting:
                waiting[key] = count_hours(hour_of, graph.waiting([key]))
        holders = [(key, counts[place]) for key, counts in waiting.items() if counts[place]]
        holders.sort(key=lambda holder: (-holder[1], graph.key(holder[0])))
        named.append(replace(hour, held_by=tuple(holders[:NAMED])))
    return replace(expiry, hours=(*named, *expiry.hours[len(named) :]))


def count_hours(hour_of: array[int], rows: Iterable[int]) -> Counter[int]:
    """How many of some rows are deleted in which hour."""
    return Counter(map(hour_of.__getitem__, rows))


def _count_ends(
    graph: DependencyGraph, structure: Structure, rows: Sequence[int], ends: dict[int, int]
) -> Counter[int]:
    """How many of some rows list each root blocker or, listing none, have it at the end of their chain."""
    pending = graph.is_pending
    counts: Counter[int] = Counter()
    for row in rows:
        roots = [key for key in graph.missing(row) if not pending[key]]
        if not roots and row not in structure.stuck:
            end = find_end(graph, structure, row, ends)
            roots = [] if pending[end] else [end]  # a chain may end at a row that lists nothing
        counts.update(roots)
    return counts
