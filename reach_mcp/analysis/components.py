"""Strongly connected components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reach_mcp.analysis.stop import STEPS, Checkpoint, never_stop


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
