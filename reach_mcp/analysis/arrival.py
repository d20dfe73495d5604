"""Arrival: a row clears when everything it lists has arrived; a key arrives as soon as one of its rows clears."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from reach_mcp.analysis.graph import DependencyGraph


class Arrival:
    """Which rows clear as keys arrive, one sending after another.

    `sent` arrives at the start; with it clear the rows that list nothing, and what follows: they wait for nobody.
    `round_of` is the round in which a key arrived (0: sent), -1 before that; `left` is how many keys a row waits for.
    """

    def __init__(self, graph: DependencyGraph, sent: Iterable[int] = ()) -> None:
        self._graph = graph
        self.left = graph.listed[:]
        self.round_of = array("i", [-1]) * graph.keys
        self._bears = graph.row_key
        self.listing_nothing = graph.listing_nothing
        self.first_rounds = self._advance(list(sent), self.listing_nothing)

    def send(self, keys: Iterable[int]) -> list[list[int]]:
        """Let keys arrive; returns the rows that clear in turn, round by round."""
        return self._advance([key for key in keys if self.round_of[key] < 0], [])

    def _advance(self, now: list[int], at_once: list[int]) -> list[list[int]]:
        graph, left, round_of, bears = self._graph, self.left, self.round_of, self._bears
        start, listing = graph.listing_start, graph.listing_rows
        rounds: list[list[int]] = []
        for key in now:
            round_of[key] = 0
        while now or at_once:
            cleared = list(at_once)
            for key in now:
                for row in listing[start[key] : start[key + 1]]:
                    left[row] -= 1
                    if not left[row]:
                        cleared.append(row)
            rounds.append(cleared)
            now = []
            at_once = []
            for key in [bears[row] for row in cleared]:
                if round_of[key] < 0:
                    round_of[key] = len(rounds)
                    now.append(key)
        return rounds[:-1] if rounds and not rounds[-1] else rounds

    def gain(self, key: int) -> int:
        """How many more rows would clear if this key arrived now; nothing changes."""
        graph, left, round_of, bears = self._graph, self.left, self.round_of, self._bears
        bears_link = graph.bears_link
        clearing = [row for row in graph.listing(key) if left[row] == 1]
        cleared = len(clearing)
        queue = [bears[row] for row in clearing if bears_link[row]]
        arrived, counted = {key}, set[int]()
        while queue:
            above = queue.pop()
            if above in arrived or round_of[above] >= 0:
                continue
            arrived.add(above)
            for row in graph.listing(above):
                if row not in counted and all(dep in arrived or round_of[dep] >= 0 for dep in graph.missing(row)):
                    counted.add(row)
                    queue.append(bears[row])
        return cleared + len(counted)

    def find_outdated(self, sent: int, cleared: Sequence[int], most: int) -> set[int] | None:
        """Root blockers whose gain may differ since a key was sent and rows cleared; None when they are too many.

        Those below rows that now wait for fewer keys, and below other rows of keys that have arrived.
        """
        graph, left, round_of, bears = self._graph, self.left, self.round_of, self._bears
        arrived = {sent, *(bears[row] for row in cleared if graph.bears_link[row])}
        seeds = {row for key in arrived for row in graph.listing(key) if left[row]}
        seeds.update(row for key in arrived & graph.borne_twice for row in graph.bearers(key) if left[row])
        queue, seen, roots = list(seeds), set[int](), set[int]()
        while queue:
            for dep in graph.missing(queue.pop()):
                if round_of[dep] >= 0 or dep in seen:
                    continue
                seen.add(dep)
                if graph.is_pending[dep]:
                    queue += [row for row in graph.bearers(dep) if left[row]]
                else:
                    roots.add(dep)
            if len(seen) > most:
                return None
        return roots
