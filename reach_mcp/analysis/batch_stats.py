"""Facts about batches that need no dependency graph: one batch in a line, counts over many, errors in groups."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from reach_mcp.analysis import results
from reach_mcp.analysis.results import BatchDetail, BatchSummary, Census, ErrorGroup, Holder, Section
from reach_mcp.analysis.times import DAY, HOUR, or_none, parse_time
from reach_mcp.api.models import Batch, BatchErrors, RecordErrors
from reach_mcp.api.pagination import Coverage

if TYPE_CHECKING:
    from reach_mcp.analysis.snapshot import PendingRow, Snapshot

MAX_NAMED_BATCHES = 5
"""Batches that a census names for the most pending and the most failed records."""

MAX_EXAMPLES = 3
"""Records, or batches, that an error group names."""

MAX_VARIANTS = 5
"""Exact messages that an error group lists where they differ."""

MAX_MISSES = 20
"""Missing records that one row names."""

_COUNTERS = ("total", "processed", "successful", "pending", "failed")
"""Counters of a batch that a census adds up."""


def summarize_batch(batch: Batch, with_details: bool) -> BatchSummary:
    """Describe one batch without its records. `with_details` says that its pending resources were asked for."""
    progress, errors = batch.progress, batch.errors or BatchErrors()
    return BatchSummary(
        id=batch.batch_id,
        status=batch.status,
        type=batch.batch_type,
        schema=batch.schema_name or batch.schema_definition_id or "",
        schema_id=batch.schema_definition_id or "",
        created=or_none(parse_time(batch.created_at)),
        started=or_none(parse_time(batch.started_at)),
        completed=or_none(parse_time(batch.completed_at)),
        total=progress.total_records,
        processed=progress.processed_records,
        successful=progress.successful_records,
        failed=progress.failed_records,
        pending=progress.pending_records,
        success_rate=progress.success_rate,
        message=errors.message or "",
        categories=_count_categories(errors),
        listed=len(batch.pending_resources or ()) + batch.unreadable_resources if with_details else None,
        unreadable_resources=batch.unreadable_resources,
        unreadable_counters=batch.unreadable_counters,
        failed_records_named=len(errors.details or ()),
    )


def _count_categories(errors: BatchErrors) -> tuple[tuple[str, int], ...]:
    """Return the API's summary, or count the categories of the details, each once per record."""
    if errors.summary:
        return _most_first(errors.summary)
    details = errors.details or {}
    return _most_first(Counter(name for record in details.values() for name in set(record.categories)))


