"""Walks through the graph from one place: shortest paths down to all that is below, and all rows above."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop

MAX_PATH = 20
"""Keys of one path. The middle of a longer one is left out."""

_HALF = MAX_PATH // 2


class Descent:
    """Shortest paths from some keys down to every key below them. Linear in keys and links; ties go by identity."""

    def __init__(
        self,
        graph: DependencyGraph,
        start: Iterable[int],
        lists: Callable[[int], Sequence[int]],
        *,
        checkpoint: Checkpoint = never_stop,
    ) -> None:
        """
        Args:
            lists: the keys that the live rows of a key list; empty for a key without live rows.
        """
        identity = graph.snapshot.keys.__getitem__
        self.order = sorted(start, key=identity)
        """Every key reached, the nearest first."""
        self._parent: dict[int, int] = dict.fromkeys(self.order, -1)
        self._depth = dict.fromkeys(self.order, 0)
        self._head = {key: key for key in self.order}
        for place, key in enumerate(self.order):
            if not place % STEPS:
                checkpoint()
            self._add([below for below in lists(key) if below not in self._parent], key, identity)

    def _add(self, fresh: list[int], above: int, identity: Callable[[int], tuple[str, str]]) -> None:
        depth = self._depth[above] + 1
        for key in sorted(fresh, key=identity):
            self._parent[key] = above
            self._depth[key] = depth
            self._head[key] = key if depth < _HALF else self._head[above]
            self.order.append(key)

    def steps(self, key: int) -> int:
        """The steps from the nearest start down to a key."""
        return self._depth[key]

    def path(self, key: int) -> list[int]:
        """The keys of a shortest path, both ends included: all of them, or the first and last ten."""
        if self._depth[key] < MAX_PATH:
            return self._climb(key, MAX_PATH)
        return self._climb(self._head[key], _HALF) + self._climb(key, _HALF)

    def _climb(self, key: int, most: int) -> list[int]:
        found: list[int] = []
        while key >= 0 and len(found) < most:
            found.append(key)
            key = self._parent[key]
        return found[::-1]


def rows_above(graph: DependencyGraph, keys: Iterable[int]) -> set[int]:
    """The live rows that wait for any of some keys, directly or through others."""
    unseen = list(dict.fromkeys(keys))
    seen, found = set(unseen), set[int]()
    while unseen:
        rows = graph.waits_on(unseen.pop())
        found.update(rows)
        fresh = {graph.key_of[row] for row in rows} - seen
        seen |= fresh
        unseen.extend(fresh)
    return found
