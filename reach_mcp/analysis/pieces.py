"""Counts and sorts large lists in pieces. In one piece, the interpreter would run no other thread meanwhile.

Counting 200,000 rows in one piece takes a tenth of a second, in which the event loop answers nobody.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)

PIECE = 8192


def count(items: Iterable[H]) -> Counter[H]:
    """How often each item comes, as `Counter(items)`."""
    found: Counter[H] = Counter()
    rest = iter(items)
    while piece := list(islice(rest, PIECE)):
        found.update(piece)
    return found


def sort(items: list[T], key: Callable[[T], Any]) -> None:
    """Sort in place, as `items.sort(key=key)`."""
    parts = [sorted(items[start : start + PIECE], key=key) for start in range(0, len(items), PIECE)]
    items[:] = heapq.merge(*parts, key=key)
