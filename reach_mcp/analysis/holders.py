"""Which root blockers hold the rows that are deleted first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from reach_mcp.analysis.chains import Structure, find_end
from reach_mcp.analysis.expiry import HOUR, Expiry
from reach_mcp.analysis.graph import DependencyGraph, Numbers

NAMED = 3
"""Most root blockers named for one hour."""


def name_holders(
    graph: DependencyGraph,
    structure: Structure,
    expiry: Expiry,
    hour_of: Numbers,
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
    ends: dict[int, int] = {}
    waiting = dict(known)
    named = []
    for hour in expiry.hours[:hours]:
        place = round((hour.start - now) / HOUR)
        likely = _count_ends(graph, structure, np.flatnonzero(hour_of == place).astype(np.int32), ends)
        for key in sorted(likely, key=lambda key: (-likely[key], graph.key(key)))[:NAMED]:
            if key not in waiting:
                waiting[key] = count_hours(hour_of, graph.waiting([key]))
        holders = [(key, counts[place]) for key, counts in waiting.items() if counts[place]]
        holders.sort(key=lambda holder: (-holder[1], graph.key(holder[0])))
        named.append(replace(hour, held_by=tuple(holders[:NAMED])))
    return replace(expiry, hours=(*named, *expiry.hours[len(named) :]))


def count_hours(hour_of: Numbers, rows: Numbers) -> Counter[int]:
    """How many of some rows are deleted in which hour."""
    hours, counts = np.unique(hour_of[rows], return_counts=True)
    return Counter(dict(zip(hours.tolist(), counts.tolist(), strict=True)))


def _count_ends(graph: DependencyGraph, structure: Structure, rows: Numbers, ends: dict[int, int]) -> Counter[int]:
    """How many of some rows list each root blocker or, listing none, have it at the end of their chain."""
    pending = graph.is_pending
    listed = graph.missing.of(rows)
    counts = Counter(listed[~pending[listed]].tolist())
    widths = graph.listed[rows]
    of_root = np.repeat(rows, widths)[~pending[listed]]
    for row in np.setdiff1d(rows[structure.arrival.left[rows] == 0], of_root).tolist():
        end = find_end(graph, structure, row, ends)
        if not pending[end]:  # a chain may end at a row that lists nothing
            counts[end] += 1
    return counts
