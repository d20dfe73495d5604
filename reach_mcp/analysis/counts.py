"""Counts of the selected rows that need no graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, compress, count
from math import isnan

from reach_mcp.analysis.batch_stats import counted_without_rows, has_unreadable_counter
from reach_mcp.analysis.filters import Matched
from reach_mcp.analysis.results import Counts
from reach_mcp.analysis.snapshot import Snapshot


def count_rows(snapshot: Snapshot, matched: Matched, live: Sequence[int]) -> Counts:
    """Count the live rows selected, and what the API says of their batches. Counts that need the graph are None.

    Rows of the same batches that are not selected, since they are of another schema, are in no number: what they add to
    a batch's counter is taken off.
    """
    rows = [snapshot.rows[number] for number in live]
    batches = [snapshot.batches[number] for number in matched.batches]
    others = _count_others(snapshot, matched)
    selected, unreadable = sum(matched.rows), sum(batch.unreadable_resources for batch in batches)
    listed = sum(batch.listed or 0 for batch in batches) - sum(others.values())
    holding = set(chain.from_iterable(map(snapshot.batches_of, live)))
    return Counts(
        pending=len(rows),
        batches=len(holding.intersection(matched.batches)),
        missing_records=None,
        cleared_by_plan=None,
        stuck=None,
        in_cycles=None,
        lists_nothing=sum(not row.missing for row in rows),
        cycles=None,
        expired=selected - len(rows),
        unreadable_expiry=sum(isnan(row.expires) for row in rows),
        duplicates=snapshot.repeats.listed,
        counters_pending=sum(
            max(0, batch.pending - others.get(number, 0))
            for number, batch in zip(matched.batches, batches, strict=True)
            if batch.pending is not None
        ),
        unreadable_resources=unreadable,
        batches_with_counter_but_no_rows=len(counted_without_rows(batches)),
        repeated=max(0, listed - unreadable - selected),
        unreadable_counters=sum(map(has_unreadable_counter, batches)),
    )


def _count_others(snapshot: Snapshot, matched: Matched) -> Mapping[int, int]:
    """How many rows of each batch selected are not selected themselves."""
    if matched.report is None:
        return {}
    own = Counter(chain.from_iterable(map(snapshot.batches_of, compress(count(), matched.rows))))
    held = {number: snapshot.batches[number] for number in matched.batches}
    return {number: (one.live or 0) + (one.expired or 0) - own[number] for number, one in held.items()}
