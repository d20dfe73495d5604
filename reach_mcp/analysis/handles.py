"""Short names for keys, the same on every replica and in every call."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from reach_mcp.analysis.graph import DependencyGraph, Key

SHORTEST = 5
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_BITS = 5 * 26


def key_number(key: Key) -> int:
    """A hash of an identity, the same everywhere: 130 bits."""
    text = "\0".join(key).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=17).digest()) >> 6


def digest(key: Key) -> str:
    """The whole name that handles are the beginning of: 26 characters of base 32 over a hash of the identity."""
    return shorten(key_number(key), _BITS // 5)


def shorten(number: int, length: int) -> str:
    """The first characters of a name."""
    return "".join(_LETTERS[number >> shift & 31] for shift in range(_BITS - 5, _BITS - 5 - 5 * length, -5))


def build_handles(graph: DependencyGraph, keys: Sequence[int]) -> dict[int, str]:
    """A handle for each of some keys, long enough to tell it from every other root blocker."""
    numbers = sorted(map(key_number, map(graph.key, graph.roots))) if keys else []
    return {key: f"b-{digest(graph.key(key))[: _length(key_number(graph.key(key)), numbers)]}" for key in keys}


def _length(number: int, others: list[int]) -> int:
    """Characters that tell a name from its neighbours in a sorted list; all others differ from it sooner."""
    place = bisect_left(others, number)
    near = [other for other in others[max(place - 1, 0) : place + 2] if other != number]
    same = max((_BITS - (number ^ other).bit_length() for other in near), default=0)
    return max(SHORTEST, same // 5 + 1)


def find_handle(graph: DependencyGraph, handle: str) -> list[int]:
    """The keys that a handle may mean: root blockers first, else pending keys; one, unless it is too short."""
    start = handle.removeprefix("b-").lower()
    found = [key for key in graph.roots if digest(graph.key(key)).startswith(start)]
    return found or [key for key in np.unique(graph.row_key).tolist() if digest(graph.key(key)).startswith(start)]
