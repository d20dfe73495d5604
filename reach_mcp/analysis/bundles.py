"""The few records that clear most rows together.

Rows that need several records at once are invisible to the gains of single records, so the best set of a given size is
searched over the sets that rows need, by branch and bound: each root that a row needs claims an equal share of the row,
so the sum of the largest shares bounds the rows that a set can clear. A set of roots is an integer with a bit per root,
the first in the ranking being bit 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import chain
from typing import TypeAlias

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.stop import STEPS, Checkpoint

Weights: TypeAlias = Mapping[int, int]
"""Set of roots to the number of rows that need exactly these."""

NeedsOf: TypeAlias = dict[int, tuple[int, ...]]
"""Key to the sets of roots of which each makes it arrive: several where a record is pending in several rows."""

MAX_ALTERNATIVES = 4
"""Sets kept for one link. A row that lists the link takes the one that adds fewest roots."""

MAX_EFFORT = 10_000
"""Sets that the search looks at after the greedy choice."""

MAX_SEARCHED = 64
"""Roots that are looked at, those with the largest shares; the best are hardly ever among the others."""

MAX_PROMISING = 16
"""Sets of which the greedy choice works out the rows that clear."""

SHARES = 2520
"""Parts of a row: a multiple of every number up to ten, so that shares are whole numbers."""


def weigh_needs(
    graph: DependencyGraph,
    clearance: Clearance,
    candidates: Sequence[int],
    size: int,
    *,
    selection: Selection = None,
    checkpoint: Checkpoint,
) -> dict[int, int]:
    """Count the selected rows by the candidates that they need, at most `size` of them."""
    needs_of: NeedsOf = {key: (1 << place,) for place, key in enumerate(candidates)}
    _add_links(needs_of, graph, clearance, checkpoint)
    rows: Iterable[int] = chain.from_iterable(clearance.rounds)
    lists = Counter(map(graph.missing.__getitem__, filter(selection.__getitem__, rows) if selection else rows))
    weights: defaultdict[int, int] = defaultdict(int)
    for number, (listed, count) in enumerate(lists.items()):
        if not number % STEPS:
            checkpoint()
        needs = _combine(listed, needs_of)
        if needs is not None and needs.bit_count() <= size:
            weights[needs] += count
    return weights


def _add_links(needs_of: NeedsOf, graph: DependencyGraph, clearance: Clearance, checkpoint: Checkpoint) -> None:
    """Add the candidates that each link needs: by each of its rows, those that need fewest first.

    Two passes, because a row can wait for a link that arrives in a later round than its own record by another row.
    """
    key_of, links = graph.key_of, graph.links
    needs_of.update((key_of[row], (0,)) for row in clearance.by_itself)
    for rows in 2 * [[row for row in rows if key_of[row] in links] for rows in clearance.rounds]:
        checkpoint()
        found = [(key_of[row], _combine(graph.missing[row], needs_of)) for row in rows]
        for key, needs in found:
            if needs is not None:
                needs_of[key] = tuple(sorted({needs, *needs_of.get(key, ())}, key=_size)[:MAX_ALTERNATIVES])


def _size(needs: int) -> tuple[int, int]:
    return needs.bit_count(), needs


def _combine(listed: Iterable[int], needs_of: NeedsOf) -> int | None:
    """The roots that a row needs which lists these keys; None where not all of them are candidates."""
    needs, several = 0, []
    for key in listed:
        alternatives = needs_of.get(key)
        if alternatives is None:
            return None
        if len(alternatives) == 1:
            needs |= alternatives[0]
        else:
            several.append(alternatives)
    for alternatives in several:
        needs = min([needs | one for one in alternatives], key=_size)
    return needs


def choose_best(weights: Weights, size: int, *, checkpoint: Checkpoint) -> list[int]:
    """Choose at most `size` roots that clear most rows together, as the places of their bits.

    The set is the best there is unless there are more than `MAX_SEARCHED` roots or the search uses up its effort; then
    it is the best set found. Of the roots chosen, the one with the highest gain comes first, at each step.
    """
    shares = _share(weights)
    ranked = sorted(shares, key=lambda root: (-shares[root], root))
    search = _Search(checkpoint)
    search.run(_within(_only(weights, sum(ranked[:MAX_SEARCHED])), size), size)
    return [root.bit_length() - 1 for root in _order_by_gain(weights, search.best)]


def _order_by_gain(weights: Weights, chosen: int) -> Iterator[int]:
    weights = _only(weights, chosen)
    while chosen:
        best = max(_split(chosen), key=lambda root: weights.get(root, 0))
        yield best
        chosen ^= best
        weights = _include(weights, best)[1]


def _split(roots: int) -> Iterator[int]:
    """The roots of a set, each as a set of its own, by rank."""
    while roots:
        yield roots & -roots
        roots &= roots - 1


def _within(weights: Weights, room: int) -> dict[int, int]:
    """Sets of so many roots at most."""
    return {needs: rows for needs, rows in weights.items() if needs.bit_count() <= room}


def _only(weights: Weights, allowed: int) -> dict[int, int]:
    """Sets of allowed roots."""
    return {needs: rows for needs, rows in weights.items() if needs | allowed == allowed}


def _include(weights: Weights, roots: int) -> tuple[int, dict[int, int]]:
    """How many rows clear with some roots, and the sets that are left after them."""
    left: defaultdict[int, int] = defaultdict(int)
    for needs, rows in weights.items():
        left[needs & ~roots] += rows
    return left.pop(0, 0), left


def _share(weights: Weights) -> dict[int, int]:
    """The most that each root can claim of all rows, in parts of a row."""
    shares: defaultdict[int, int] = defaultdict(int)
    for needs, rows in weights.items():
        for root in _split(needs):
            shares[root] += rows * SHARES // needs.bit_count()
    return shares


class _Search:
    """Branch and bound: at each step the root with the largest share is in the set, or in no set from there on."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._effort = MAX_EFFORT
        self.best = 0
        self._most = 0

    def run(self, weights: Weights, size: int) -> None:
        self._keep(*_choose_greedily(weights, size))
        self._descend(weights, size, 0, 0)

    def _keep(self, chosen: int, cleared: int) -> None:
        if cleared > self._most:
            self.best, self._most = chosen, cleared

    def _descend(self, weights: Weights, room: int, chosen: int, cleared: int) -> None:
        self._keep(chosen, cleared)
        while room and self._effort > 0:
            self._checkpoint()
            self._effort -= len(weights)
            weights, root = self._prune(weights, room, cleared)
            if not weights:
                return
            gain, left = _include(weights, root)
            self._descend(_within(left, room - 1), room - 1, chosen | root, cleared + gain)
            weights = {needs: rows for needs, rows in weights.items() if not needs & root}

    def _prune(self, weights: Weights, room: int, cleared: int) -> tuple[Weights, int]:
        """Sets of the roots that can be in a better set than the best so far, and the root that claims most."""
        shares = _share(weights)
        needed = (self._most - cleared) * SHARES
        top = nlargest(room, shares.values())
        if sum(top) <= needed:
            return {}, 0
        allowed = sum(root for root, share in shares.items() if share > needed - sum(top[: room - 1]))
        return _only(weights, allowed), max(shares, key=lambda root: (shares[root], -root))


def _choose_greedily(weights: Weights, room: int) -> tuple[int, int]:
    """Take the set that clears most rows per root, again and again."""
    chosen = total = 0
    while weights:
        best = _densest(weights)
        chosen |= best
        room -= best.bit_count()
        gain, left = _include(weights, best)
        total += gain
        weights = _within(left, room)
    return chosen, total


def _densest(weights: Weights) -> int:
    """The set that clears most rows per root; the shares of its roots bound what it can clear."""
    shares = _share(weights)
    bounds = {needs: sum(map(shares.__getitem__, _split(needs))) // needs.bit_count() for needs in weights}
    promising = nlargest(MAX_PROMISING, weights, key=lambda needs: (bounds[needs], -needs))
    return min(promising, key=lambda needs: (-_count_cleared(weights, needs) / needs.bit_count(), needs))


def _count_cleared(weights: Weights, roots: int) -> int:
    """Rows that need no other roots."""
    return sum(_only(weights, roots).values())
