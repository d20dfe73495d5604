"""Let records arrive and see which rows clear.

A row clears when all that it lists has arrived; a key arrives when one of its rows clears. A row that lists nothing
clears by itself, whatever arrives, and so do the rows that wait for such rows alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import chain

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop


class Arrival:
    """The state after some records have arrived: `remaining` keys of each row, keys that have `arrived`."""

    def __init__(self, graph: DependencyGraph, *, checkpoint: Checkpoint = never_stop) -> None:
        self._graph = graph
        self._checkpoint = checkpoint
        self.remaining = list(map(len, graph.missing))
        """Keys that each row still waits for."""
        self.arrived = bytearray(len(graph.pending))
        """1 for each key that has arrived."""
        self.new_keys: list[int] = []
        """Keys that arrived in the last `send`, in the order of their arrival."""
        self.by_itself = list(graph.lists_nothing)
        """Rows that clear before anything is sent."""
        for rows in self._follow(self._arrive(self.by_itself)):
            self.by_itself += rows

    def send(self, keys: Iterable[int]) -> list[list[int]]:
        """Let keys arrive together. Returns the rows that clear, round by round."""
        new = [key for key in dict.fromkeys(keys) if not self.arrived[key]]
        for key in new:
            self.arrived[key] = 1
        return self._follow(new)

    def _follow(self, keys: list[int]) -> list[list[int]]:
        rounds = []
        self.new_keys = list(keys)
        while keys:
            cleared = self._clear(keys)
            keys = self._arrive(cleared)
            self.new_keys += keys
            if cleared:
                rounds.append(cleared)
        return rounds

    def _clear(self, keys: list[int]) -> list[int]:
        """The rows that list one of these keys and now wait for nothing."""
        listed_by, remaining, cleared = self._graph.listed_by, self.remaining, []
        for number, key in enumerate(keys):
            if not number % STEPS:
                self._checkpoint()
            for row in listed_by.get(key, ()):
                remaining[row] -= 1
                if not remaining[row]:
                    cleared.append(row)
        return cleared

    def _arrive(self, rows: list[int]) -> list[int]:
        """The links that arrive with these rows."""
        arrived, key_of, links, keys = self.arrived, self._graph.key_of, self._graph.links, []
        for row in rows:
            key = key_of[row]
            if key in links and not arrived[key]:
                arrived[key] = 1
                keys.append(key)
        return keys

    def undo(self) -> None:
        """Take the last `send` back."""
        for key in self.new_keys:
            self.arrived[key] = 0
            for row in self._graph.listed_by.get(key, ()):
                self.remaining[row] += 1
        self.new_keys = []


class Clearance:
    """What clears, and in which round, when every root blocker arrives."""

    def __init__(self, graph: DependencyGraph, *, checkpoint: Checkpoint = never_stop) -> None:
        self._graph = graph
        self._arrival = Arrival(graph, checkpoint=checkpoint)
        self.by_itself = self._arrival.by_itself
        """Rows that clear whatever arrives; those that list nothing among them. They are in no round."""
        self.rounds = self._arrival.send(graph.roots)
        """Rows by round."""

    @cached_property
    def round_of(self) -> dict[int, int]:
        """Link to the round in which it arrives, for those that do; 0 for those that arrive by themselves."""
        key_of, links = self._graph.key_of, self._graph.links
        found: dict[int, int] = {}
        for number, rows in enumerate((self.by_itself, *self.rounds)):
            for row in rows:
                if key_of[row] in links:
                    found.setdefault(key_of[row], number)
        return found

    @cached_property
    def stuck(self) -> list[int]:
        """Live rows that do not clear, ascending."""
        remaining = self._arrival.remaining
        return [row for row in self._graph.live if remaining[row]]

    def is_stuck(self, row: int) -> bool:
        """Whether a live row does not clear."""
        return self._arrival.remaining[row] > 0

    def count_stuck(self, rows: Iterable[int]) -> int:
        """How many of some live rows do not clear."""
        return sum(map(self.is_stuck, rows)) if self.stuck else 0

    def arrives(self, link: int) -> bool:
        """Whether a link arrives."""
        return bool(self._arrival.arrived[link])


def count_selected(rounds: Iterable[list[int]], selection: Selection) -> int:
    """Count the selected rows of some rounds."""
    if selection is None:
        return sum(map(len, rounds))
    return sum(map(selection.__getitem__, chain.from_iterable(rounds)))
