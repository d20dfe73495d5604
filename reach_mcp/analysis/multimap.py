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
        self._first: dict[K, V] = {}
        self._more: dict[K, list[V]] = {}
        for key, value in items:
            self.add(key, value)

    def add(self, key: K, value: V) -> None:
        """Add a value to those of a key."""
        if key in self._first:
            self._more.setdefault(key, []).append(value)
        else:
            self._first[key] = value

    def get(self, key: K) -> list[V]:
        """All values of a key."""
        return [self._first[key], *self._more.get(key, ())] if key in self._first else []

    def __iter__(self) -> Iterator[K]:
        return iter(self._first)

    def __contains__(self, key: K) -> bool:
        return key in self._first

    def shared(self) -> Iterable[K]:
        """Keys that have several values."""
        return self._more
