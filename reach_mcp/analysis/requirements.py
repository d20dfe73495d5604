"""Which sets of missing records clear a row.

A set of root blockers is an integer with a bit per root: bit 0 is the first in the ranking, so that results do not
depend on the order of pages. A *requirement* is the alternatives of one row: the row clears when all roots of one
alternative arrive. Nearly all rows have one; several exist only where a record is pending in several rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.simulation import Arrival, Clearance
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

Requirement: TypeAlias = tuple[int, ...]
"""Alternatives, of which none contains another. Empty: no set of candidates of the size allowed clears the row."""

MAX_ALTERNATIVES = 8
"""Alternatives kept for one row."""

MAX_PASSES = 8
"""Passes over the links in which their requirements may still grow by further alternatives."""

MET: Requirement = (0,)
"""The requirement of a row that clears whatever is sent."""


@dataclass
class RequirementFinder:
    """Finds the requirements that at most `size` candidates can meet after what has arrived."""

    graph: DependencyGraph
    clearance: Clearance
    arrival: Arrival
    size: int
    checkpoint: Checkpoint = never_stop

    def weigh(self, lists: Mapping[tuple[int, ...], int], candidates: Sequence[int]) -> dict[Requirement, int]:
        """Count rows by requirement.

        Args:
            lists: the keys that rows list, to the number of rows that list exactly these.
            candidates: root blockers, by rank.
        """
        of_key: dict[int, Requirement] = {key: (1 << place,) for place, key in enumerate(candidates)}
        passes = 1
        while self._pass_over_links(of_key) and passes < MAX_PASSES:
            passes += 1
        known = set(of_key)
        weights: defaultdict[Requirement, int] = defaultdict(int)
        for number, (listed, rows) in enumerate(lists.items()):
            if not number % STEPS:
                self.checkpoint()
            if known.issuperset(listed):
                weights[self._combine(listed, of_key)] += rows
        return {needs: rows for needs, rows in weights.items() if needs and needs != MET}

    def _pass_over_links(self, of_key: dict[int, Requirement]) -> bool:
        """Look at the links in the order in which they arrive. Returns whether another pass can find more.

        Where a record is pending in several rows, one of them can wait for a link that comes later.
        """
        changed = several = False
        for number, key in enumerate(self.clearance.round_of):
            if not number % STEPS:
                self.checkpoint()
            found = self._require(key, of_key)
            several = several or len(found) > 1
            needs = found[0] if len(found) == 1 else _least(roots for needs in found for roots in needs)
            if needs and needs != of_key.get(key):
                of_key[key] = needs
                changed = True
        return changed and several

    def _require(self, key: int, of_key: Mapping[int, Requirement]) -> list[Requirement]:
        """The requirements of the rows of a link."""
        if self.arrival.arrived[key]:
            return [MET]
        return [self._combine(self.graph.missing[row], of_key) for row in self.graph.rows_of(key)]

    def _combine(self, listed: Iterable[int], of_key: Mapping[int, Requirement]) -> Requirement:
        """The requirement of a row that lists these keys."""
        roots = 0
        several: list[Requirement] = []
        for key in listed:
            needs = of_key.get(key)
            if needs is None:
                return ()
            if len(needs) == 1:
                roots |= needs[0]
            else:
                several.append(needs)
        if several:
            return _least(one for one in _join(roots, several) if one.bit_count() <= self.size)
        return (roots,) if roots.bit_count() <= self.size else ()


def _join(roots: int, several: Iterable[Requirement]) -> Iterable[int]:
    """All ways to meet every one of several requirements."""
    found = {roots}
    for needs in several:
        found = {one | two for one, two in product(found, needs)}
        found = set(_least(found))
    return found


def _least(alternatives: Iterable[int]) -> Requirement:
    """The smallest alternatives of which none contains another."""
    kept: list[int] = []
    for roots in sorted(set(alternatives), key=lambda roots: (roots.bit_count(), roots)):
        if len(kept) < MAX_ALTERNATIVES and not any(other & roots == other for other in kept):
            kept.append(roots)
    return tuple(kept)
