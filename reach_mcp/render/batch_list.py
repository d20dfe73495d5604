"""The answer of `list_batches`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from reach_mcp.analysis.results import BatchListing
from reach_mcp.render import calls
from reach_mcp.render.budget import fit, trims
from reach_mcp.render.coverage import build_coverage, coverage_notes
from reach_mcp.render.formatting import clock, plural
from reach_mcp.render.models import BatchListReport
from reach_mcp.render.models.batches import Batch, BatchCount, Census
from reach_mcp.render.models.common import attributes
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.render.text import Columns, Pen, assemble, error_lines, fields, head, section
from reach_mcp.render.verdicts import list_verdict

TRIMS = trims("""
    errors.items.variants 2, errors.items 5, census.by_schema 5, census.error_categories 5, batches.items 20,
    errors.items.variants, errors.items.examples 1, errors.items 3, batches.items.categories 1,
    census.most_failed 3, census.most_pending 3, census.by_schema, census.error_categories,
    batches.items.categories, errors.items, batches.items 5, census.most_failed, census.most_pending, notes,
    batches.items, filter.undated, census.by_status, census.by_type
""")


def render_listing(listing: BatchListing, options: RenderOptions) -> Rendered:
    """The answer of `list_batches`."""
    report = build_report(listing, options)
    return fit(
        report,
        TRIMS,
        options,
        finish=lambda: _finish(report, listing, options),
        write=lambda: _write(report, options.delimiter),
    )


def build_report(listing: BatchListing, options: RenderOptions) -> BatchListReport:
    own = {
        "verdict": "",
        "tenant": options.tenant,
        "coverage": build_coverage(listing.coverage, listing.filter, options),
        "notes": [*coverage_notes(listing.coverage)],
    }
    report = BatchListReport.model_validate(attributes(listing) | own)
    if not options.detailed:
        for batch in report.batches.items:
            batch.shorten()
    report.verdict = list_verdict(report, listing, options)
    return report


def _finish(report: BatchListReport, listing: BatchListing, options: RenderOptions) -> None:
    report.batches.say_where_the_rest_is()
    found = listing.error_groups
    if report.errors and found and report.errors.end < found.total:
        trimmed = len(report.errors.items) < len(found.items) and not options.detailed
        report.errors.more = "response_format=detailed" if trimmed else "filter by schema, status or batch_type"
    report.next = calls.first_calls(calls.after_list(report, listing, options), options)


def _records(batch: Batch, _: Pen) -> str:
    if "records" in batch.unknown:
        return "unknown"
    done = f"{batch.processed} of " if batch.processed and batch.processed != batch.records else ""
    return f"{done}{batch.records}"


def _counter(name: str, batch: Batch, pen: Pen) -> str:
    return "unknown" if name in batch.unknown else pen.cell(getattr(batch, name))


def _errors(batch: Batch, pen: Pen) -> str:
    return ", ".join(filter(None, (pen.tally(batch.categories), pen.text(batch.error))))


BATCHES: Columns = {
    "batch": "id",
    **fields("status", "type"),
    "schema": "schema_name",
    "created": lambda batch, pen: clock(batch.created, pen.now),
    "started": "started",
    "completed": lambda batch, pen: clock(batch.completed, pen.now),
    "records": _records,
    "failed": partial(_counter, "failed"),
    "pending": partial(_counter, "pending"),
    "live": lambda batch, _: batch.live,
    "expired": lambda batch, _: batch.expired,
    "errors": _errors,
}


def _write(report: BatchListReport, delimiter: str) -> str:
    pen = Pen(delimiter, report.as_of)
    blocks = [
        head(report.verdict, report.filter, pen),
        [f"{title}: {words}" for title, words in _census(report.census, pen) if words],
        error_lines(report.errors, pen),
        section("Batches", report.batches, BATCHES, pen),
    ]
    return assemble(blocks, report, pen)


def _census(census: Census, pen: Pen) -> Iterator[tuple[str, str]]:
    part, whole = len(census.by_schema), census.by_schema_total
    others = f" ({part} of {whole} schemas)" if part < whole else ""
    yield "Types", pen.tally(census.by_type)
    yield f"Schemas{others}", pen.tally(census.by_schema)
    yield "Records", pen.tally(census.records)
    yield "Errors by category", pen.tally(census.error_categories)
    yield "Most pending", _batches(census.most_pending, pen)
    yield "Most failed", _batches(census.most_failed, pen)
    yield "Created last", pen.id(census.latest)
    yield "Oldest with live pending resources", pen.id(census.oldest_live)
    lost = f"all pending resources of {plural(census.all_expired, 'batch', 'batches')}" if census.all_expired else ""
    yield "Expired and lost", lost


def _batches(counts: Sequence[BatchCount], pen: Pen) -> str:
    named = (" ".join(filter(None, (str(each.count), pen.id(each.schema_name)))) for each in counts)
    return ", ".join(f"{pen.id(each.batch)} ({words})" for each, words in zip(counts, named, strict=True))
