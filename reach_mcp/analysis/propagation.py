"""Pass rows down through links as bits, to count exactly how many rows wait for each key.

A row is a bit. Links are taken in an order in which dependents come first, so that each link, when its turn comes, has
the bits of all rows that wait for it and passes them on to the keys below. Rows are taken in blocks, which keeps the
integers small: longer ones cost more than another pass over the links.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import inf

from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

BLOCK_ROWS = 1 << 14
"""Rows in one block, hence bits of the longest integer."""


class Propagation:
    """The order in which rows are passed down through links, and to which keys.

    Members of a strongly connected component have the same rows waiting for them, so one of them stands for all.
    """

    def __init__(self, lower: Mapping[int, Sequence[int]], components: Iterable[Sequence[int]]) -> None:
        """
        Args:
            lower: link to the keys that its rows list.
            components: the links by strongly connected component, dependents first.
        """
        self.node_of: dict[int, int] = {}
        self._shared: list[Sequence[int]] = []
        self.targets: dict[int, Sequence[int]] = {}
        for component in components:
            self._add(component, lower)
        self.node_of.update((key, key) for keys in self.targets.values() for key in keys if key not in self.node_of)
        self.order = self._order_nodes()

    def _add(self, component: Sequence[int], lower: Mapping[int, Sequence[int]]) -> None:
        node = component[0]
        self.node_of.update(dict.fromkeys(component, node))
        if len(component) == 1:
            self.targets[node] = lower[node]
            return
        self._shared.append(component)
        self.targets[node] = list(dict.fromkeys(key for member in component for key in lower[member]))

    def _order_nodes(self) -> list[tuple[int, Sequence[int]]]:
        """Every node with its targets, dependents first; a root follows the last link above it."""
        node_of = self.node_of
        order: list[tuple[int, Sequence[int]]] = []
        placed: set[int] = set()
        for node, keys in reversed(self.targets.items()):
            targets = keys
            if self._shared or node in keys:
                targets = list({node_of[key] for key in keys} - {node})
            for target in targets:
                if target not in self.targets and target not in placed:
                    placed.add(target)
                    order.append((target, ()))
            order.append((node, targets))
        return order[::-1]

    def count(self, lists: Mapping[tuple[int, ...], int], *, checkpoint: Checkpoint = never_stop) -> dict[int, int]:
        """Count, for every key, the rows that wait for it. Keys for which none waits are absent.

        Args:
            lists: the keys that rows list, to the number of rows that list exactly these.
        """
        counts: defaultdict[int, int] = defaultdict(int)
        bits: defaultdict[int, int] = defaultdict(int)
        position = 0
        for nodes, rows in self._split(lists, counts):
            while position + rows >= BLOCK_ROWS:
                taken = BLOCK_ROWS - position
                _set_bits(bits, nodes, taken, position)
                self._pass_down(bits, counts, checkpoint)
                rows -= taken
                position = 0
            _set_bits(bits, nodes, rows, position)
            position += rows
        self._pass_down(bits, counts, checkpoint)
        for component in self._shared:
            if component[0] in counts:
                counts.update(dict.fromkeys(component, counts[component[0]]))
        return dict(counts)

    def _split(
        self, lists: Mapping[tuple[int, ...], int], counts: dict[int, int]
    ) -> Iterator[tuple[Collection[int], int]]:
        """The nodes of each list, with its rows. Keys that are no node are counted at once: nothing is passed on."""
        node_of = self.node_of
        for listed, rows in lists.items():
            nodes = [node_of[key] for key in listed if key in node_of]
            if len(nodes) < len(listed):
                for key in listed:
                    if key not in node_of:
                        counts[key] += rows
            if nodes:
                yield nodes, rows

    def _pass_down(self, bits: defaultdict[int, int], counts: dict[int, int], checkpoint: Checkpoint) -> None:
        """Pass one block down to the end of the order, which uses the bits up."""
        for start in range(0, len(self.order), STEPS):
            checkpoint()
            for node, targets in self.order[start : start + STEPS]:
                if node in bits:
                    value = bits.pop(node)
                    counts[node] += value.bit_count()
                    for target in targets:
                        bits[target] |= value

    def pass_down_earliest(self, earliest: dict[int, float]) -> None:
        """Lower the time of each key to the earliest of the keys above it. Keys without an own time are added."""
        for component in self._shared:
            earliest[component[0]] = min(earliest.get(key, inf) for key in component)
        for node, targets in self.order:
            time = earliest.get(node, inf)
            for target in targets:
                if time < earliest.get(target, inf):
                    earliest[target] = time
        for component in self._shared:
            earliest.update(dict.fromkeys(component, earliest[component[0]]))


def _set_bits(bits: dict[int, int], nodes: Iterable[int], rows: int, position: int) -> None:
    """Give each node the bits of so many rows from a position on."""
    run = 1 << position if rows == 1 else ((1 << rows) - 1) << position
    for node in nodes:
        bits[node] |= run
