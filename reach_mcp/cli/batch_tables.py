"""Tables of `list` and `batch`."""

from __future__ import annotations

from collections.abc import Iterable

from reach_mcp.analysis.results import BatchDetail, BatchListing, BatchSummary, Census, ErrorGroup
from reach_mcp.cli.table import Cell, Column, Report, Table, Time, columns, items, part
from reach_mcp.cli.words import count, describe_coverage, describe_filter, short_type
from reach_mcp.render.formatting import tally

BATCH_COLUMNS = columns("$batch | $status | type | schema | @created | #records | #failed | #pending | ~error")


def at(seconds: float | None, *, relative: bool = False) -> Time | None:
    """A time cell; None where there is no time."""
    return None if seconds is None else Time(seconds, relative)


def batch_row(batch: BatchSummary) -> tuple[Cell, ...]:
    error = batch.message or tally(batch.categories)
    kind, created = short_type(batch.type), at(batch.created)
    return (batch.id, batch.status, kind, batch.schema, created, batch.total, batch.failed, batch.pending, error)


def report_listing(listing: BatchListing) -> Report:
    """Counts over all batches that matched, and a row for each batch shown."""
    census, batches = listing.census, listing.batches
    lines = [describe_coverage(listing.coverage), *describe_filter(listing.filter), *_census_lines(census)]
    shown = Table(part("Batches", batches), BATCH_COLUMNS, [batch_row(batch) for batch in batches.items])
    return Report(lines, shown, after=[_errors(items(listing.error_groups))])


def _census_lines(census: Census) -> Iterable[str]:
    if not census.batches:
        yield "No batch."
        return
    yield f"{count(census.batches, 'batch', 'batches')}: {tally(census.by_status)}."
    counts = {name: count for name, count in census.records if name in ("total", "failed", "pending")}
    yield "Records, by the API's counters: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()) + "."
    if census.categories:
        yield f"Errors: {tally(census.categories[:8])}."
    if census.without_counters:
        yield f"{count(census.without_counters, 'batch has', 'batches have')} counters that are absent or unreadable."


def report_detail(detail: BatchDetail) -> Report:
    """State, errors in groups and pending records of one batch."""
    batch = detail.batch
    facts: list[tuple[Cell, ...]] = [
        ("status", batch.status),
        ("type", short_type(batch.type)),
        ("schema", batch.schema),
        ("created", at(batch.created, relative=True)),
        ("started", at(batch.started, relative=True)),
        ("completed", at(batch.completed, relative=True)),
        ("records", batch.total),
        ("processed", batch.processed),
        ("successful", batch.successful),
        ("failed", batch.failed),
        ("pending", batch.pending),
        ("error", batch.message),
    ]
    state = Table("", (Column("field"), Column("value")), [row for row in facts if row[1] not in (None, "")])
    return Report(
        [f"Batch {batch.id}", *_pending_lines(detail)],
        _records(detail),
        [state, _errors(detail.error_groups.items)],
        [_missing(detail)],
    )


def _pending_lines(detail: BatchDetail) -> Iterable[str]:
    if detail.pending:
        yield f"{count(detail.pending, 'record waits', 'records wait')} for records that are missing."
    if detail.within_day:
        yield f"Lost unless they arrive: {detail.within_day} within 24 h ({detail.within_hour} of them within 1 h)."
    if detail.expired:
        yield f"{count(detail.expired, 'pending record has', 'pending records have')} expired and must be sent again."
    batch = detail.batch
    if batch.failed and batch.failed_records_named < batch.failed:
        yield f"The API names {batch.failed_records_named} of {count(batch.failed, 'failed record')}."


def _errors(groups: tuple[ErrorGroup, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (group.records, group.category, group.message, ", ".join(group.examples)) for group in groups
    ]
    return Table("Errors of records", columns("#records | category | ~message | ~such as"), rows)


def _missing(detail: BatchDetail) -> Table:
    rows: list[tuple[Cell, ...]] = [(holder.record, holder.waiting) for holder in detail.missing.items]
    return Table("Missing records that they list", columns("$record | #waiting"), rows)


def _records(detail: BatchDetail) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (row.record, at(row.expires_at, relative=True), row.misses)
        for row in (detail.resources.items if detail.resources else ())
    ]
    return Table("Pending records", columns("$record | @expires | ~misses"), rows)
