"""Let records arrive and see which rows clear.

A row clears when all that it lists has arrived; a key arrives when one of its rows clears. A row that lists nothing
clears by itself, whatever arrives, and so do the rows that wait for such rows alone.
"""

from __future__ import annotations

from collections import Counter
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
        """Keys that arrived in the last `send`."""
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
        """The keys that arrive with these rows."""
        arrived, key_of, keys = self.arrived, self._graph.key_of, []
        for row in rows:
            if not arrived[key_of[row]]:
                arrived[key_of[row]] = 1
                keys.append(key_of[row])
        return keys

    def undo(self) -> None:
        """Take the last `send` back."""
        for key in self.new_keys:
            self.arrived[key] = 0
            for row in self._graph.listed_by.get(key, ()):
                self.remaining[row] += 1
        self.new_keys = []


class Clearance:
    """What clears, and in which round, when every root blocker arrives.

    Only links can hold a row then, so only they are counted.
    """

    def __init__(self, graph: DependencyGraph, *, checkpoint: Checkpoint = never_stop) -> None:
        self._graph = graph
        self._checkpoint = checkpoint
        self._waits: dict[int, int] = dict(Counter(chain.from_iterable(graph.listed_by[key] for key in graph.links)))
        """Row to the links that it still waits for; rows that wait for none are absent."""
        self.by_itself = Arrival(graph, checkpoint=checkpoint).by_itself if graph.lists_nothing else []
        """Rows that clear whatever arrives; those that list nothing among them. They are in no round."""
        self.round_of: dict[int, int] = {}
        """Link to the round in which it arrives, for those that do."""
        self.first_row: dict[int, int] = {}
        """Link that arrives to its row that clears first."""
        self._follow(self._arrive(self.by_itself, 0))
        by_itself = set(self.by_itself)
        rows = [row for row in graph.live if row not in self._waits and row not in by_itself]
        self.rounds: list[list[int]] = []
        """Rows by round."""
        while rows:
            self.rounds.append(rows)
            rows = self._follow(self._arrive(rows, len(self.rounds)))

    def _arrive(self, rows: list[int], number: int) -> list[int]:
        """The links that arrive with the rows of a round."""
        key_of, is_link, round_of, keys = self._graph.key_of, self._graph.is_link, self.round_of, []
        for row in rows:
            key = key_of[row]
            if key not in round_of and is_link(key):
                round_of[key] = number
                self.first_row[key] = row
                keys.append(key)
        return keys

    def _follow(self, keys: list[int]) -> list[int]:
        """The rows that clear once these links have arrived."""
        listed_by, waits, cleared = self._graph.listed_by, self._waits, []
        for number, key in enumerate(keys):
            if not number % STEPS:
                self._checkpoint()
            for row in listed_by[key]:
                if waits[row] > 1:
                    waits[row] -= 1
                else:
                    del waits[row]
                    cleared.append(row)
        return cleared

    @cached_property
    def stuck(self) -> list[int]:
        """Live rows that do not clear, ascending."""
        return sorted(self._waits)

    def is_stuck(self, row: int) -> bool:
        """Whether a live row does not clear."""
        return row in self._waits

    def count_stuck(self, rows: Iterable[int]) -> int:
        """How many of some live rows do not clear."""
        return sum(map(self._waits.__contains__, rows))

    def arrives(self, link: int) -> bool:
        """Whether a link arrives."""
        return link in self.round_of


def count_frees(arrival: Arrival, keys: Iterable[int], selection: Selection = None) -> dict[int, int]:
    """Count, for each key, the selected rows that clear in turn if it alone arrives. The arrival is left unchanged."""
    frees = {}
    for key in keys:
        frees[key] = count_selected(arrival.send([key]), selection)
        arrival.undo()
    return frees


def count_selected(rounds: Iterable[list[int]], selection: Selection) -> int:
    """Count the selected rows of some rounds."""
    if selection is None:
        return sum(map(len, rounds))
    return sum(selection[row] for rows in rounds for row in rows)
