"""How deep rows wait, and one longest chain."""

from __future__ import annotations

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.keys import Key
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
    keys, round_of = graph.snapshot.keys, clearance.round_of

    def identity(row: int) -> tuple[Key, list[Key]]:
        return keys[graph.key_of[row]], sorted(map(keys.__getitem__, graph.missing[row]))

    def depth(row: int) -> int:
        return 1 + max(round_of.get(key, 0) for key in graph.missing[row])

    row = min(rows, key=identity)
    chain = [graph.key_of[row]]
    while True:
        key = min(graph.missing[row], key=lambda key: (-round_of.get(key, 0), key in round_of, keys[key]))
        chain.append(key)
        if not round_of.get(key):
            return chain
        first = [row for row in graph.rows_of(key) if not clearance.is_stuck(row) and graph.missing[row]]
        row = min((row for row in first if depth(row) == round_of[key]), key=identity)
