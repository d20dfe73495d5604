"""The exact marginal gain of every root blocker, kept up to date while records are sent one after another.

A root *frees* a row when the row clears if that root alone arrives, after all that was sent before; it frees a key when
it frees one of its rows. A row is freed by the roots that free every key it still waits for. Each pair of a root and a
row is met once, so all steps of a plan together cost about one pass over the graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.simulation import Arrival
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop


class Gains:
    """Marginal gains of candidates, in selected rows, after what has arrived. Only candidates may be sent."""

    def __init__(
        self,
        graph: DependencyGraph,
        candidates: Iterable[int],
        arrival: Arrival,
        *,
        selection: Selection = None,
        checkpoint: Checkpoint = never_stop,
    ) -> None:
        """
        Args:
            candidates: root blockers.
            arrival: what has arrived before. It is not changed.
            selection: the rows that count as gain.
        """
        self._graph = graph
        self._selection = selection
        self._checkpoint = checkpoint
        self._steps = 0
        self._remaining = list(arrival.remaining)
        self._arrived = bytearray(arrival.arrived)
        self._freeing: defaultdict[int, set[int]] = defaultdict(set)
        """Key to the roots that free it."""
        self._met: defaultdict[int, int] = defaultdict(int)
        """A row and a root, as one number, to how many remaining keys of the row are freed by the root."""
        self._pairs: set[int] = set()
        """A row and a root, as one number, where the root frees the row."""
        self._freed_by: defaultdict[int, list[int]] = defaultdict(list)
        """Row to the roots that free it."""
        self._freed: defaultdict[int, list[int]] = defaultdict(list)
        """Root to the rows that it frees; some may have cleared with another root."""
        self._watched: dict[int, int] = {}
        """Row to the place, in its list, before which all keys have arrived."""
        self.gain = {root: 0 for root in candidates if not self._arrived[root]}
        """Candidates not sent yet to their gain."""
        self.changed: set[int] = set()
        """Roots whose gain has changed since the caller last cleared this set."""
        for root in self.gain:
            self._free_key(root, root)
        self.changed.clear()

    def waits(self, row: int) -> bool:
        """Whether a row has not cleared."""
        return self._remaining[row] > 0

    def remaining_keys(self, row: int) -> list[int]:
        """Keys that a row still waits for."""
        return [key for key in self._graph.missing[row] if not self._arrived[key]]

    def send(self, root: int) -> None:
        """Let a candidate arrive."""
        self._tick()
        del self.gain[root]
        cleared = [row for row in self._freed.pop(root, ()) if self._remaining[row]]
        keys = [root]
        self._arrived[root] = 1
        for row in cleared:
            self._remaining[row] = 0
            self._uncount(row, root)
            own = self._graph.key_of[row]
            if not self._arrived[own]:
                self._arrived[own] = 1
                keys.append(own)
        touched = dict.fromkeys(row for key in keys for row in self._settle(key))
        for row in touched:
            self._check(row)

    def _uncount(self, row: int, sent: int) -> None:
        """Take a row that clears out of the gains of the other roots that free it."""
        for root in self._freed_by.pop(row):
            if root != sent:
                self._count(row, root, -1)

    def _settle(self, key: int) -> Sequence[int]:
        """Take a key that has arrived out of what rows wait for. Returns the rows that list it and still wait."""
        freeing = self._freeing.pop(key, ())
        waiting = [row for row in self._graph.waits_on(key) if self._remaining[row]]
        for row in waiting:
            self._remaining[row] -= 1
            for root in freeing:
                self._met[row * len(self._arrived) + root] -= 1
        return waiting

    def _check(self, row: int) -> None:
        """Find the roots that free a row now that it waits for fewer keys."""
        remaining, first = self._remaining[row], row * len(self._arrived)
        for root in tuple(self._freeing.get(self._watch(row), ())):
            if (remaining == 1 or self._met[first + root] == remaining) and first + root not in self._pairs:
                self._free_row(row, root)

    def _watch(self, row: int) -> int:
        """The first key in the row's list that has not arrived."""
        missing, place = self._graph.missing[row], self._watched.get(row, 0)
        while self._arrived[missing[place]]:
            place += 1
        self._watched[row] = place
        return missing[place]

    def _free_row(self, row: int, root: int) -> None:
        """Note that a root frees a row, and all that follows."""
        key = self._note(row, root)
        if key >= 0:
            self._free_key(key, root)

    def _note(self, row: int, root: int) -> int:
        """Note that a root frees a row. Returns the row's key if the root frees it first by this row, else -1."""
        self._freed[root].append(row)
        self._freed_by[row].append(root)
        self._pairs.add(row * len(self._arrived) + root)
        self._count(row, root, 1)
        key = self._graph.key_of[row]
        is_new = self._graph.is_link(key) and not self._arrived[key] and root not in self._freeing[key]
        return key if is_new else -1

    def _free_key(self, key: int, root: int) -> None:
        """Note that a root frees a key, and all that follows, without recursion."""
        met, remaining, size = self._met, self._remaining, len(self._arrived)
        self._freeing[key].add(root)
        work = [key]
        while work:
            for row in self._graph.waits_on(work.pop()):
                self._tick()
                left = remaining[row]
                pair = row * size + root
                if left > 1:
                    met[pair] += 1
                if left and (left == 1 or met[pair] == left) and pair not in self._pairs:
                    above = self._note(row, root)
                    if above >= 0:
                        self._freeing[above].add(root)
                        work.append(above)

    def _tick(self) -> None:
        self._steps += 1
        if not self._steps % STEPS:
            self._checkpoint()

    def _count(self, row: int, root: int, change: int) -> None:
        self.gain[root] += change if self._selection is None else change * self._selection[row]
        self.changed.add(root)
