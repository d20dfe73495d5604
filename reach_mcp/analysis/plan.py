"""What to send, in which order: one list over all root blockers, best first.

By default the list starts with the records that clear most rows together, as many as the caller wants to see (at most
`MAX_TOGETHER`), and goes on with the highest marginal gain at each step. By urgency it goes by the earliest expiry
among the rows that wait for a record. Each gain is exact: the selected rows that clear when the record arrives after
those before it.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, groupby
from typing import NamedTuple

from reach_mcp.analysis.blockers import RankedRoot
from reach_mcp.analysis.bundles import choose_best
from reach_mcp.analysis.gains import Gains
from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.requirements import RequirementFinder
from reach_mcp.analysis.results import Order
from reach_mcp.analysis.simulation import Arrival, Clearance, count_selected
from reach_mcp.analysis.stop import Checkpoint, never_stop

MAX_TOGETHER = 10
"""Records that are chosen together at the start of the list."""

FIRST_CANDIDATES = 256
MAX_CANDIDATES = 2048
"""Root blockers, from the most waited for, among which these are chosen: so many at first, and at most."""


class Step(NamedTuple):
    """A root blocker, and the selected rows that clear when it arrives after those before it."""

    key: int
    gain: int


def plan(
    graph: DependencyGraph,
    ranked: Sequence[RankedRoot],
    *,
    first: int = 5,
    order: Order = "waiting",
    selection: Selection = None,
    clearance: Clearance | None = None,
    checkpoint: Checkpoint = never_stop,
) -> Iterator[Step]:
    """Yield every root blocker of `ranked`, best first. Later steps cost nothing until they are taken.

    Args:
        ranked: the candidates, as `rank` orders them; roots left out are never sent.
        first: how many records the caller will show first: these are chosen together.
        order: `expiry` for urgency; both others mean gain.
        clearance: `Clearance(graph)`, where the caller has it.
    """
    planner = _Planner(graph, ranked, selection, checkpoint)
    if order == "expiry":
        return planner.by_expiry()
    return planner.by_gain(first, clearance or Clearance(graph, checkpoint=checkpoint))


class _Planner:
    def __init__(
        self, graph: DependencyGraph, ranked: Sequence[RankedRoot], selection: Selection, checkpoint: Checkpoint
    ) -> None:
        self._graph = graph
        self._ranked = ranked
        self._selection = selection
        self._checkpoint = checkpoint

    def by_expiry(self) -> Iterator[Step]:
        places = {root.key: place for place, root in enumerate(self._ranked)}
        gains = self._gains(Arrival(self._graph, checkpoint=self._checkpoint))
        urgent = sorted(self._ranked, key=lambda root: (root.earliest, places[root.key]))
        for _, group in groupby(urgent, key=lambda root: root.earliest):
            yield from _Greedy(gains, {root.key: places[root.key] for root in group}).steps()

    def by_gain(self, first: int, clearance: Clearance) -> Iterator[Step]:
        arrival = Arrival(self._graph, checkpoint=self._checkpoint)
        for key in self._choose(min(first, MAX_TOGETHER), arrival, clearance):
            yield Step(key, count_selected(arrival.send([key]), self._selection))
        places = {root.key: place for place, root in enumerate(self._ranked)}
        gains = self._gains(arrival)
        bundles = _Bundles(self._graph, gains, clearance, self._selection)
        yield from _Greedy(gains, {key: places[key] for key in gains.gain}, bundles).steps()

    def _gains(self, arrival: Arrival) -> Gains:
        keys = [root.key for root in self._ranked]
        return Gains(self._graph, keys, arrival, selection=self._selection, checkpoint=self._checkpoint)

    def _choose(self, size: int, arrival: Arrival, clearance: Clearance) -> list[int]:
        """Choose the records that clear most rows together, among as many as can matter of those most waited for."""
        ranked = sorted(self._ranked, key=lambda root: -root.waiting)
        finder = RequirementFinder(self._graph, clearance, arrival, size, self._checkpoint)
        lists = self._graph.selected_lists(self._selection)
        tried = FIRST_CANDIDATES
        while True:
            weights = finder.weigh(lists, [root.key for root in ranked[:tried]])
            chosen = choose_best(weights, size, checkpoint=self._checkpoint)
            least = min((gain for _, gain in chosen), default=0) if len(chosen) == size else 0
            if tried >= min(len(ranked), MAX_CANDIDATES) or ranked[tried].waiting <= least:
                return [ranked[place].key for place, _ in chosen]
            tried = MAX_CANDIDATES


class _Greedy:
    """Take the candidate with the highest gain, again and again; of those that tie, the first in rank."""

    def __init__(self, gains: Gains, places: Mapping[int, int], bundles: _Bundles | None = None) -> None:
        self._gains = gains
        self._places = places
        self._bundles = bundles
        self._heap = [(-gains.gain[key], place, key) for key, place in places.items()]
        heapq.heapify(self._heap)

    def steps(self) -> Iterator[Step]:
        gain = self._gains.gain
        while self._heap:
            negative, _, key = heapq.heappop(self._heap)
            if key not in gain or gain[key] != -negative:
                continue  # sent, or stands in the heap again with its present gain
            bundle = self._bundles.next() if not negative and self._bundles else ()
            if key not in bundle:
                heapq.heappush(self._heap, (negative, self._places[key], key))
            for chosen in bundle or (key,):
                yield self._send(chosen)

    def _send(self, key: int) -> Step:
        step = Step(key, self._gains.gain[key])
        self._gains.send(key)
        for root in self._gains.changed:
            if root in self._places and root in self._gains.gain:
                heapq.heappush(self._heap, (-self._gains.gain[root], self._places[root], root))
        self._gains.changed.clear()
        return step


class _Bundles:
    """Records to send together where no single record clears a row: those of the row that needs fewest."""

    def __init__(self, graph: DependencyGraph, gains: Gains, clearance: Clearance, selection: Selection) -> None:
        self._graph = graph
        self._gains = gains
        self._clearance = clearance
        self._selection = selection
        self._blocked: set[int] = set()
        """Links of rows that need other roots than candidates."""

    def next(self) -> list[int]:
        """The records that one more row needs, all of them candidates; empty where there is no such row."""
        while self._rows:
            row = self._rows.pop()
            if self._gains.waits(row) and (roots := self._collect(row)):
                return roots
        return []

    @cached_property
    def _rows(self) -> list[int]:
        """Rows that clear in the end; the last has fewest keys left, and most rows with the same list."""
        selection, missing, gains = self._selection, self._graph.missing, self._gains
        rows = [
            row
            for row in chain.from_iterable(self._clearance.rounds)
            if gains.waits(row) and (selection is None or selection[row])
        ]
        same = Counter(map(missing.__getitem__, rows))
        keys, key_of = self._graph.snapshot.keys, self._graph.key_of
        return sorted(rows, key=lambda row: (-len(gains.remaining_keys(row)), same[missing[row]], keys[key_of[row]]))

    @cached_property
    def _first_row(self) -> dict[int, int]:
        """Link to its row that clears first."""
        first: dict[int, int] = {}
        for row in chain.from_iterable(self._clearance.rounds):
            first.setdefault(self._graph.key_of[row], row)
        return first

    def _collect(self, row: int) -> list[int]:
        """The candidates that a row needs; empty where it needs others as well."""
        roots: dict[int, None] = {}
        found: set[int] = set()
        work = [row]
        while work:
            for key in self._gains.remaining_keys(work.pop()):
                if key in self._gains.gain:
                    roots[key] = None
                elif not self._graph.is_link(key) or key in self._blocked:
                    self._blocked |= found
                    return []
                elif key not in found:
                    found.add(key)
                    work.append(self._first_row[key])
        return list(roots)
