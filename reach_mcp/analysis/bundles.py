"""The few records that clear most rows together.

Rows that need several records at once are invisible to the gains of single records, so the best set of a given size is
searched over the sets that rows need, by branch and bound: each root that a row needs claims an equal share of the row,
so the sum of the largest shares bounds the rows that a set can clear. A set of roots is an integer with a bit per root,
the first in the ranking being bit 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from heapq import nlargest
from itertools import chain
from operator import or_
from typing import TypeAlias

from reach_mcp.analysis import pieces
from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.stop import Checkpoint, paced

Needs: TypeAlias = tuple[int, ...]
"""Sets of roots of which each clears a row. Several where a record below is pending in several rows; none contains
another. Empty: no set of candidates that is small enough clears the row."""

Weights: TypeAlias = Mapping[Needs, int]
"""Needs to the number of rows that have them."""

MAX_ALTERNATIVES = 8
"""Sets kept for one row, those of fewest roots."""

MAX_PASSES = 8
"""Passes over the links in which sets may still be found through links that arrive later."""

MAX_EFFORT = 10_000
"""Needs that the search looks at after the greedy choice."""

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
) -> dict[Needs, int]:
    """Count the selected rows by the candidates that they need, at most `size` of them."""
    needs_of: dict[int, Needs] = {key: (1 << place,) for place, key in enumerate(candidates)}
    _add_links(needs_of, graph, clearance, size, checkpoint)
    rows: Iterable[int] = chain.from_iterable(clearance.rounds)
    lists = pieces.count(map(graph.missing.__getitem__, filter(selection.__getitem__, rows) if selection else rows))
    weights: defaultdict[Needs, int] = defaultdict(int)
    for listed in paced(filter(set(needs_of).issuperset, lists), checkpoint):
        if needs := _combine(listed, needs_of, size):
            weights[needs] += lists[listed]
    return weights


def _add_links(
    needs_of: dict[int, Needs], graph: DependencyGraph, clearance: Clearance, size: int, checkpoint: Checkpoint
) -> None:
    """Add the candidates that each link needs, by any of its rows.

    Where a record is pending in several rows, one of them can wait for a link that arrives later.
    """
    key_of, links = graph.key_of, graph.links
    needs_of.update((key_of[row], (0,)) for row in clearance.by_itself)
    rounds = [[row for row in rows if key_of[row] in links] for rows in clearance.rounds]
    once = len(clearance.round_of) >= sum(map(len, rounds))
    for _ in range(1 if once else MAX_PASSES):
        changed = False
        for rows in rounds:
            checkpoint()
            found: defaultdict[int, list[int]] = defaultdict(list)
            for row in rows:
                found[key_of[row]] += _combine(graph.missing[row], needs_of, size)
            for key, alternatives in found.items():
                known = needs_of.get(key, ())
                needs = _least([*known, *alternatives])
                if needs != known:
                    needs_of[key] = needs
                    changed = True
        if not changed:
            return


def _combine(listed: Iterable[int], needs_of: Mapping[int, Needs], size: int) -> Needs:
    """The needs of a row that lists these keys."""
    roots, several = 0, []
    for key in listed:
        needs = needs_of.get(key)
        if not needs:
            return ()
        if len(needs) == 1:
            roots |= needs[0]
        else:
            several.append(needs)
    found: Needs = (roots,)
    for needs in several:
        found = _least(one | two for one in found for two in needs)
    return tuple([one for one in found if one.bit_count() <= size])


def _least(sets: Iterable[int]) -> Needs:
    """The smallest sets, of which none contains another."""
    kept: list[int] = []
    for roots in sorted(set(sets), key=_size):
        if not any(other & roots == other for other in kept):
            kept.append(roots)
    return tuple(kept[:MAX_ALTERNATIVES])


def _size(roots: int) -> tuple[int, int]:
    return roots.bit_count(), roots


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
        found = {root: _include(weights, root) for root in _split(chosen)}
        best = max(found, key=lambda root: found[root][0])
        yield best
        chosen ^= best
        weights = found[best][1]


def _split(roots: int) -> Iterator[int]:
    """The roots of a set, each as a set of its own, by rank."""
    while roots:
        yield roots & -roots
        roots &= roots - 1


def _filter(weights: Weights, keep: Callable[[int], bool]) -> dict[Needs, int]:
    """Needs without the sets that are not to be kept."""
    found: defaultdict[Needs, int] = defaultdict(int)
    for needs, rows in weights.items():
        if kept := tuple(filter(keep, needs)):
            found[kept] += rows
    return found


def _within(weights: Weights, room: int) -> dict[Needs, int]:
    """Sets of so many roots at most."""
    return _filter(weights, lambda roots: roots.bit_count() <= room)


def _only(weights: Weights, allowed: int) -> dict[Needs, int]:
    """Sets of allowed roots."""
    return _filter(weights, lambda roots: roots | allowed == allowed)


def _include(weights: Weights, roots: int) -> tuple[int, dict[Needs, int]]:
    """How many rows clear with some roots, and the needs that are left after them."""
    cleared, left = 0, defaultdict[Needs, int](int)
    for needs, rows in weights.items():
        rest = (needs[0] & ~roots,) if len(needs) == 1 else tuple([one & ~roots for one in needs])
        if 0 in rest:
            cleared += rows
        else:
            left[rest] += rows
    return cleared, left


def _share(weights: Weights) -> dict[int, int]:
    """The most that each root can claim of all rows, in parts of a row."""
    shares: defaultdict[int, int] = defaultdict(int)
    for needs, rows in weights.items():
        roots, least = needs[0], needs[0].bit_count()
        if len(needs) > 1:
            roots, least = reduce(or_, needs), min(map(int.bit_count, needs))
        part = rows * SHARES // least
        while roots:
            shares[roots & -roots] += part
            roots &= roots - 1
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
            weights = _only(weights, ~root)

    def _prune(self, weights: Weights, room: int, cleared: int) -> tuple[Weights, int]:
        """Needs of the roots that can be in a better set than the best so far, and the root that claims most."""
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
    bounds = {
        roots: sum(map(shares.__getitem__, _split(roots))) // roots.bit_count()
        for roots in chain.from_iterable(weights)
    }
    promising = nlargest(MAX_PROMISING, bounds, key=lambda roots: (bounds[roots], -roots))
    return min(promising, key=lambda roots: (-_count_cleared(weights, roots) / roots.bit_count(), roots))


def _count_cleared(weights: Weights, roots: int) -> int:
    """Rows that clear with some roots."""
    cleared = 0
    for needs, rows in weights.items():
        if needs[0] | roots == roots or (len(needs) > 1 and any(one | roots == roots for one in needs)):
            cleared += rows
    return cleared
