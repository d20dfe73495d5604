"""Cycles: stuck records that wait for each other, and the references to leave out so that they clear."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

from reach_mcp.analysis.graph import DependencyGraph, Selection, find_components
from reach_mcp.analysis.results import Cycle, Section
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.stop import Checkpoint, never_stop, paced
from reach_mcp.analysis.times import or_none
from reach_mcp.analysis.waiting import Propagation

MAX_WALK_STEPS = 2000
"""Steps of the search for one walk around a cycle in which members wait for several others."""


@dataclass(frozen=True, slots=True)
class KeyCycle:
    """A strongly connected group of stuck keys, or a key that waits for itself. Counts are of selected rows."""

    number: int
    """Index into `StuckGraph.cycles`."""
    members: tuple[int, ...]
    rows: int
    behind: int
    earliest: float
    """Earliest readable expiry among `rows` and `behind`."""


class StuckGraph:
    """The keys and rows that do not clear when every root blocker arrives."""

    def __init__(self, graph: DependencyGraph, clearance: Clearance, *, checkpoint: Checkpoint = never_stop) -> None:
        self._graph = graph
        self._clearance = clearance
        self._checkpoint = checkpoint
        self.rows = clearance.stuck
        """Stuck rows."""
        stuck_links = [key for key in graph.links if not clearance.arrives(key)]
        self.lower = {key: self._stuck(graph.lower[key]) for key in stuck_links}
        """Stuck link to the stuck keys that its rows list."""
        self._components = find_components(self.lower, checkpoint=checkpoint)[::-1]
        keys = graph.snapshot.keys
        found = [
            tuple(sorted(group, key=keys.__getitem__))
            for group in self._components
            if len(group) > 1 or group[0] in self.lower[group[0]]
        ]
        self.cycles: list[tuple[int, ...]] = sorted(found, key=lambda group: keys[group[0]])
        """The members of every cycle."""

    def _stuck(self, keys: Iterable[int]) -> list[int]:
        return [key for key in keys if key in self._graph.links and not self._clearance.arrives(key)]

    @cached_property
    def in_cycles(self) -> list[int]:
        """Stuck rows of members."""
        return [row for members in self.cycles for key in members for row in self._graph.rows_of(key)]

    @cached_property
    def cycle_of(self) -> dict[int, int]:
        """Member to the number of its cycle."""
        return {key: number for number, members in enumerate(self.cycles) for key in members}

    @cached_property
    def _listed(self) -> list[tuple[int, ...]]:
        """The stuck keys that each row lists."""
        listed: list[tuple[int, ...]] = [()] * len(self._graph.missing)
        for row in self.rows:
            listed[row] = tuple(self._stuck(self._graph.missing[row]))
        return listed

    def rank(self, selection: Selection = None) -> list[KeyCycle]:
        """Every cycle that holds selected rows: members or behind. Most rows first, then earliest expiry and keys."""
        if not self.cycles:
            return []
        rows = [row for row in self.rows if selection is None or selection[row]]
        rows.sort(key=self._graph.expires.__getitem__)
        propagation = Propagation(self.lower, self._components)
        counts, earliest = propagation.count(self._listed, self._graph.expires, rows, self._checkpoint)
        found = []
        for number, members in enumerate(self.cycles):
            own = [row for key in members for row in self._graph.rows_of(key) if selection is None or selection[row]]
            inside = sum(any(self.cycle_of.get(key) == number for key in self._listed[row]) for row in own)
            behind = counts.get(members[0], 0) - inside
            first = min([earliest.get(members[0], inf), *map(self._graph.expires.__getitem__, own)])
            found.append(KeyCycle(number, members, len(own), behind, first))
        return sorted(
            (cycle for cycle in found if cycle.rows + cycle.behind),
            key=lambda cycle: (-cycle.rows - cycle.behind, cycle.earliest, cycle.number),
        )

    def below(self, rows: Iterable[int]) -> list[int]:
        """Numbers of all cycles that some rows are in or wait behind, ascending."""
        keys = find_reachable((key for row in rows for key in self._listed[row]), self.lower.__getitem__)
        return sorted({self.cycle_of[key] for key in keys if key in self.cycle_of})

    def references(self, number: int) -> dict[int, list[int]]:
        """Member to the members that its rows list."""
        members = self.cycles[number]
        place = {key: number for number, key in enumerate(members)}
        return {key: sorted(place.keys() & set(self.lower[key]), key=place.__getitem__) for key in members}

    def missing_below(self, number: int) -> set[int]:
        """Root blockers for which members wait as well, directly or through others."""
        keys = find_reachable(self.cycles[number], lambda key: self._graph.lower.get(key, ()))
        return {key for key in keys if not self._graph.pending[key]}


def find_reachable(
    starts: Iterable[int], following: Callable[[int], Iterable[int]], checkpoint: Checkpoint = never_stop
) -> list[int]:
    """The keys that can be reached from some keys, these included, each once, the nearest first."""
    found = dict.fromkeys(starts)
    order = list(found)
    for key in paced(order, checkpoint):  # it grows meanwhile
        fresh = dict.fromkeys(one for one in following(key) if one not in found)
        found |= fresh
        order += fresh
    return order


def order_walk(references: Mapping[int, Sequence[int]]) -> list[int] | None:
    """The members in the order of one walk around, each waiting for the next; None where a short search finds none."""
    start = next(iter(references))
    walk, choices = [start], [iter(references[start])]
    on_walk = {start}
    for _ in range(max(MAX_WALK_STEPS, 2 * len(references))):
        if len(walk) == len(references) and start in references[walk[-1]]:
            return walk
        following = next((key for key in choices[-1] if key not in on_walk), None)
        if following is not None:
            walk.append(following)
            on_walk.add(following)
            choices.append(iter(references[following]))
        elif len(walk) == 1:
            break
        else:
            on_walk.discard(walk.pop())
            choices.pop()
    return None


def choose_references(references: Mapping[int, Sequence[int]]) -> list[tuple[int, int]]:
    """A small set of references (from member, to member) without which no cycle is left among the members.

    Members clear one after another. Whenever none can, the member that waits for fewest others (of those, the one for
    which most others wait) leaves its remaining references out.
    """
    upper: dict[int, list[int]] = {key: [] for key in references}
    for key, lowers in references.items():
        for lower in lowers:
            upper[lower].append(key)
    open_references = {key: dict.fromkeys(lowers) for key, lowers in references.items()}
    place = {key: number for number, key in enumerate(references)}
    heap = [(len(lowers), -len(upper[key]), place[key], key) for key, lowers in references.items()]
    heapq.heapify(heap)
    chosen: list[tuple[int, int]] = []
    while heap:
        count, _, _, key = heapq.heappop(heap)
        if key not in open_references or count != len(open_references[key]):
            continue
        chosen += [(key, lower) for lower in open_references.pop(key)]
        for waiting in upper[key]:
            if waiting in open_references:
                left = open_references[waiting]
                del left[key]
                heapq.heappush(heap, (len(left), -len(upper[waiting]), place[waiting], waiting))
    return chosen


def describe_cycle(graph: DependencyGraph, stuck: StuckGraph, cycle: KeyCycle, *, members: int | None = None) -> Cycle:
    """A cycle as results have it, with at most so many of its members (None: all)."""
    references = stuck.references(cycle.number)
    walk = order_walk(references)
    record = graph.snapshot.record
    return Cycle(
        members=Section(graph.snapshot.records((walk or list(references))[:members]), len(references)),
        one_walk=walk is not None,
        leave_out=tuple((record(source), record(target)) for source, target in choose_references(references)),
        rows=cycle.rows,
        behind=cycle.behind,
        missing=len(stuck.missing_below(cycle.number)),
        earliest_expiry=or_none(cycle.earliest),
    )
