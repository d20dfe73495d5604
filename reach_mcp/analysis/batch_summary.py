"""One batch in a line: state, counters and error categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reach_mcp.analysis.results import BatchSummary
from reach_mcp.analysis.times import or_none, parse_time
from reach_mcp.api.models import Batch, BatchErrors


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
        return most_first(errors.summary.items())
    details = errors.details or {}
    return most_first(Counter(name for record in details.values() for name in set(record.categories)).items())


def most_first(counts: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Sort (name, count) by count, largest first, then by name."""
    return tuple(sorted(counts, key=lambda item: (-item[1], item[0])))
