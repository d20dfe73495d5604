"""Parts of lists, and pending rows as results have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf, isfinite
from typing import TypeVar

from reach_mcp.analysis.results import Section, WaitingResource
from reach_mcp.analysis.snapshot import PendingRow, Snapshot
from reach_mcp.analysis.times import or_none

S = TypeVar("S")
T = TypeVar("T")

MAX_MISSES = 20
"""Missing records that one row names."""


def section(found: Sequence[S], offset: int, limit: int, describe: Callable[[S], T]) -> Section[T]:
    """Describe the items from `offset` on, at most `limit`. Beyond the end: no items, and the total."""
    start = min(offset, len(found))
    return Section(tuple(map(describe, found[start : start + limit])), len(found), offset)


def soonest_first(snapshot: Snapshot, numbers: Iterable[int]) -> list[int]:
    """Order rows by expiry, those without a readable expiry last; ties go by identity."""
    rows, keys = snapshot.rows, snapshot.keys

    def rank(number: int) -> tuple[float, tuple[str, str], str]:
        row = rows[number]
        return row.expires if isfinite(row.expires) else inf, keys[row.key], row.id

    return sorted(numbers, key=rank)


def describe_row(snapshot: Snapshot, row: PendingRow) -> WaitingResource:
    """Name one pending row, its batch, and the records that it lists as missing."""
    return WaitingResource(
        id=row.id,
        record=snapshot.record(row.key),
        batch_id=snapshot.batches[row.batch].id,
        expires_at=or_none(row.expires),
        created_at=or_none(row.created),
        misses=snapshot.records(row.missing[:MAX_MISSES]),
        misses_total=len(row.missing),
    )
