"""Snapshots of batches for tests of the analysis."""

from __future__ import annotations

from reach_mcp.analysis.causes import CauseFinder
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.results import CauseFinding
from reach_mcp.analysis.snapshot import Snapshot, SnapshotBuilder
from reach_mcp.api.pagination import Coverage
from tests.builders import NOW_SECONDS, Json, Key, decode, reference


def read(*batches: Json) -> Snapshot:
    """The snapshot that a reading of batches brings."""
    builder = SnapshotBuilder()
    for one in batches:
        builder.add(decode(one))
    return builder.build(Coverage(pages=1, batches=len(batches)), NOW_SECONDS)


def find_causes(*batches: Json) -> dict[str, CauseFinding]:
    """The finding of every root blocker, by `schema:external_id`."""
    snapshot = read(*batches)
    graph = DependencyGraph(snapshot, NOW_SECONDS)
    found = CauseFinder(snapshot, graph).find(graph.roots)
    return {snapshot.record(key).name: finding for key, finding in found.items()}


def find_cause(key: Key, *batches: Json) -> CauseFinding:
    """The finding of one record that the batches list as missing."""
    snapshot = read(*batches)
    record = reference(key)
    number = snapshot.key_index[record.schema_id, record.external_id]
    return CauseFinder(snapshot, DependencyGraph(snapshot, NOW_SECONDS)).find([number])[number]
