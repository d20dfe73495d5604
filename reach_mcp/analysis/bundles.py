"""The few records that clear most rows together.

Rows that need several records at once are invisible to the gains of single records, so the best set of a given size is
searched over requirements (see `requirements`), by branch and bound: each root that a row needs claims an equal share
of the row, so the sum of the largest shares bounds the rows that a set can clear.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from heapq import nlargest
from operator import or_
from typing import TypeAlias

from reach_mcp.analysis.requirements import Requirement
from reach_mcp.analysis.stop import Checkpoint, never_stop

Weights: TypeAlias = Mapping[Requirement, int]
"""Requirement to the number of rows that have it."""

MAX_EFFORT = 10_000
"""Requirements that the search looks at after the greedy choice."""

MAX_SEARCHED = 64
"""Roots that are looked at, those with the largest shares; the best are hardly ever among the others."""

MAX_PROMISING = 16
"""Alternatives of which the greedy choice works out the rows that clear."""

SHARES = 2520
"""Parts of a row: a multiple of every number up to ten, so that shares are whole numbers."""


def choose_best(weights: Weights, size: int, *, checkpoint: Checkpoint = never_stop) -> list[tuple[int, int]]:
    """Choose at most `size` roots that clear most rows together.

    The set is the best there is unless there are more than `MAX_SEARCHED` roots or the search uses up its effort; then
    it is the best set found. Rows that need more than `size` roots are ignored.

    Returns:
        (place of the root, rows that clear in addition), the highest gain first at each step.
    """
    chosen = _Search(checkpoint).run(_within(weights, size), size)
    return list(_order_by_gain(_only(weights, chosen), chosen))


def _order_by_gain(weights: Weights, chosen: int) -> Iterator[tuple[int, int]]:
    while chosen:
        found = {root: _include(weights, root) for root in _split(chosen)}
        best = max(found, key=lambda root: found[root][0])
        gain, weights = found[best]
        chosen ^= best
        yield best.bit_length() - 1, gain


def _split(roots: int) -> list[int]:
    """The roots of a set, each as a set of its own, by rank."""
    found = []
    while roots:
        found.append(roots & -roots)
        roots &= roots - 1
    return found


def _within(weights: Weights, room: int) -> dict[Requirement, int]:
    """Requirements that so many roots can meet, without longer alternatives."""
    return _filter(weights, lambda roots: roots.bit_count() <= room)


def _only(weights: Weights, allowed: int) -> dict[Requirement, int]:
    """Requirements that allowed roots can meet, without alternatives that need others."""
    return _filter(weights, lambda roots: roots | allowed == allowed)


def _without(weights: Weights, root: int) -> dict[Requirement, int]:
    """Requirements that can be met without one root."""
    return _filter(weights, lambda roots: not roots & root)


def _filter(weights: Weights, keep: Callable[[int], bool]) -> dict[Requirement, int]:
    found: dict[Requirement, int] = {}
    for needs, rows in weights.items():
        if len(needs) == 1:
            if keep(needs[0]):
                found[needs] = found.get(needs, 0) + rows
        elif kept := tuple(filter(keep, needs)):
            found[kept] = found.get(kept, 0) + rows
    return found


def _include(weights: Weights, root: int) -> tuple[int, dict[Requirement, int]]:
    """How many rows clear with one root, and the requirements that are left after it."""
    cleared, left = 0, dict(weights)
    for needs in [needs for needs in weights if reduce(or_, needs) & root]:
        rows = left.pop(needs)
        rest = tuple([roots & ~root for roots in needs])
        if 0 in rest:
            cleared += rows
        else:
            left[rest] = left.get(rest, 0) + rows
    return cleared, left


def _share(weights: Weights) -> dict[int, int]:
    """The most that each root can claim of all rows, in parts of a row."""
    shares: defaultdict[int, int] = defaultdict(int)
    for needs, rows in weights.items():
        if len(needs) == 1:
            roots, least = needs[0], needs[0].bit_count()
        else:
            roots, least = reduce(or_, needs), min(one.bit_count() for one in needs)
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
        self._best = 0
        self._most = 0

    def run(self, weights: Weights, size: int) -> int:
        shares = _share(weights)
        ranked = sorted(shares, key=lambda root: (-shares[root], root))
        if len(ranked) > MAX_SEARCHED:
            weights = _only(weights, sum(ranked[:MAX_SEARCHED]))
        self._keep(*_choose_greedily(weights, size))
        self._descend(weights, size, 0, 0)
        return self._best

    def _keep(self, chosen: int, cleared: int) -> None:
        if cleared > self._most:
            self._best, self._most = chosen, cleared

    def _descend(self, weights: Weights, room: int, chosen: int, cleared: int) -> None:
        self._keep(chosen, cleared)
        while room and self._effort > 0:
            self._checkpoint()
            self._effort -= len(weights)
            weights, root = self._prune(_within(weights, room), room, cleared)
            if not weights:
                return
            gain, left = _include(weights, root)
            self._descend(left, room - 1, chosen | root, cleared + gain)
            weights = _without(weights, root)

    def _prune(self, weights: Weights, room: int, cleared: int) -> tuple[Weights, int]:
        """Requirements of the roots that can be in a better set than the best so far, and the root that claims most."""
        shares = _share(weights)
        needed = (self._most - cleared) * SHARES
        top = nlargest(room, shares.values())
        if sum(top) <= needed:
            return {}, 0
        allowed = sum(root for root, share in shares.items() if share > needed - sum(top[: room - 1]))
        return _only(weights, allowed), max(shares, key=lambda root: (shares[root], -root))


def _choose_greedily(weights: Weights, room: int) -> tuple[int, int]:
    """Take the alternative that clears most rows per root, again and again."""
    chosen = total = 0
    while weights := _within(weights, room):
        best = _densest(weights)
        for root in _split(best):
            gain, weights = _include(weights, root)
            total += gain
        chosen |= best
        room -= best.bit_count()
    return chosen, total


def _densest(weights: Weights) -> int:
    """The alternative that clears most rows per root; its shares bound what it can clear."""
    shares = _share(weights)
    bounds = {
        roots: sum(map(shares.__getitem__, _split(roots))) // roots.bit_count() for needs in weights for roots in needs
    }
    least = min(nlargest(MAX_PROMISING, bounds.values()))
    promising = [roots for roots, bound in bounds.items() if bound >= least]
    return min(promising, key=lambda roots: (-_count_cleared(weights, roots) / roots.bit_count(), roots))


def _count_cleared(weights: Weights, roots: int) -> int:
    """Rows that clear with some roots, as far as rows with a single alternative are concerned."""
    cleared, part = 0, roots
    while part:
        cleared += weights.get((part,), 0)
        part = (part - 1) & roots
    return cleared
