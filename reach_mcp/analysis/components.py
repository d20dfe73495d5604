"""Strongly connected components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def find_components(ways: Mapping[int, Iterable[int]]) -> list[list[int]]:
    """Groups of nodes that lead to one another, each group after all that it leads to.

    Tarjan's algorithm with a stack of its own: a circle may be longer than Python's stack is deep.
    """
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    open_keys: list[int] = []
    is_open: set[int] = set()
    groups: list[list[int]] = []
    for origin in ways:
        if origin in order:
            continue
        work = [(origin, iter(ways[origin]))]
        order[origin] = low[origin] = len(order)
        open_keys.append(origin)
        is_open.add(origin)
        while work:
            key, rest = work[-1]
            for dep in rest:
                if dep not in order:
                    order[dep] = low[dep] = len(order)
                    open_keys.append(dep)
                    is_open.add(dep)
                    work.append((dep, iter(ways[dep])))
                    break
                if dep in is_open:
                    low[key] = min(low[key], order[dep])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == order[key]:
                    group = open_keys[_place(open_keys, key) :]
                    del open_keys[len(open_keys) - len(group) :]
                    is_open.difference_update(group)
                    groups.append(group)
    return groups


def _place(open_keys: list[int], key: int) -> int:
    place = len(open_keys) - 1
    while open_keys[place] != key:
        place -= 1
    return place