def _most_first(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def census(batches: Sequence[BatchSummary]) -> Census:
    """Count batches by state, type, schema and error category, and add up their readable counters."""
    categories, by_age = Counter[str](), _sort_by_age(batches)
    for batch in batches:
        categories.update(dict(batch.categories))
    named = [min(batch.failed_records_named, batch.failed or 0) for batch in batches]
    return Census(
        batches=len(batches),
        by_status=_most_first(Counter(batch.status for batch in batches)),
        by_type=_most_first(Counter(batch.type for batch in batches)),
        by_schema=_most_first(Counter(batch.schema for batch in batches)),
        records=tuple((name, sum(getattr(batch, name) or 0 for batch in batches)) for name in _COUNTERS),
        categories=_most_first(categories),
        most_pending=_find_largest(batches, "pending"),
        most_failed=_find_largest(batches, "failed"),
        latest=by_age[-1] if by_age else None,
        without_counters=sum(any(getattr(batch, name) is None for name in _COUNTERS) for batch in batches),
        errors_named=sum(named),
        errors_covered=sum(
            batch.failed or 0 if batch.message else count for batch, count in zip(batches, named, strict=True)
        ),
        oldest_live=next((batch for batch in by_age if batch.live), None),
        all_expired=sum(batch.live == 0 and bool(batch.expired) for batch in batches),
    )


def find_oldest(batches: Iterable[BatchSummary]) -> BatchSummary | None:
    """The batch created first; None where no batch has a readable time."""
    return next(iter(_sort_by_age(batches)), None)


def _sort_by_age(batches: Iterable[BatchSummary]) -> list[BatchSummary]:
    """The batches with a readable time of creation, the oldest first."""
    dated = [batch for batch in batches if batch.created is not None]
    return sorted(dated, key=lambda batch: (batch.created or 0.0, batch.id))


def _find_largest(batches: Iterable[BatchSummary], counter: str) -> tuple[BatchSummary, ...]:
    found = [batch for batch in batches if getattr(batch, counter)]
    return tuple(sorted(found, key=lambda batch: (-getattr(batch, counter), batch.id))[:MAX_NAMED_BATCHES])


# --- errors --------------------------------------------------------------------------------------------------------

Details: TypeAlias = Mapping[str, RecordErrors]
"""External id to its errors."""

Named: TypeAlias = tuple[int, str]
"""A record (number of its batch, name), or a batch that failed as a whole (-1, id)."""

_VARIABLE = re.compile(r"""(?<!\w)(["'`]).*?\1|(?<!\S)[^\s\d]*\d\S*""")
"""A quoted part (an apostrophe inside a word opens none), or a word with a digit. Matches in linear time."""


def group_errors(
    details: Iterable[tuple[str, Details]], batches: Iterable[BatchSummary] = ()
) -> tuple[ErrorGroup, ...]:
    """Group errors by category and shape of the message, most records first.

    A record counts once per batch and group, and once per exact message, however many texts it has.

    Args:
        details: the record errors of each batch, with its schema. Examples are `schema:external_id` where it is given.
        batches: those of which an error of the batch as a whole counts, with the failed records that have no own error.
    """
    groups: dict[tuple[bool, str, str], dict[str, dict[Named, int]]] = {}
    find_shape = cache(partial(_VARIABLE.sub, "…"))
    whole = ((True, "", one.message, (-1, one.id), _count_unnamed(one)) for one in batches if one.message)
    for is_whole, category, text, named, records in chain(_list_errors(details), whole):
        groups.setdefault((is_whole, category, find_shape(text)), {}).setdefault(text, {})[named] = records
    found = [_describe_group(*key, messages) for key, messages in groups.items()]
    return tuple(sorted(found, key=lambda group: (-group.records, group.category, group.message)))


def _list_errors(details: Iterable[tuple[str, Details]]) -> Iterator[tuple[bool, str, str, Named, int]]:
    for number, (schema, records) in enumerate(details):
        for external_id, record in records.items():
            named = number, f"{schema}:{external_id}" if schema else external_id
            for position, text in enumerate(record.errors or [""]):
                category = record.categories[min(position, len(record.categories) - 1)] if record.categories else ""
                yield False, category, text, named, 1


def _count_unnamed(batch: BatchSummary) -> int:
    """The failed records of a batch (all, where the API does not count them) that have no error of their own."""
    failed = batch.total if batch.failed is None else batch.failed
    return max(0, (failed or 0) - batch.failed_records_named)


def _describe_group(whole: bool, category: str, shape: str, messages: dict[str, dict[Named, int]]) -> ErrorGroup:
    ids = {named: records for each in messages.values() for named, records in each.items()}
    counts = _most_first({text: len(each) for text, each in messages.items()})
    return ErrorGroup(
        category=category,
        message=counts[0][0] if len(counts) == 1 else shape,
        records=sum(ids.values()),
        variants=counts[:MAX_VARIANTS] if len(counts) > 1 else (),
        examples=tuple(dict.fromkeys(name for _, name in ids))[:MAX_EXAMPLES],
        whole_batch=whole,
        batches=len(ids) if whole else 0,
    )


# --- pending resources ---------------------------------------------------------------------------------------------


def describe_batch(
    batch: Batch, now: float, *, limit: int, offset: int = 0, with_resources: bool = False
) -> BatchDetail:
    """Describe one batch in full: state, error groups, and its live pending rows by missing record.

    `limit` bounds each list. `offset` is of the rows where these are asked for, else of the missing records.
    """
    from reach_mcp.analysis.snapshot import SnapshotBuilder  # it imports this module

    builder = SnapshotBuilder()
    builder.add(batch)
    snapshot = builder.build(Coverage(batches=1), now)
    live = [row for row in snapshot.rows if not row.expires <= now]
    soonest = sorted(row.expires for row in live if isfinite(row.expires))
    listed = Counter(key for row in live for key in row.missing)
    ranked = sorted(listed, key=lambda key: (-listed[key], snapshot.keys[key]))
    rows = Section.of(live, offset, limit).map(partial(describe_row, snapshot))
    missing = Section.of(ranked, 0 if with_resources else offset, limit)
    errors = group_errors((("", details) for _, details in snapshot.error_details), snapshot.batches)
    return BatchDetail(
        as_of=now,
        batch=snapshot.batches[0],
        error_groups=Section.of(errors, 0, limit),
        pending=len(live),
        expired=len(snapshot.rows) - len(live),
        within_hour=bisect_right(soonest, now + HOUR),
        within_day=bisect_right(soonest, now + DAY),
        next_expiry=soonest[0] if soonest else None,
        missing=missing.map(lambda key: Holder(snapshot.record(key), listed[key])),
        resources=rows if with_resources else None,
        lists_nothing=sum(not row.missing for row in live),
    )


def describe_row(snapshot: Snapshot, row: PendingRow) -> results.WaitingResource:
    """Name one pending row, its batch, and the records that it lists as missing."""
    return results.WaitingResource(
        id=row.id,
        record=snapshot.record(row.key),
        batch_id=snapshot.batches[row.batch].id,
        expires_at=or_none(row.expires),
        created_at=or_none(row.created),
        misses=snapshot.records(row.missing[:MAX_MISSES]),
        misses_total=len(row.missing),
    )


def find_differences(batches: Iterable[BatchSummary]) -> list[results.CounterDifference]:
    """Compare counters of pending records with the rows that the API lists, largest difference first.

    A batch with an unreadable row or counter is included even where the numbers agree. A batch without a counter is
    included where it lists rows.
    """
    found = [
        results.CounterDifference(
            batch.id, batch.schema, batch.pending, batch.listed, batch.expired or 0, batch.unreadable_resources
        )
        for batch in batches
        if batch.listed is not None
        and (batch.unreadable_resources or has_unreadable_counter(batch) or (batch.pending or 0) != batch.listed)
    ]
    return sorted(found, key=lambda one: (-abs((one.counter or 0) - one.listed), one.batch_id))


def has_unreadable_counter(batch: BatchSummary) -> bool:
    """Whether the API gives a counter of pending records that is no sensible number."""
    return "pendingRecords" in batch.unreadable_counters


def counted_without_rows(batches: Iterable[BatchSummary]) -> list[BatchSummary]:
    """Batches whose counter says that records are pending and for which the API lists none."""
    return [batch for batch in batches if batch.pending and batch.listed == 0]
