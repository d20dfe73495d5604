"""Output models and table rows of batches, as the list and the detail of one share them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from reach_mcp.analysis import results
from reach_mcp.render import models
from reach_mcp.render.formatting import clock, deadline, tally, to_datetime
from reach_mcp.render.sanitize import Quoter, exact_id, inert
from reach_mcp.render.text import Row, shown

TYPE_PREFIXES = ("PARTNER_RESOURCE_", "BATCH_")
COUNTERS = {
    "total": "records",
    "processed": "processed",
    "successful": "successful",
    "failed": "failed",
    "pending": "pending",
}
MAX_NAME_CHARS = 60
MAX_EXAMPLES = 5
LIST_COLUMNS = (
    "batch",
    "status",
    "type",
    "schema",
    "created",
    "started",
    "completed",
    "records",
    "failed",
    "pending",
    "errors",
)


def type_label(batch_type: str) -> str:
    """`JSON_INGEST` for `PARTNER_RESOURCE_JSON_INGEST`; arguments accept both."""
    for prefix in TYPE_PREFIXES:
        batch_type = batch_type.removeprefix(prefix)
    return exact_id(batch_type)


def build_batch(batch: results.BatchSummary, *, whole: bool, categories: int = 3) -> models.Batch:
    """`whole` adds the times and counters that follow from the others in nearly every batch."""
    running = batch.status == "processing"
    counters = {name: getattr(batch, field) for field, name in COUNTERS.items()}
    shown = whole or running or batch.processed != batch.total
    return models.Batch(
        id=exact_id(batch.id),
        status=exact_id(batch.status),
        type=type_label(batch.type),
        schema_name=exact_id(batch.schema),
        created=to_datetime(batch.created),
        started=to_datetime(batch.started) if whole or running else None,
        completed=to_datetime(batch.completed) if whole else None,
        records=counters["records"] or 0,
        processed=(counters["processed"] or 0) if shown else 0,
        successful=(counters["successful"] or 0) if whole else 0,
        failed=counters["failed"] or 0,
        pending=counters["pending"] or 0,
        unknown=[name for name, value in counters.items() if value is None],
        categories=named_counts(batch.categories, categories),
        error=inert(batch.message, 160 if whole else 100),
    )


def named_counts(pairs: Iterable[tuple[str, int]], most: int) -> dict[str, int]:
    """The first of the names; those that are cut to the same text are added up."""
    counts: dict[str, int] = {}
    for name, count in list(pairs)[:most]:
        short = inert(name, MAX_NAME_CHARS)
        counts[short] = counts.get(short, 0) + count
    return counts


def quoted_tally(counts: dict[str, int], quoter: Quoter) -> str:
    return tally((quoter.text(name), count) for name, count in counts.items())


def list_row(batch: models.Batch, quoter: Quoter, now: datetime) -> Row:
    errors = ", ".join(filter(None, (quoted_tally(batch.categories, quoter), quoter.text(batch.error))))
    return (
        quoter.id(batch.id),
        quoter.id(batch.status),
        quoter.id(batch.type),
        quoter.id(batch.schema_name),
        clock(batch.created, now),
        deadline(batch.started, now),
        clock(batch.completed, now),
        _counter(batch, "records"),
        _counter(batch, "failed", zero=""),
        _counter(batch, "pending", zero=""),
        errors,
    )


def _counter(batch: models.Batch, name: str, zero: str = "0") -> str:
    if name in batch.unknown:
        return "unknown"
    count: int = getattr(batch, name)
    done = f"{batch.processed} of " if name == "records" and batch.processed and batch.processed != count else ""
    return f"{done}{count}" if count else zero


def build_group(group: results.ErrorGroup) -> models.ErrorGroup:
    return models.ErrorGroup(
        category=inert(group.category, 60),
        error=inert(group.message),
        records=group.records,
        variants=[models.Variant(error=inert(error), records=records) for error, records in group.variants],
        examples=[exact_id(example) for example in group.examples[:MAX_EXAMPLES]],
    )


def error_lines(errors: models.Items[models.ErrorGroup] | None, quoter: Quoter) -> Iterator[str]:
    """One line a message; where messages of one shape differ, the commonest follow it."""
    if errors is None or not errors.total:
        return
    yield f"Errors{shown(errors)}, records | category | message | example ids:"
    for group in errors.items:
        examples = ", ".join(quoter.id(each) for each in group.examples)
        yield " | ".join((str(group.records), quoter.text(group.category), quoter.text(group.error), examples))
        for variant in group.variants:
            yield f"  of these {variant.records} | {quoter.text(variant.error)}"
