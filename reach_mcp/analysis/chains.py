"""How deep rows wait, and one longest chain."""

from __future__ import annotations

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.results import Chains
from reach_mcp.analysis.simulation import Clearance

MAX_RECORDS = 20
"""Records of a chain that are named."""


def describe_chains(graph: DependencyGraph, clearance: Clearance, selection: Selection = None) -> Chains:
    """Count the selected rows that clear by depth, and trace the deepest of them down to a missing record.

    A row's depth is the round in which it clears when every root blocker arrives.
    """
    by_depth: list[tuple[int, int]] = []
    deepest: list[int] = []
    for depth, rows in enumerate(clearance.rounds, 1):
        counted = rows if selection is None else [row for row in rows if selection[row]]
        if counted:
            by_depth.append((depth, len(counted)))
            deepest = counted
    chain = _trace(graph, clearance, deepest) if deepest else []
    return Chains(
        by_depth=tuple(by_depth),
        longest=graph.snapshot.records(chain[:MAX_RECORDS]),
        longest_steps=max(0, len(chain) - 1),
    )


def _trace(graph: DependencyGraph, clearance: Clearance, rows: list[int]) -> list[int]:
    """Keys from the first (by identity) of some rows down: at each step the key that arrives last."""
    keys, key_of = graph.snapshot.keys, graph.key_of
    first = min((key_of[row] for row in rows), key=keys.__getitem__)
    row = min(
        (row for row in rows if key_of[row] == first),
        key=lambda row: sorted(map(keys.__getitem__, graph.missing[row])),
    )
    chain = [first]
    while graph.missing[row]:
        key = min(graph.missing[row], key=lambda key: (-clearance.round_of.get(key, 0), keys[key]))
        chain.append(key)
        if key not in clearance.first_row:
            break
        row = _first_to_clear(graph, clearance, key)
    return chain


def _first_to_clear(graph: DependencyGraph, clearance: Clearance, key: int) -> int:
    """The row of a link that clears first; of several in one round, the first by the identity of all that it lists."""
    keys, round_of = graph.snapshot.keys, clearance.round_of
    first = clearance.first_row[key]
    latest = max((round_of.get(below, 0) for below in graph.missing[first]), default=0)
    arrived = [
        row
        for row in graph.rows_of(key)
        if not clearance.is_stuck(row)
        and max((round_of.get(one, 0) for one in graph.missing[row]), default=0) == latest
    ]
    return min(arrived, key=lambda row: sorted(map(keys.__getitem__, graph.missing[row])))
