"""The few records that clear most together.

A *requirement* is a set of root blockers that clears a row when all of them arrive. Rows that need several records at
once are invisible to marginal gains of single records, so the best set of a given size is searched over requirements.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from heapq import nlargest
from itertools import combinations
from typing import TypeAlias

from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

Roots: TypeAlias = frozenset[int]
Requirement: TypeAlias = frozenset[Roots]
"""Alternatives, each a set of roots: a row clears when all roots of one alternative arrive."""

Weights: TypeAlias = Mapping[Requirement, int]
"""Requirement to the number of rows that have it."""

MAX_ALTERNATIVES = 8
"""Alternatives kept for one row; several exist only where a record is pending in several rows."""

MAX_PASSES = 8
"""Passes over the rows in which requirements may still grow by further alternatives."""

NOTHING: Requirement = frozenset([frozenset()])


def find_requirements(
    graph: DependencyGraph,
    rows: Iterable[int],
    candidates: Collection[int],
    *,
    at_most: int,
    arrived: bytearray,
    selection: Selection = None,
    checkpoint: Checkpoint = never_stop,
) -> dict[Requirement, int]:
    """Count rows by requirement, over rows that at most so many candidates clear.

    Args:
        rows: the rows that clear when every root arrives, each after the rows that it waits for.
        arrived: 1 for each key that has arrived before.
    """
    rows = list(rows)
    of_key: dict[int, Requirement] = {}
    for _ in range(MAX_PASSES):
        memo: dict[tuple[int, ...], Requirement] = {}
        weights: defaultdict[Requirement, int] = defaultdict(int)
        grown = False
        for number, row in enumerate(rows):
            if not number % STEPS:
                checkpoint()
            listed = graph.missing[row]
            needs = memo.get(listed)
            if needs is None:
                needs = memo[listed] = _combine(listed, of_key, candidates, arrived, at_most)
            if not needs:
                continue
            weights[needs] += 1 if selection is None else selection[row]
            key = graph.key_of[row]
            if graph.is_link(key):
                known = of_key.get(key)
                if known is None:
                    of_key[key] = needs
                elif not needs <= known:
                    of_key[key] = _least(known | needs)
                    grown = grown or of_key[key] != known
        if not grown:
            break
    return {needs: weight for needs, weight in weights.items() if weight and needs != NOTHING}


def _combine(
    listed: Iterable[int],
    of_key: Mapping[int, Requirement],
    candidates: Collection[int],
    arrived: bytearray,
    at_most: int,
) -> Requirement:
    """The requirement of a row that lists these keys; empty where candidates do not clear it."""
    roots: list[int] = []
    others: list[Requirement] = []
    for key in listed:
        if arrived[key]:
            continue
        if key in candidates:
            roots.append(key)
        elif key in of_key:
            others.append(of_key[key])
        else:
            return frozenset()
        if len(roots) > at_most:
            return frozenset()
    needs: Requirement = frozenset([frozenset(roots)])
    for other in others:
        joined = {one | two for one in needs for two in other}
        needs = _least(alternative for alternative in joined if len(alternative) <= at_most)
    return needs


def _least(alternatives: Iterable[Roots]) -> Requirement:
    """The smallest alternatives of which none contains another."""
    kept: list[Roots] = []
    for alternative in sorted(alternatives, key=lambda roots: (len(roots), sorted(roots))):
        if len(kept) == MAX_ALTERNATIVES:
            break
        if not any(other <= alternative for other in kept):
            kept.append(alternative)
    return frozenset(kept)


def choose_best(
    weights: Weights, size: int, *, effort: int = 200_000, checkpoint: Checkpoint = never_stop
) -> list[int]:
    """Choose at most `size` roots that clear most rows together.

    The set is the best there is unless the search uses up its effort (requirements looked at); then it is the best set
    found. Rows that need more than `size` roots are ignored.
    """
    return _Search(effort, checkpoint).run(_within(weights, size), size)


def _within(weights: Weights, room: int) -> dict[Requirement, int]:
    """Requirements that can still be met by so many roots."""
    return {needs: weight for needs, weight in weights.items() if any(len(roots) <= room for roots in needs)}


def _include(weights: Weights, root: int) -> tuple[int, dict[Requirement, int]]:
    """How many rows clear with one root, and what the others need after it."""
    cleared = 0
    rest: dict[Requirement, int] = {}
    for needs, weight in weights.items():
        if any(root in roots for roots in needs):
            needs = frozenset([roots - {root} for roots in needs])
            if frozenset() in needs:
                cleared += weight
                continue
        rest[needs] = rest.get(needs, 0) + weight
    return cleared, rest


def _exclude(weights: Weights, root: int) -> dict[Requirement, int]:
    """Requirements that can be met without one root."""
    rest: dict[Requirement, int] = {}
    for needs, weight in weights.items():
        if any(root in roots for roots in needs):
            needs = frozenset([roots for roots in needs if root not in roots])
        if needs:
            rest[needs] = rest.get(needs, 0) + weight
    return rest


def _share(weights: Weights, room: int) -> Counter[int]:
    """Upper bounds: the part of all rows that each root can claim, in sixtieths of a row where rows are shared."""
    shares: Counter[int] = Counter()
    for needs, weight in weights.items():
        if len(needs) == 1:
            (roots,) = needs
            part = -(-60 * weight // len(roots))
        else:
            least = min(map(len, needs))
            roots = frozenset().union(*(roots for roots in needs if len(roots) <= room))
            part = -(-60 * weight // least)
        for root in roots:
            shares[root] += part
    return shares


class _Search:
    """Branch and bound: a root is either in the set or never used below."""

    def __init__(self, effort: int, checkpoint: Checkpoint) -> None:
        self._effort = effort
        self._checkpoint = checkpoint
        self._best: list[int] = []
        self._most = 0

    def run(self, weights: dict[Requirement, int], size: int) -> list[int]:
        self._keep(*_choose_greedily(weights, size))
        self._descend(weights, size, [], 0)
        return self._best

    def _keep(self, chosen: list[int], cleared: int) -> None:
        if cleared > self._most:
            self._best, self._most = list(chosen), cleared

    def _descend(self, weights: dict[Requirement, int], room: int, chosen: list[int], cleared: int) -> None:
        self._keep(chosen, cleared)
        weights = _within(weights, room)
        while weights and room and self._effort > 0:
            self._checkpoint()
            shares = _share(weights, room)
            top = nlargest(room, shares.items(), key=lambda item: (item[1], -item[0]))
            if 60 * (self._most - cleared) >= sum(share for _, share in top):
                return
            self._effort -= 3 * len(weights)
            root = top[0][0]
            gain, rest = _include(weights, root)
            self._descend(rest, room - 1, [*chosen, root], cleared + gain)
            weights = _exclude(weights, root)


def _choose_greedily(weights: dict[Requirement, int], room: int) -> tuple[list[int], int]:
    """Take the alternative that clears most rows per root, again and again."""
    chosen: list[int] = []
    total = 0
    while weights := _within(weights, room):
        shares = _share(weights, room)
        alternatives = {roots for needs in weights for roots in needs if len(roots) <= room}
        promising = nlargest(
            64, alternatives, key=lambda roots: (sum(map(shares.__getitem__, roots)) / len(roots), sorted(roots))
        )
        best = max(promising, key=lambda roots: (_count_within(weights, roots) / len(roots), sorted(roots)))
        for root in sorted(best):
            gain, weights = _include(weights, root)
            total += gain
        chosen += sorted(best)
        room -= len(best)
    return chosen, total


def _count_within(weights: Weights, roots: Roots) -> int:
    """Rows that clear with some roots, as far as one alternative of theirs is concerned."""
    parts = (frozenset(part) for size in range(1, len(roots) + 1) for part in combinations(sorted(roots), size))
    return sum(weights.get(frozenset([part]), 0) for part in parts)


def count_least_gain(weights: Weights, chosen: Iterable[int]) -> int:
    """The smallest marginal gain among chosen roots, each added where it gains most."""
    chosen, least = set(chosen), 0
    while chosen:
        found = {root: _include(weights, root) for root in sorted(chosen)}
        best = max(found, key=lambda root: found[root][0])
        least, weights = found[best]
        chosen.discard(best)
    return least
