"""Arrival: a row clears when everything it lists has arrived; a key arrives as soon as one of its rows clears."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from reach_mcp.analysis.graph import DependencyGraph, Numbers, distinct

WIDE = 200
"""So many at once are worked off by column; fewer cost less one by one, and a deep chain has one in each round."""

Rows = Sequence[int] | Numbers


class Arrival:
    """Which rows clear as keys arrive, one sending after another.

    `sent` arrives at the start; with it clear the rows that list nothing, and what follows: they wait for nobody.
    `round_of` is the round in which a key arrived (0: sent), -1 before that; `left` is how many keys a row waits for.
    """

    def __init__(self, graph: DependencyGraph, sent: Iterable[int] = (), *, wide: int = WIDE) -> None:
        self._graph = graph
        self._wide = wide
        self.left: Numbers = graph.listed.copy()
        self.round_of: Numbers = np.full(graph.keys, -1, np.int32)
        # One by one, memory is looked at three times as fast without numpy in between.
        self._left, self._round_of = self.left.data, self.round_of.data
        self._bears_link = graph.bears_link.data
        self.first_rounds = self._advance(list(sent), np.flatnonzero(self.left == 0).astype(np.int32))

    def send(self, keys: Iterable[int]) -> list[Rows]:
        """Let keys arrive; returns the rows that clear in turn, round by round."""
        return self._advance([key for key in keys if self._round_of[key] < 0])

    def _advance(self, now: list[int], at_once: Numbers | None = None) -> list[Rows]:
        """Let keys arrive; `at_once` clears in the first round whatever arrives."""
        rounds: list[Rows] = []
        self.round_of[now] = 0
        cleared = self._clear(now)
        if at_once is not None and len(at_once):
            cleared = np.append(at_once, np.array(cleared, np.int32))
        while len(cleared):
            rounds.append(cleared)
            cleared = self._clear(self._arrive(cleared, len(rounds)))
        return rounds

    def _clear(self, keys: list[int]) -> Rows:
        """Rows that wait for nothing more once some keys have arrived."""
        if len(keys) >= self._wide:
            rows = self._graph.listing.of(np.array(keys, np.int32))
            np.subtract.at(self.left, rows, 1)
            return distinct(rows[self.left[rows] == 0], self._graph.rows)
        left, cleared = self._left, []
        for key in keys:
            for row in self._graph.listing(key):
                left[row] -= 1
                if not left[row]:
                    cleared.append(row)
        return cleared

    def _arrive(self, cleared: Rows, number: int) -> list[int]:
        """The keys of cleared rows arrive; returns those that others wait for."""
        links = []
        if len(cleared) >= self._wide:
            keys = distinct(self._graph.row_key[cleared], self._graph.keys)
            keys = keys[self.round_of[keys] < 0]
            self.round_of[keys] = number
            links = keys[self._graph.is_link[keys]].tolist()
        else:
            for row in cleared:
                key = self._graph.bears[row]
                if self._round_of[key] < 0:
                    self._round_of[key] = number
                    if self._bears_link[row]:
                        links.append(key)
        return links

    def gain(self, key: int) -> int:
        """How many more rows would clear if this key arrived now; nothing changes."""
        graph, left = self._graph, self._left
        rows = graph.listing.column(key)
        clearing = rows[self.left[rows] == 1]
        links = graph.row_key[clearing[graph.bears_link[clearing]]]
        queue: list[int] = links[self.round_of[links] < 0].tolist()
        if not queue:
            return len(clearing)
        cleared, arrived = len(clearing), {key}
        fewer = np.zeros(graph.rows, np.int32)
        fewer[rows] = 1
        came = fewer.data
        while queue:
            above = queue.pop()
            if above in arrived or self._round_of[above] >= 0:
                continue
            arrived.add(above)
            for row in graph.listing(above):
                came[row] += 1
                if came[row] == left[row]:
                    cleared += 1
                    if self._bears_link[row]:
                        queue.append(graph.bears[row])
        return cleared

    def find_outdated(self, sent: int, cleared: Iterable[int], most: int) -> set[int] | None:
        """Root blockers whose gain may differ since a key was sent and rows cleared; None when they are too many.

        Those below rows that now wait for fewer keys, and below other rows of keys that have arrived.
        """
        graph = self._graph
        links = [graph.bears[row] for row in cleared if self._bears_link[row]]
        arrived = np.array([sent, *links], np.int32)
        rows = np.append(graph.listing.of(arrived), graph.bearers.of(arrived))
        keys = distinct(graph.missing.of(rows[self.left[rows] > 0]), graph.keys)
        queue: list[int] = keys[self.round_of[keys] < 0].tolist()
        seen, roots = set(queue), set[int]()
        for key in queue:  # it grows meanwhile
            if not graph.is_pending[key]:
                roots.add(key)
            for row in graph.bearers(key):
                new = [dep for dep in graph.missing(row) if self._round_of[dep] < 0 and dep not in seen]
                seen.update(new)
                queue += new
            if len(seen) > most:
                return None
        return roots
