"""Batches whose counter of pending records disagrees with the pending resources that the API lists for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reach_mcp.analysis.results import BatchSummary, CounterDifference
from reach_mcp.analysis.snapshot import Snapshot


def find_differences(snapshot: Snapshot, batches: Iterable[int], now: float) -> list[CounterDifference]:
    """Compare counters with rows, largest difference first.

    Expired rows and unreadable ones are listed by the API and are told apart. A batch with an unreadable row is
    included even where the numbers agree. A batch without a readable counter is included where it lists rows.
    """
    expired = Counter(row.batch for row in snapshot.rows if row.expires <= now)
    found = [
        CounterDifference(
            batch_id=batch.id,
            schema=batch.schema,
            counter=batch.pending,
            listed=batch.listed or 0,
            expired=expired[number],
            unreadable=batch.unreadable_resources,
        )
        for number, batch in ((number, snapshot.batches[number]) for number in batches)
        if batch.listed is not None and _differs(batch)
    ]
    return sorted(found, key=lambda one: (-abs((one.counter or 0) - one.listed), one.batch_id))


def _differs(batch: BatchSummary) -> bool:
    return bool(batch.unreadable_resources) or (batch.pending or 0) != (batch.listed or 0)


def counted_without_rows(snapshot: Snapshot, batches: Iterable[int]) -> list[BatchSummary]:
    """Batches whose counter says that records are pending and for which the API lists none."""
    return [one for one in map(snapshot.batches.__getitem__, batches) if one.pending and one.listed == 0]
