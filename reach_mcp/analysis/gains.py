"""The marginal gain of every root blocker, kept up to date while records are sent one after another.

A root *owns* a row when the row clears if that root alone arrives, after all that was sent before, and a key when it
owns one of its rows: a row whose remaining keys all have one owner belongs to it. Where a record is pending in several
rows, only the first owner found is kept, and so are gains through rows that wait for very many keys: a gain here can be
too low, and `send` returns the exact one.
"""

from __future__ import annotations

from collections.abc import Iterable

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.simulation import Arrival, count_selected

MAX_REMAINING = 8
"""A row that waits for more keys is owned by no root."""


class Gains:
    """Gains of candidates in selected rows. Only candidates may be sent."""

    def __init__(
        self,
        graph: DependencyGraph,
        candidates: Iterable[int],
        arrival: Arrival,
        rows: Iterable[int],
        selection: Selection = None,
    ) -> None:
        """
        Args:
            candidates: root blockers.
            arrival: what has arrived before. It is continued.
            rows: the rows that clear in the end, in the order in which they do.
        """
        self._graph = graph
        self._selection = selection
        self.arrival = arrival
        self.gain = {root: 0 for root in candidates if not arrival.arrived[root]}
        """Candidates not sent yet to their gain."""
        self.changed: set[int] = set()
        """Candidates whose gain has changed since the caller last cleared this set."""
        self._owner = {root: root for root in self.gain}
        self._owner_of_row: dict[int, int] = {}
        for row in rows:
            if arrival.remaining[row]:
                self._own(row)

    def remaining_keys(self, row: int) -> list[int]:
        """Keys that a row still waits for."""
        return [key for key in self._graph.missing[row] if not self.arrival.arrived[key]]

    def send(self, root: int) -> int:
        """Let a candidate arrive. Returns the number of selected rows that clear."""
        del self.gain[root]
        rounds = self.arrival.send([root])
        for row in (row for rows in rounds for row in rows):
            self._count(row, self._owner_of_row.pop(row, root), -1)
        touched = dict.fromkeys(row for key in self.arrival.new_keys for row in self._graph.waits_on(key))
        work = [row for row in touched if self.arrival.remaining[row]]
        while work:
            work += self._own(work.pop())
        return count_selected(rounds, self._selection)

    def _own(self, row: int) -> list[int]:
        """Note the root that owns a row, if one does. Returns the rows that it may own through this row."""
        if self.arrival.remaining[row] > MAX_REMAINING or row in self._owner_of_row:
            return []
        owners = {self._owner.get(key, -1) for key in self.remaining_keys(row)}
        root = owners.pop()
        if owners or root not in self.gain:
            return []
        self._owner_of_row[row] = root
        self._count(row, root, 1)
        key = self._graph.key_of[row]
        if key not in self._graph.links or key in self._owner:
            return []
        self._owner[key] = root
        return [above for above in self._graph.waits_on(key) if self.arrival.remaining[above]]

    def _count(self, row: int, root: int, change: int) -> None:
        if root in self.gain:
            self.gain[root] += change if self._selection is None else change * self._selection[row]
            self.changed.add(root)
