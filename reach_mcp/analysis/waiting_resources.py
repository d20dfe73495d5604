"""Live pending resources as results have them."""

from __future__ import annotations

from collections.abc import Iterable

from reach_mcp.analysis.results import WaitingResource
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.times import or_none


def describe_rows(snapshot: Snapshot, rows: Iterable[int], *, misses: int = 20) -> tuple[WaitingResource, ...]:
    """Some rows, each with at most so many of the records that it misses."""
    return tuple(_describe_row(snapshot, row, misses) for row in rows)


def _describe_row(snapshot: Snapshot, number: int, misses: int) -> WaitingResource:
    row = snapshot.rows[number]
    return WaitingResource(
        id=row.id,
        record=snapshot.record(row.key),
        batch_id=snapshot.batches[row.batch].id,
        expires_at=or_none(row.expires),
        created_at=or_none(row.created),
        misses=snapshot.records(row.missing[:misses]),
        misses_total=len(row.missing),
    )
