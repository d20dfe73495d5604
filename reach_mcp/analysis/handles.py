"""Short names for keys, the same on every replica and in every call."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from reach_mcp.analysis.graph import DependencyGraph, Key

SHORTEST = 5


def digest(key: Key) -> str:
    """The whole name that handles are the beginning of: 26 characters of base 32 over a hash of the identity."""
    text = "\0".join(key).encode("utf-8", "surrogatepass")
    return base64.b32encode(hashlib.blake2b(text, digest_size=16).digest()).decode().lower().rstrip("=")


def build_handles(graph: DependencyGraph, keys: Iterable[int]) -> dict[int, str]:
    """A handle for each of some keys, long enough to tell it from every other root blocker."""
    digests = sorted(digest(graph.key(root)) for root in graph.roots)
    return {key: f"b-{_shortest(digest(graph.key(key)), digests)}" for key in keys}


def _shortest(name: str, others: list[str]) -> str:
    length = SHORTEST
    while sum(1 for other in others if other.startswith(name[:length])) > 1 and length < len(name):
        length += 1
    return name[:length]


def find_handle(graph: DependencyGraph, handle: str) -> list[int]:
    """The keys that a handle may mean: root blockers first, else pending keys; one, unless it is too short."""
    start = handle.removeprefix("b-").lower()
    found = [key for key in graph.roots if digest(graph.key(key)).startswith(start)]
    return found or [key for key in sorted(set(graph.row_key)) if digest(graph.key(key)).startswith(start)]
