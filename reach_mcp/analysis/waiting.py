"""How many rows wait for each key, exactly, for all keys at once."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.stop import Checkpoint, never_stop


@dataclass(frozen=True)
class Waiting:
    """Counts by key, over the rows that were selected. A key for which no such row waits is absent."""

    counts: dict[int, int]
    """Rows that wait for the key directly or through others, each once."""
    earliest: dict[int, float]
    """Earliest readable expiry among these rows; infinity where none is readable."""


def count_waiting(
    graph: DependencyGraph, selection: Selection = None, *, checkpoint: Checkpoint = never_stop
) -> Waiting:
    """Count, for every key that live rows list, the selected rows that wait for it, and find their earliest expiry."""
    counts = graph.propagation.count(graph.selected_lists(selection), checkpoint=checkpoint)
    checkpoint()
    expires = graph.expires
    if selection is None:
        earliest = {key: min([expires[row] for row in rows]) for key, rows in graph.listed_by.items()}
    else:
        earliest = {
            key: min((expires[row] for row in rows if selection[row]), default=inf)
            for key, rows in graph.listed_by.items()
        }
    graph.propagation.pass_down_earliest(earliest)
    return Waiting(counts, earliest)
