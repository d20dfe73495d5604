"""Snapshots and graphs from wire JSON, for tests of the analysis."""

from __future__ import annotations

from collections.abc import Iterable

from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.results import Record
from reach_mcp.analysis.snapshot import Snapshot, SnapshotBuilder
from reach_mcp.api.pagination import Coverage
from tests.builders import NOW_SECONDS, Json, batch, decode, pending, reference


def read(*batches: Json) -> Snapshot:
    """The snapshot of some batches, read now."""
    builder = SnapshotBuilder()
    for body in batches:
        builder.add(decode(body))
    return builder.build(Coverage(pages=1, batches=len(batches)), NOW_SECONDS)


def graph_of(batches: Iterable[Json]) -> DependencyGraph:
    """The graph of some batches, now."""
    return DependencyGraph(read(*batches), NOW_SECONDS)


def draw(*lines: str, expires: float = 6.0) -> DependencyGraph:
    """A graph from lines `row: missing missing`, over records of the schema `s`. A record may have several lines."""
    rows = [_row(number, line, expires) for number, line in enumerate(lines)]
    return graph_of([batch("b1", *rows)])


def _row(number: int, line: str, expires: float) -> Json:
    record, _, missing = line.partition(":")
    return pending(f"s:{record}", *(f"s:{name}" for name in missing.split()), id=f"row{number}", expires=expires)


def key(graph: DependencyGraph, name: str) -> int:
    """The index of a record of the schema `s`."""
    return graph.snapshot.key_index[reference(f"s:{name}")[:2]]


def keys(graph: DependencyGraph, names: str) -> list[int]:
    """The indexes of records of the schema `s`."""
    return [key(graph, name) for name in names.split()]


def names(graph: DependencyGraph, found: Iterable[int]) -> str:
    """External ids of some keys, in their order."""
    return " ".join(graph.snapshot.keys[one][1] for one in found)


def ids(found: Iterable[Record]) -> str:
    """External ids of some records, in their order."""
    return " ".join(record.external_id for record in found)
