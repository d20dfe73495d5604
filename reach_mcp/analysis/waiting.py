"""How many rows wait for each key, exactly, for all keys at once: over all rows, and per clock hour of their expiry.

A row is a bit. Links are taken in an order in which dependents come first, so that each link, when its turn comes, has
the bits of all rows that wait for it and passes them on to the keys below. Rows are taken soonest lost first, so the
lowest bit of a key is its earliest expiry, and an hour is a range of bits. They are taken in blocks, which keeps the
integers small: longer ones cost more than another pass over the links. Keys that no link leads to need no bits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import chain, repeat
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from reach_mcp.analysis import pieces
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

if TYPE_CHECKING:
    from reach_mcp.analysis.graph import DependencyGraph, Selection

BLOCK_ROWS = 1 << 14
"""Rows in one block, hence bits of an integer."""

PART_ROWS = 1 << 10
"""Rows that are added to a block together."""

MAX_HOLDERS = 3
"""Root blockers named for one group of rows."""


class Holders(NamedTuple):
    """The root blockers for which the rows of one group wait."""

    total: int
    first: list[tuple[int, int]]
    """(key, rows that wait for it) of those for which most rows wait; ties go by key."""


class Waiting(NamedTuple):
    """Counts by key, over the rows that were selected. A key for which no such row waits is not in `counts`."""

    counts: dict[int, int]
    """Rows that wait for the key directly or through others, each once."""
    earliest: dict[int, float]
    """Earliest readable expiry among these rows; infinity where none is readable."""
    holders: Sequence[Holders] = ()
    """Of each group of rows, where groups were asked for."""


def count_waiting(
    graph: DependencyGraph, selection: Selection = None, *, checkpoint: Checkpoint = never_stop
) -> Waiting:
    """Count, for every key that live rows list, the selected rows that wait for it, and find their earliest expiry."""
    rows = sorted(graph.selected(selection), key=graph.expires.__getitem__)
    return _find_waiting(graph, _Pass(graph.propagation, graph.missing, graph.expires, checkpoint), [rows])


def count_by_group(
    graph: DependencyGraph, groups: Sequence[Sequence[int]], *, checkpoint: Checkpoint = never_stop
) -> Waiting:
    """Count as `count_waiting` does, and per group of rows.

    Args:
        groups: distinct live rows by expiry, soonest first, in groups.
    """
    one_pass = _Pass(graph.propagation, graph.missing, graph.expires, checkpoint, graph.snapshot.keys)
    return _find_waiting(graph, one_pass, groups)


def _find_waiting(graph: DependencyGraph, one_pass: _Pass, groups: Sequence[Sequence[int]]) -> Waiting:
    counts, earliest = one_pass.run(groups)
    return Waiting(counts, dict.fromkeys(graph.listed_by, inf) | earliest, one_pass.holders)


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
        self.place_of = {key: place[node] for key, node in node_of.items()}
        """Key to the place of its node."""
        self.targets = [[place[target] for target in targets] for _, targets in order]
        """The nodes below each node."""
        self.root_at = [-1 if node in lower else node for node, _ in order]
        """The key of each node that is no link, -1 for the others."""

    def count(
        self, missing: Sequence[tuple[int, ...]], expires: Sequence[float], rows: Sequence[int], checkpoint: Checkpoint
    ) -> tuple[dict[int, int], dict[int, float]]:
        """The rows that wait for each key, and their earliest expiry, where there are any.

        Args:
            missing: the keys that each row lists.
            expires: the expiry of each row.
            rows: the rows that count, by expiry.
        """
        return _Pass(self, missing, expires, checkpoint).run([rows])


class _Pass:
    """One pass of rows over all nodes."""

    def __init__(
        self,
        propagation: Propagation,
        missing: Sequence[tuple[int, ...]],
        expires: Sequence[float],
        checkpoint: Checkpoint,
        keys: Sequence[tuple[str, str]] = (),
    ) -> None:
        """
        Args:
            keys: the identity of each key, where the holders of groups are asked for.
        """
        self._propagation = propagation
        self._missing = missing
        self._expires = expires
        self._checkpoint = checkpoint
        self._keys = keys
        self._bits = [0] * len(propagation.targets)
        self._totals = [0] * len(propagation.targets)
        self._earliest = [inf] * len(propagation.targets)
        self._block: list[int] = []
        """Rows of the block."""
        self._group_of: list[int] = []
        """Group of each of them."""
        self._starts: dict[int, int] = {}
        """Group to its first bit in the block."""
        self._open: defaultdict[int, dict[int, int]] = defaultdict(dict)
        """Group to the rows that wait for each root, as far as they have been passed down."""
        self.holders: list[Holders] = []

    def run(self, groups: Sequence[Sequence[int]]) -> tuple[dict[int, int], dict[int, float]]:
        """The rows that wait for each key, and their earliest expiry."""
        for group, rows in enumerate(groups):
            self._add(group, rows)
            for done in range(len(self.holders), min(self._starts, default=group + 1) if self._keys else 0):
                self.holders.append(self._rank(done, groups[done]))
        self._pass_down()
        if self._keys:
            self.holders += [self._rank(group, groups[group]) for group in range(len(self.holders), len(groups))]
        return self._collect([row for rows in reversed(groups) for row in reversed(rows)])

    def _add(self, group: int, rows: Sequence[int]) -> None:
        """Give the nodes that rows list a bit for each of these rows, a few rows at a time: short integers are fast."""
        place_of, missing, bits = self._propagation.place_of, self._missing, self._bits
        no_node = set(place_of).isdisjoint
        rows = [row for row in rows if not no_node(missing[row])]
        for first in range(0, len(rows), PART_ROWS):
            part, start = rows[first : first + PART_ROWS], len(self._block)
            self._starts.setdefault(group, start)
            found: defaultdict[int, int] = defaultdict(int)
            for position, row in enumerate(part):
                for key in missing[row]:
                    found[key] |= 1 << position
            for key in found.keys() & place_of.keys():
                bits[place_of[key]] |= found[key] << start
            self._block += part
            self._group_of += repeat(group, len(part))
            if len(self._block) >= BLOCK_ROWS:
                self._pass_down()

    def _pass_down(self) -> None:
        """Pass one block down to the end of the order, which uses the bits up."""
        bits, totals, earliest, root_at = self._bits, self._totals, self._earliest, self._propagation.root_at
        for start in range(0, len(bits), STEPS):
            self._checkpoint()
            for node, targets in enumerate(self._propagation.targets[start : start + STEPS], start):
                value = bits[node]
                if not value:
                    continue
                bits[node] = 0
                if not totals[node]:
                    earliest[node] = self._expires[self._block[(value & -value).bit_length() - 1]]
                totals[node] += value.bit_count()
                for target in targets:
                    bits[target] |= value
                if self._keys and root_at[node] >= 0:
                    self._divide(root_at[node], value)
        self._block.clear()
        self._group_of.clear()
        self._starts.clear()

    def _divide(self, root: int, value: int) -> None:
        """Count the rows of each group in which a root has bits, the last group first."""
        group_of, starts, found = self._group_of, self._starts, self._open
        while value:
            group = group_of[value.bit_length() - 1]
            start, counts = starts[group], found[group]
            counts[root] = counts.get(root, 0) + (value >> start).bit_count()
            value &= (1 << start) - 1

    def _rank(self, group: int, rows: Sequence[int]) -> Holders:
        """The holders of a group of which all rows have been passed down."""
        place_of, keys = self._propagation.place_of, self._keys
        listed = Counter(chain.from_iterable(map(self._missing.__getitem__, rows)))
        counts = {key: count for key, count in listed.items() if key not in place_of} | self._open.pop(group, {})
        least = min(nlargest(MAX_HOLDERS, counts.values()), default=0)
        first = sorted((-count, keys[key], key) for key, count in counts.items() if count >= least)
        return Holders(len(counts), [(key, -count) for count, _, key in first[:MAX_HOLDERS]])

    def _collect(self, rows: Sequence[int]) -> tuple[dict[int, int], dict[int, float]]:
        """Counts and earliest expiry of all keys, from rows of which the soonest lost comes last."""
        missing, expires = self._missing, self._expires
        counts = dict(pieces.count(chain.from_iterable(map(missing.__getitem__, rows))))
        earliest: dict[int, float] = {}
        for row in rows:
            for key in missing[row]:
                earliest[key] = expires[row]
        for key, place in self._propagation.place_of.items():
            if self._totals[place]:
                counts[key], earliest[key] = self._totals[place], self._earliest[place]
        return counts, earliest


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
