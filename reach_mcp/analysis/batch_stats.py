"""Facts about batches that need no dependency graph: one batch in a line, counts over many, errors in groups."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from reach_mcp.analysis.batch_summary import most_first, summarize_batch
from reach_mcp.analysis.results import BatchDetail, BatchSummary, Census, CounterDifference, ErrorGroup, Holder
from reach_mcp.analysis.rows import describe_row, section
from reach_mcp.analysis.snapshot import SnapshotBuilder
from reach_mcp.analysis.times import DAY, HOUR
from reach_mcp.api.models import Batch, RecordErrors
from reach_mcp.api.pagination import Coverage

__all__ = ["census", "describe_batch", "group_all_errors", "group_errors", "summarize_batch"]

DEFAULT_LIMIT = 50
"""Rows, missing records and error groups of one batch that are listed unless a limit is given."""

MAX_NAMED_BATCHES = 5
"""Batches that a census names for the most pending and the most failed records."""

MAX_VARIANTS = 5
"""Exact messages that an error group lists where they differ."""

_COUNTERS = ("total", "processed", "successful", "pending", "failed")
"""Counters of a batch that a census adds up."""


def census(batches: Sequence[BatchSummary]) -> Census:
    """Count batches by state, type, schema and error category, and add up their readable counters."""
    return Census(
        batches=len(batches),
        by_status=_count(batch.status for batch in batches),
        by_type=_count(batch.type for batch in batches),
        by_schema=_count(batch.schema for batch in batches),
        records=tuple((name, sum(getattr(batch, name) or 0 for batch in batches)) for name in _COUNTERS),
        categories=_sum_categories(batches),
        most_pending=_find_largest(batches, "pending"),
        most_failed=_find_largest(batches, "failed"),
        latest=max(
            (batch for batch in batches if batch.created is not None),
            key=lambda batch: (batch.created or 0.0, batch.id),
            default=None,
        ),
        without_counters=sum(any(getattr(batch, name) is None for name in _COUNTERS) for batch in batches),
    )


def _count(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return most_first(Counter(names).items())


def _sum_categories(batches: Iterable[BatchSummary]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for batch in batches:
        counts.update(dict(batch.categories))
    return most_first(counts.items())


def _find_largest(batches: Iterable[BatchSummary], counter: str) -> tuple[BatchSummary, ...]:
    found = [batch for batch in batches if getattr(batch, counter)]
    return tuple(sorted(found, key=lambda batch: (-getattr(batch, counter), batch.id))[:MAX_NAMED_BATCHES])


Messages = dict[str, dict[tuple[int, str], None]]
"""Exact message to the records that have it: batch number and name."""

_VARIABLE = re.compile(r"""(?<!\w)(["'`]).*?\1|(?<!\S)[^\s\d]*\d\S*""")
"""A quoted part (an apostrophe inside a word opens none), or a word with a digit. Matches in linear time."""


def group_errors(batch: Batch, examples: int = 3) -> tuple[ErrorGroup, ...]:
    """Group a batch's record errors by category and shape of the message, largest group first.

    A record counts once per group and once per exact message, however many texts it has.
    """
    return group_all_errors([("", (batch.errors and batch.errors.details) or {})], examples)


def group_all_errors(
    batches: Iterable[tuple[str, Mapping[str, RecordErrors]]], examples: int = 3
) -> tuple[ErrorGroup, ...]:
    """Group the record errors of several batches, given with their schemas. A record counts once per batch.

    Examples are `schema:external_id` where the schema is given.
    """
    groups: dict[tuple[str, str], Messages] = {}
    shapes: dict[str, str] = {}
    for number, (schema, details) in enumerate(batches):
        for external_id, record in details.items():
            named = (number, f"{schema}:{external_id}" if schema else external_id)
            for position, text in enumerate(record.errors or [""]):
                category = record.categories[min(position, len(record.categories) - 1)] if record.categories else ""
                shape = shapes[text] if text in shapes else shapes.setdefault(text, _VARIABLE.sub("…", text))
                groups.setdefault((category, shape), {}).setdefault(text, {})[named] = None
    found = [_describe_group(category, shape, messages, examples) for (category, shape), messages in groups.items()]
    return tuple(sorted(found, key=lambda group: (-group.records, group.category, group.message)))


def _describe_group(category: str, shape: str, messages: Messages, examples: int) -> ErrorGroup:
    ids = {named: None for records in messages.values() for named in records}
    counts = most_first((text, len(records)) for text, records in messages.items())
    return ErrorGroup(
        category=category,
        message=counts[0][0] if len(counts) == 1 else shape,
        records=len(ids),
        variants=counts[:MAX_VARIANTS] if len(counts) > 1 else (),
        examples=tuple(dict.fromkeys(name for _, name in ids))[:examples],
    )


def describe_batch(
    batch: Batch, now: float, *, limit: int = DEFAULT_LIMIT, offset: int = 0, with_resources: bool = False
) -> BatchDetail:
    """Describe one batch in full: state, error groups, and its live pending rows by missing record.

    `limit` bounds each list. `offset` is of the rows where these are asked for, else of the missing records.
    """
    builder = SnapshotBuilder()
    builder.add(batch)
    snapshot = builder.build(Coverage(batches=1), now)
    live = [row for row in snapshot.rows if not row.expires <= now]
    soonest = sorted(row.expires for row in live if isfinite(row.expires))
    listed = Counter(key for row in live for key in row.missing)
    ranked = sorted(listed, key=lambda key: (-listed[key], snapshot.keys[key]))
    return BatchDetail(
        as_of=now,
        batch=snapshot.batches[0],
        error_groups=section(group_errors(batch), 0, limit, lambda group: group),
        pending=len(live),
        expired=len(snapshot.rows) - len(live),
        within_hour=bisect_right(soonest, now + HOUR),
        within_day=bisect_right(soonest, now + DAY),
        next_expiry=soonest[0] if soonest else None,
        missing=section(
            ranked, 0 if with_resources else offset, limit, lambda key: Holder(snapshot.record(key), listed[key])
        ),
        resources=section(live, offset, limit, lambda row: describe_row(snapshot, row)) if with_resources else None,
    )


def find_differences(batches: Iterable[tuple[BatchSummary, int]]) -> list[CounterDifference]:
    """Compare counters of pending records with the rows that the API lists, largest difference first.

    A batch with an unreadable row is included even where the numbers agree. A batch without a readable counter is
    included where it lists rows.

    Args:
        batches: each with the number of its expired rows, which the API lists as well.
    """
    found = [
        CounterDifference(batch.id, batch.schema, batch.pending, batch.listed, expired, batch.unreadable_resources)
        for batch, expired in batches
        if batch.listed is not None and (batch.unreadable_resources or (batch.pending or 0) != batch.listed)
    ]
    return sorted(found, key=lambda one: (-abs((one.counter or 0) - one.listed), one.batch_id))


def counted_without_rows(batches: Iterable[BatchSummary]) -> list[BatchSummary]:
    """Batches whose counter says that records are pending and for which the API lists none."""
    return [batch for batch in batches if batch.pending and batch.listed == 0]
