"""Which sets of missing records clear a row.

A *requirement* is the alternatives of one row, each a set of root blockers: the row clears when all roots of one
alternative arrive. Roots are given by their place in the ranking, so that results do not depend on the order of pages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.simulation import Arrival, Clearance
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

Roots: TypeAlias = frozenset[int]
Requirement: TypeAlias = frozenset[Roots]
"""Alternatives of which none contains another. Empty: no set of candidates of the size allowed clears the row."""

Weights: TypeAlias = Mapping[Requirement, int]
"""Requirement to the number of rows that have it."""

MAX_ALTERNATIVES = 8
"""Alternatives kept for one row; several exist only where a record is pending in several rows."""

MAX_PASSES = 8
"""Passes over the links in which their requirements may still grow by further alternatives."""

MET: Requirement = frozenset([frozenset()])
"""The requirement of a row that clears whatever is sent."""


@dataclass
class RequirementFinder:
    """Finds the requirements that at most `size` candidates can meet after what has arrived."""

    graph: DependencyGraph
    clearance: Clearance
    arrival: Arrival
    size: int
    checkpoint: Checkpoint = never_stop

    def weigh(self, lists: Mapping[tuple[int, ...], int], places: Mapping[int, int]) -> dict[Requirement, int]:
        """Count rows by requirement.

        Args:
            lists: the keys that rows list, to the number of rows that list exactly these.
            places: candidate to its place in the ranking.
        """
        of_key = self._find_links(places)
        usable = {*places, *of_key}
        weights: defaultdict[Requirement, int] = defaultdict(int)
        for number, (listed, rows) in enumerate(lists.items()):
            if not number % STEPS:
                self.checkpoint()
            if usable.issuperset(listed):
                weights[self._combine(listed, of_key, places)] += rows
        return {needs: rows for needs, rows in weights.items() if needs and needs != MET}

    def _find_links(self, places: Mapping[int, int]) -> dict[int, Requirement]:
        """The requirements of the links that candidates make arrive."""
        of_key: dict[int, Requirement] = {}
        for _ in range(MAX_PASSES):
            if not self._pass_over_links(of_key, places):
                break
        return of_key

    def _pass_over_links(self, of_key: dict[int, Requirement], places: Mapping[int, int]) -> bool:
        """Look at the links in the order in which they arrive. Returns whether a known requirement has grown."""
        grown = False
        for number, key in enumerate(self.clearance.round_of):
            if not number % STEPS:
                self.checkpoint()
            known = of_key.get(key)
            needs = self._require(key, of_key, places)
            if needs and needs != known:
                of_key[key] = needs
                grown = grown or known is not None
        return grown

    def _require(self, key: int, of_key: Mapping[int, Requirement], places: Mapping[int, int]) -> Requirement:
        """The alternatives of all rows of a link."""
        if self.arrival.arrived[key]:
            return MET
        rows = [row for row in self.graph.rows_of(key) if not self.clearance.is_stuck(row)]
        found = [self._combine(self.graph.missing[row], of_key, places) for row in rows]
        return found[0] if len(found) == 1 else _least(roots for needs in found for roots in needs)

    def _combine(
        self, listed: Iterable[int], of_key: Mapping[int, Requirement], places: Mapping[int, int]
    ) -> Requirement:
        """The requirement of a row that lists these keys."""
        roots: list[int] = []
        links: list[Requirement] = []
        for key in listed:
            if key in places:
                roots.append(places[key])
            elif key in of_key:
                links.append(of_key[key])
            else:
                return frozenset()
            if len(roots) > self.size:
                return frozenset()
        needs = frozenset([frozenset(roots)])
        for link in links:
            joined = {one | two for one in needs for two in link}
            needs = _least(alternative for alternative in joined if len(alternative) <= self.size)
        return needs


def _least(alternatives: Iterable[Roots]) -> Requirement:
    """The smallest alternatives of which none contains another."""
    kept: list[Roots] = []
    for alternative in sorted(set(alternatives), key=lambda roots: (len(roots), sorted(roots))):
        if len(kept) < MAX_ALTERNATIVES and not any(other <= alternative for other in kept):
            kept.append(alternative)
    return frozenset(kept)
