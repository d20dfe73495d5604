"""The few records that clear most rows together.

Rows that need several records at once are invisible to the gains of single records, so the best set of a given size is
searched over requirements (see `requirements`), by branch and bound: each root that a row needs claims an equal share
of the row, so the sum of the largest shares bounds the rows that a set can clear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from heapq import nlargest
from itertools import combinations

from reach_mcp.analysis.requirements import Requirement, Roots, Weights
from reach_mcp.analysis.stop import Checkpoint, never_stop

MAX_EFFORT = 30_000
"""Requirements that the search looks at after the greedy choice."""

MAX_PROMISING = 32
"""Alternatives of which the greedy choice works out the rows that clear."""

SHARES = 2520
"""Parts of a row: a multiple of every number up to ten, so that shares are whole numbers."""


def choose_best(weights: Weights, size: int, *, checkpoint: Checkpoint = never_stop) -> list[int]:
    """Choose at most `size` roots that clear most rows together.

    The set is the best there is unless the search uses up its effort; then it is the best set found. Rows that need
    more than `size` roots are ignored.
    """
    return _Search(checkpoint).run(_within(weights, size), size)


def count_least_gain(weights: Weights, chosen: Iterable[int]) -> int:
    """The smallest marginal gain among chosen roots, each added where it gains most."""
    left, least = set(chosen), 0
    while left:
        found = {root: _include(weights, root) for root in sorted(left)}
        best = max(found, key=lambda root: found[root][0])
        least, weights = found[best]
        left.discard(best)
    return least


def _within(weights: Weights, room: int) -> dict[Requirement, int]:
    """Requirements that so many roots can meet, without longer alternatives."""
    return _filter(weights, lambda roots: len(roots) <= room)


def _only(weights: Weights, allowed: set[int]) -> dict[Requirement, int]:
    """Requirements that allowed roots can meet, without alternatives that need others."""
    return _filter(weights, allowed.issuperset)


def _without(weights: Weights, root: int) -> dict[Requirement, int]:
    """Requirements that can be met without one root."""
    return _filter(weights, lambda roots: root not in roots)


def _filter(weights: Weights, keep: Callable[[Roots], bool]) -> dict[Requirement, int]:
    found: dict[Requirement, int] = {}
    for needs, rows in weights.items():
        kept = frozenset(filter(keep, needs))
        if kept:
            found[kept] = found.get(kept, 0) + rows
    return found


def _include(weights: Weights, root: int) -> tuple[int, dict[Requirement, int]]:
    """How many rows clear with one root, and the requirements that are left after it."""
    cleared = 0
    left: dict[Requirement, int] = {}
    one = frozenset([root])
    for needs, rows in weights.items():
        rest = needs if all(map(one.isdisjoint, needs)) else frozenset([roots - one for roots in needs])
        if frozenset() in rest:
            cleared += rows
        else:
            left[rest] = left.get(rest, 0) + rows
    return cleared, left


def _share(weights: Weights) -> Counter[int]:
    """The most that each root can claim of all rows, in parts of a row."""
    shares: Counter[int] = Counter()
    for needs, rows in weights.items():
        part = rows * SHARES // min(map(len, needs))
        for root in frozenset().union(*needs):
            shares[root] += part
    return shares


class _Search:
    """Branch and bound: at each step the root with the largest share is in the set, or in no set from there on."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._effort = MAX_EFFORT
        self._best: list[int] = []
        self._most = 0

    def run(self, weights: dict[Requirement, int], size: int) -> list[int]:
        self._keep(*_choose_greedily(weights, size))
        self._descend(weights, size, [], 0)
        return self._best

    def _keep(self, chosen: list[int], cleared: int) -> None:
        if cleared > self._most:
            self._best, self._most = chosen, cleared

    def _descend(self, weights: dict[Requirement, int], room: int, chosen: list[int], cleared: int) -> None:
        self._keep(chosen, cleared)
        weights = _within(weights, room)
        while room and self._effort > 0 and (weights := self._prune(weights, room, cleared)):
            self._checkpoint()
            self._effort -= len(weights)
            root = max(_share(weights).items(), key=lambda item: (item[1], -item[0]))[0]
            gain, left = _include(weights, root)
            self._descend(left, room - 1, [*chosen, root], cleared + gain)
            weights = _without(weights, root)

    def _prune(self, weights: dict[Requirement, int], room: int, cleared: int) -> dict[Requirement, int]:
        """Requirements of roots that can be in a better set than the best so far."""
        shares = _share(weights)
        others = sum(nlargest(room - 1, shares.values()))
        needed = (self._most - cleared) * SHARES - others
        allowed = {root for root, share in shares.items() if share > needed}
        if not allowed or sum(nlargest(room, shares.values())) <= (self._most - cleared) * SHARES:
            return {}
        return _only(weights, allowed) if len(allowed) < len(shares) else weights


def _choose_greedily(weights: dict[Requirement, int], room: int) -> tuple[list[int], int]:
    """Take the alternative that clears most rows per root, again and again."""
    chosen: list[int] = []
    total = 0
    while weights := _within(weights, room):
        best = _densest(weights)
        for root in sorted(best):
            gain, weights = _include(weights, root)
            total += gain
        chosen += sorted(best)
        room -= len(best)
    return chosen, total


def _densest(weights: Weights) -> Roots:
    """The alternative that clears most rows per root; its shares bound what it can clear."""
    shares = _share(weights)
    alternatives = {roots for needs in weights for roots in needs}
    bounds = {roots: sum(map(shares.__getitem__, roots)) // len(roots) for roots in alternatives}
    least = min(nlargest(MAX_PROMISING, bounds.values()))
    promising = [roots for roots, bound in bounds.items() if bound >= least]
    return min(promising, key=lambda roots: (-_count_cleared(weights, roots) / len(roots), sorted(roots)))


def _count_cleared(weights: Weights, roots: Roots) -> int:
    """Rows that clear with some roots, as far as rows with a single alternative are concerned."""
    parts = (frozenset(part) for size in range(1, len(roots) + 1) for part in combinations(roots, size))
    return sum(weights.get(frozenset([part]), 0) for part in parts)
