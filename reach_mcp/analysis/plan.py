"""What to send, in which order: one list over all root blockers, best first.

By default the list starts with the records that clear most rows together, as many as the caller wants to see (at most
`MAX_TOGETHER`), and goes on with the highest marginal gain at each step. By urgency it goes by the earliest expiry
among the rows that wait for a record. The gain of a step is exact: the selected rows that clear when the record arrives
after those before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from math import inf
from operator import attrgetter
from typing import NamedTuple

from reach_mcp.analysis import pieces
from reach_mcp.analysis.blockers import RankedRoot
from reach_mcp.analysis.bundles import choose_best, weigh_needs
from reach_mcp.analysis.gains import Gains
from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.results import Order
from reach_mcp.analysis.simulation import Arrival, Clearance, count_selected
from reach_mcp.analysis.stop import Checkpoint, never_stop

MAX_TOGETHER = 10
"""Records that are chosen together at the start of the list."""

MAX_CANDIDATES = 256
"""Root blockers among which these are chosen: so many for which most rows wait, and so many that most rows list."""


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
    arrival = Arrival(graph, checkpoint=checkpoint)
    ranked = sorted(ranked, key=lambda root: _minute(root.earliest) if order == "expiry" else -root.waiting)
    keys = [root.key for root in ranked]
    if order == "expiry":
        yield from _send(arrival, keys, selection)
        return
    clearance = clearance or Clearance(graph, checkpoint=checkpoint)
    candidates, size = _choose_candidates(ranked), min(first, MAX_TOGETHER)
    needs = weigh_needs(graph, clearance, candidates, size, selection=selection, checkpoint=checkpoint)
    places = choose_best(needs, size, checkpoint=checkpoint)
    yield from _send(arrival, [candidates[place] for place in places], selection)
    yield from _Greedy(graph, keys, arrival, clearance, selection).steps()


def _minute(time: float) -> float:
    """The minute of a time: what is lost within the same minute goes by rank, since answers show minutes."""
    return time if time == inf else time // 60


def _choose_candidates(ranked: Sequence[RankedRoot]) -> list[int]:
    by_direct = heapq.nlargest(MAX_CANDIDATES, ranked, key=attrgetter("direct"))
    return list(dict.fromkeys(root.key for root in (*ranked[:MAX_CANDIDATES], *by_direct)))


def _send(arrival: Arrival, keys: Sequence[int], selection: Selection) -> Iterator[Step]:
    return (Step(key, count_selected(arrival.send([key]), selection)) for key in keys)


class _Greedy:
    """Take the candidate with the highest gain, again and again; of those that tie, the first in rank.

    Where no candidate clears a row alone, take those that one more row needs: the row that waits for fewest keys.
    """

    def __init__(
        self,
        graph: DependencyGraph,
        keys: Sequence[int],
        arrival: Arrival,
        clearance: Clearance,
        selection: Selection,
    ) -> None:
        self._graph = graph
        self._selection = selection
        self._clearing = list(chain.from_iterable(clearance.rounds))
        self._gains = Gains(graph, keys, arrival, self._clearing, selection)
        self._rank = {key: place for place, key in enumerate(keys)}
        self._heap = [(-gain, self._rank[key], key) for key, gain in self._gains.gain.items()]
        self._blocked: set[int] = set()
        """Links of rows that need other roots than candidates."""
        heapq.heapify(self._heap)

    def steps(self) -> Iterator[Step]:
        gain = self._gains.gain
        while self._heap:
            negative, place, key = heapq.heappop(self._heap)
            if gain.get(key) != -negative:
                continue  # sent, or stands in the heap again with its present gain
            bundle = [] if negative else self._next_bundle()
            if bundle:
                heapq.heappush(self._heap, (negative, place, key))
            for chosen in bundle or [key]:
                yield Step(chosen, self._gains.send(chosen))
                self._update()

    def _update(self) -> None:
        for key in self._gains.changed:
            if key in self._gains.gain:
                heapq.heappush(self._heap, (-self._gains.gain[key], self._rank[key], key))
        self._gains.changed.clear()

    def _next_bundle(self) -> list[int]:
        """The records that one more row needs, all of them candidates; empty where there is no such row."""
        while self._rows:
            row = self._rows.pop()
            if self._gains.arrival.remaining[row] and (roots := self._collect(row)):
                return roots
        return []

    @cached_property
    def _rows(self) -> list[int]:
        """Selected rows that clear in the end; the last has fewest keys left, and most rows with the same list."""
        remaining, missing, selection = self._gains.arrival.remaining, self._graph.missing, self._selection
        rows = [row for row in self._clearing if remaining[row] and (selection is None or selection[row])]
        same = pieces.count(map(missing.__getitem__, rows))
        keys, key_of = self._graph.snapshot.keys, self._graph.key_of
        return sorted(rows, key=lambda row: (-remaining[row], same[missing[row]], keys[key_of[row]]))

    @cached_property
    def _first_row(self) -> dict[int, int]:
        """Key to its row that clears first."""
        return {self._graph.key_of[row]: row for row in reversed(self._clearing)}

    def _collect(self, row: int) -> list[int]:
        """The candidates that a row needs; empty where it needs others as well."""
        roots: dict[int, None] = {}
        found: set[int] = set()
        work = [row]
        while work:
            for key in self._gains.remaining_keys(work.pop()):
                if key in self._gains.gain:
                    roots[key] = None
                elif key not in self._graph.links or key in self._blocked:
                    self._blocked |= found
                    return []
                elif key not in found:
                    found.add(key)
                    work.append(self._first_row[key])
        return list(roots)
