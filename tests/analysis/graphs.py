"""Graphs from rows and batches, and their numbers as the names that drawings bear.

In the drawings `a -> b` means that a's row lists b as missing; a key in brackets is a root blocker.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any, TypeAlias

from reach_mcp.analysis.evidence import EvidenceBuilder
from reach_mcp.analysis.graph import DependencyGraph, GraphBuilder
from tests.builders import NOW, Json, as_read, batch, split_key

TraceFunction: TypeAlias = Callable[[FrameType, str, Any], Any]

MOMENT = NOW.timestamp()


def read(*batches: Json) -> DependencyGraph:
    """The graph of batches in the order they were read."""
    return read_with_ids(batches)[0]


def read_with_ids(batches: Iterable[Json]) -> tuple[DependencyGraph, Sequence[str]]:
    """The graph of batches, and the id of each of its rows."""
    builder, batches = GraphBuilder(), list(batches)
    for one in batches:
        builder.add(as_read(one))
    graph = builder.build()
    names = {hash(row["id"]): row["id"] for one in batches for row in one.get("pendingResources") or ()}
    return graph, [names[number] for number in graph.row_id.tolist()]


def build_graph(*rows: Json) -> DependencyGraph:
    """The graph of one batch with these rows."""
    return read(batch("b1", *rows))


def build_evidence(*batches: Json) -> EvidenceBuilder:
    """What batches say about records."""
    evidence = EvidenceBuilder()
    for one in batches:
        evidence.add(as_read(one))
    return evidence


def number(graph: DependencyGraph, key: str) -> int:
    """The number of a key, written `schema/externalId`."""
    schema, external = split_key(key)
    return graph.number(f"sd_{schema}", external)


def name(graph: DependencyGraph, key: int) -> str:
    """A key by its number, as `schema/externalId`."""
    definition, external = graph.key(key)
    return f"{definition.removeprefix('sd_')}/{external}"


def names(graph: DependencyGraph, keys: Iterable[int]) -> list[str]:
    """Keys by their numbers, in the order given."""
    return [name(graph, key) for key in keys]


def row_names(graph: DependencyGraph, rows: Iterable[int]) -> list[str]:
    """The keys of rows, sorted."""
    return sorted(name(graph, graph.row_key[row]) for row in rows)


def count_steps(work: Callable[[], object]) -> int:
    """How many lines of Python run while some work is done: a measure of its cost that no other process disturbs.

    Each turn of a loop or a comprehension counts; what C does in one go does not.
    """
    steps = 0

    def count(_frame: FrameType, event: str, _argument: object) -> TraceFunction:
        nonlocal steps
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps
