"""How many rows wait for each key, exactly, for all keys at once.

A row is a bit. Links are taken in an order in which dependents come first, so that each link, when its turn comes, has
the bits of all rows that wait for it and passes them on to the keys below. Rows are taken in blocks, which keeps the
integers small: longer ones cost more than another pass over the links.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import TYPE_CHECKING

from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

if TYPE_CHECKING:
    from reach_mcp.analysis.graph import DependencyGraph, Selection

BLOCK_ROWS = 1 << 14
"""Rows in one block, hence bits of an integer. A block is longer where very many rows list the same."""


@dataclass(frozen=True)
class Waiting:
    """Counts by key, over the rows that were selected. A key for which no such row waits is not in `counts`."""

    counts: dict[int, int]
    """Rows that wait for the key directly or through others, each once."""
    earliest: dict[int, float]
    """Earliest readable expiry among these rows; infinity where none is readable."""


def count_waiting(
    graph: DependencyGraph, selection: Selection = None, *, checkpoint: Checkpoint = never_stop
) -> Waiting:
    """Count, for every key that live rows list, the selected rows that wait for it, and find their earliest expiry."""
    rows = graph.selected(selection)
    counts = graph.propagation.count(map(graph.missing.__getitem__, rows), checkpoint=checkpoint)
    time = graph.expires.__getitem__
    if selection is None:
        earliest = {key: min(map(time, rows)) for key, rows in graph.listed_by.items()}
    else:
        earliest = {
            key: min(map(time, filter(selection.__getitem__, rows)), default=inf)
            for key, rows in graph.listed_by.items()
        }
    graph.propagation.pass_down_earliest(earliest)
    return Waiting(counts, earliest)


class Propagation:
    """Links and the keys below them as nodes, dependents first.

    Members of a strongly connected component have the same rows waiting for them, so they are one node.
    """

    def __init__(self, lower: Mapping[int, Iterable[int]], components: Sequence[Sequence[int]]) -> None:
        """
        Args:
            lower: link to the keys that its rows list.
            components: the links by strongly connected component, dependents first.
        """
        node_of = {key: group[0] for group in components for key in group}
        order = list(_order_nodes(lower, components, node_of))[::-1]
        place = {node: number for number, (node, _) in enumerate(order)}
        self._place_of = {key: place[node] for key, node in node_of.items()}
        self._targets = [[place[target] for target in targets] for _, targets in order]

    def count(self, lists: Iterable[tuple[int, ...]], *, checkpoint: Checkpoint = never_stop) -> dict[int, int]:
        """Count, for every key, the rows that wait for it. Keys for which none waits are absent.

        Args:
            lists: the keys that each row lists.
        """
        counts: defaultdict[int, int] = defaultdict(int)
        totals = [0] * len(self._targets)
        bits = [0] * len(self._targets)
        place_of, position = self._place_of, 0
        for listed, rows in Counter(lists).items():
            run, start = ((1 << rows) - 1) << position, position
            for key in listed:
                if key in place_of:
                    bits[place_of[key]] |= run
                    position = start + rows
                else:  # no link leads to it, so nothing is passed on
                    counts[key] += rows
            if position >= BLOCK_ROWS:
                self._pass_down(bits, totals, checkpoint)
                position = 0
        self._pass_down(bits, totals, checkpoint)
        return counts | {key: total for key, place in place_of.items() if (total := totals[place])}

    def _pass_down(self, bits: list[int], totals: list[int], checkpoint: Checkpoint) -> None:
        """Pass one block down to the end of the order, which uses the bits up."""
        for start in range(0, len(bits), STEPS):
            checkpoint()
            for node, targets in enumerate(self._targets[start : start + STEPS], start):
                if value := bits[node]:
                    totals[node] += value.bit_count()
                    bits[node] = 0
                    for target in targets:
                        bits[target] |= value

    def pass_down_earliest(self, earliest: dict[int, float]) -> None:
        """Lower the time of each key to the earliest of the keys above it. Nodes without an own time are added."""
        times = [inf] * len(self._targets)
        for key, place in self._place_of.items():
            times[place] = min(times[place], earliest.get(key, inf))
        for time, targets in zip(times, self._targets, strict=True):  # targets come later, so `times` is read in time
            for target in targets:
                if time < times[target]:
                    times[target] = time
        earliest.update((key, times[place]) for key, place in self._place_of.items())


def _order_nodes(
    lower: Mapping[int, Iterable[int]], components: Sequence[Sequence[int]], node_of: dict[int, int]
) -> Iterator[tuple[int, Iterable[int]]]:
    """Yield every node with its targets, dependents last. A key that is no link precedes the last link above it."""
    for group in reversed(components):
        below = chain.from_iterable(lower[member] for member in group)
        targets = dict.fromkeys(node_of.get(key, key) for key in below)
        targets.pop(group[0], None)
        for key in targets:
            if key not in node_of:
                node_of[key] = key
                yield key, ()
        yield group[0], targets
