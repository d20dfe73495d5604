"""Who waits for which record: the live rows of a snapshot, indexed by key.

    row     key_of  missing        key   listed_by   rows_of
    0       T1      (O1,)          O1    0           1
    1       O1      (C1, C2)       C1    1           -          a root blocker: listed, not pending
    2       X       (C2,)          C2    1, 2        -

O1 is a *link*: pending and listed. Chains and cycles are made of links. Rows and keys are the indexes of the snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import inf

from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop
from reach_mcp.analysis.waiting import Propagation

Selection = bytearray | None
"""One byte per row of the snapshot, 1 where the row counts; None where all rows count."""


class DependencyGraph:
    """The dependency graph of the rows that are live at `now`. Expired rows are in no index."""

    def __init__(self, snapshot: Snapshot, now: float, *, checkpoint: Checkpoint = never_stop) -> None:
        self.snapshot = snapshot
        self.now = now
        rows = snapshot.rows
        self.key_of = [row.key for row in rows]
        self.missing = [row.missing for row in rows]
        self.expires = [row.expires if row.expires == row.expires else inf for row in rows]
        """Unix seconds; infinity where unreadable."""
        self.live = [number for number, expires in enumerate(self.expires) if expires > now]
        """Rows that have not expired; those whose expiry is unreadable among them."""
        self.pending = bytearray(len(snapshot.keys))
        """1 for the keys of live rows."""
        for row in self.live:
            self.pending[self.key_of[row]] = 1
        checkpoint()
        self.listed_by = self._index_lists(checkpoint)
        """Key to the live rows that list it, for every key that one lists."""
        self.roots = [key for key in self.listed_by if not self.pending[key]]
        """Root blockers: listed and not pending."""
        self.links = self._index_links()
        """Link (a key that is pending and listed) to the live rows that have it."""

    def _index_lists(self, checkpoint: Checkpoint) -> dict[int, list[int]]:
        listed_by: defaultdict[int, list[int]] = defaultdict(list)
        missing = self.missing
        for start in range(0, len(self.live), STEPS):
            checkpoint()
            for row in self.live[start : start + STEPS]:
                for key in missing[row]:
                    listed_by[key].append(row)
        return dict(listed_by)

    def _index_links(self) -> dict[int, list[int]]:
        rows_of: dict[int, list[int]] = {key: [] for key in self.listed_by if self.pending[key]}
        key_of = self.key_of
        for row in self.live:
            if (key := key_of[row]) in rows_of:
                rows_of[key].append(row)
        return rows_of

    def rows_of(self, key: int) -> Sequence[int]:
        """The live rows of a key."""
        if key in self.links or not self.pending[key]:
            return self.links.get(key, ())
        return [row for row in self.live if self.key_of[row] == key]

    def waits_on(self, key: int) -> Sequence[int]:
        """The live rows that list a key."""
        return self.listed_by.get(key, ())

    @cached_property
    def lower(self) -> dict[int, Sequence[int]]:
        """Link to the distinct keys that its rows list."""
        return {key: _union(self.missing, rows) for key, rows in self.links.items()}

    @cached_property
    def components(self) -> list[list[int]]:
        """The links by strongly connected component, dependents before what they wait for."""
        return find_components(self.lower)[::-1]

    @cached_property
    def propagation(self) -> Propagation:
        """How rows are passed down through the links."""
        return Propagation(self.lower, self.components)

    @cached_property
    def lists_nothing(self) -> list[int]:
        """Live rows without missing dependencies: nothing holds them, and they are still pending."""
        return [row for row in self.live if not self.missing[row]]

    def selected(self, selection: Selection) -> list[int]:
        """Live rows that count."""
        return self.live if selection is None else [row for row in self.live if selection[row]]


def _union(missing: Sequence[tuple[int, ...]], rows: Sequence[int]) -> Sequence[int]:
    if len(rows) == 1:
        return missing[rows[0]]
    return list(dict.fromkeys(key for row in rows for key in missing[row]))


def find_components(edges: Mapping[int, Iterable[int]], *, checkpoint: Checkpoint = never_stop) -> list[list[int]]:
    """Groups of nodes that lead to one another, each group after all groups that it leads to.

    Nodes that are no key of `edges` are ignored. Tarjan's algorithm with an explicit stack: a cycle may be longer than
    Python's stack is deep.
    """
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    done: set[int] = set()
    groups: list[list[int]] = []
    for origin in edges:
        if origin not in order:
            _visit(origin, edges, order, low, done, groups, checkpoint)
    return groups


def _visit(
    origin: int,
    edges: Mapping[int, Iterable[int]],
    order: dict[int, int],
    low: dict[int, int],
    done: set[int],
    groups: list[list[int]],
    checkpoint: Checkpoint,
) -> None:
    order[origin] = low[origin] = len(order)
    open_nodes = [origin]
    work: list[tuple[int, Iterator[int]]] = [(origin, iter(edges[origin]))]
    while work:
        node, rest = work[-1]
        for target in rest:
            if target not in edges or target in done:
                continue
            if target not in order:
                order[target] = low[target] = len(order)
                if not len(order) % STEPS:
                    checkpoint()
                open_nodes.append(target)
                work.append((target, iter(edges[target])))
                break
            if order[target] < low[node]:
                low[node] = order[target]
        else:
            work.pop()
            if work and low[node] < low[work[-1][0]]:
                low[work[-1][0]] = low[node]
            if low[node] == order[node]:
                groups.append(_close(node, open_nodes, done))


def _close(node: int, open_nodes: list[int], done: set[int]) -> list[int]:
    """Take the component that starts at a node off the stack of open nodes."""
    group = []
    while True:
        group.append(open_nodes.pop())
        if group[-1] == node:
            done.update(group)
            return group[::-1]
