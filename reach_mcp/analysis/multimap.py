"""A dictionary in which a key can have several values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Multimap(Generic[K, V]):
    """Values by key, in the order in which they were added.

    The first value of a key is kept without a list: nearly all of hundreds of thousands of keys have one.
    """

    def __init__(self, items: Iterable[tuple[K, V]] = ()) -> None:
        items = list(items)
        self._first = dict(items)
        self._more: dict[K, list[V]] = {}
        if len(self._first) < len(items):
            self._add_one_by_one(items)

    def _add_one_by_one(self, items: Iterable[tuple[K, V]]) -> None:
        self._first = {}
        for key, value in items:
            if key in self._first:
                self._more.setdefault(key, []).append(value)
            else:
                self._first[key] = value

    def get(self, key: K) -> list[V]:
        """All values of a key."""
        return [self._first[key], *self._more.get(key, ())] if key in self._first else []

    def __iter__(self) -> Iterator[K]:
        return iter(self._first)

    def __contains__(self, key: object) -> bool:
        return key in self._first

    def shared(self) -> Iterable[K]:
        """Keys that have several values."""
        return self._more
