"""Render a list of batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reach_mcp.analysis.results import BatchListing, BatchSummary, Census
from reach_mcp.render import models, parts
from reach_mcp.render.batch_parts import (
    LIST_COLUMNS,
    build_batch,
    build_group,
    error_lines,
    list_row,
    named_counts,
    quoted_tally,
    type_label,
)
from reach_mcp.render.budget import Trim, fit
from reach_mcp.render.formatting import plural
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.render.sanitize import Quoter, exact_id
from reach_mcp.render.text import closing, section, undated_line

TOOL = "list_batches"
TRIMS = (
    Trim("errors.items.variants", 2),
    Trim("errors.items", 5),
    Trim("census.by_schema", 5),
    Trim("census.error_categories", 5),
    Trim("batches.items", 20),
    Trim("errors.items.variants"),
    Trim("errors.items.examples", 1),
    Trim("errors.items", 3),
    Trim("batches.items.categories", 1),
    Trim("census.most_failed", 3),
    Trim("census.most_pending", 3),
    Trim("census.by_schema"),
    Trim("census.error_categories"),
    Trim("batches.items.categories"),
    Trim("errors.items"),
    Trim("batches.items", 5),
    Trim("census.most_failed"),
    Trim("census.most_pending"),
    Trim("notes"),
    Trim("batches.items"),
    Trim("filter.undated"),
    Trim("census.by_status"),
    Trim("census.by_type"),
)


def render_listing(listing: BatchListing, options: RenderOptions) -> Rendered:
    """The answer of `list_batches`."""
    return fit(
        _build(listing, options),
        finish=partial(_finish, listing=listing, options=options),
        write=partial(_write, options=options),
        trims=TRIMS,
        options=options,
    )


def _build(listing: BatchListing, options: RenderOptions) -> models.BatchListReport:
    report = models.BatchListReport(
        verdict="",
        as_of=parts.moment(listing.as_of),
        tenant=exact_id(options.tenant or ""),
        filter=parts.left_out(listing.filter),
        coverage=parts.coverage(listing.coverage, listing.filter, options),
        census=_census(listing.census),
        errors=parts.given(
            listing.error_groups,
            lambda groups: parts.items(models.Items[models.ErrorGroup], groups, build_group, options),
        ),
        batches=parts.items(
            models.Items[models.Batch], listing.batches, partial(build_batch, whole=options.detailed), options
        ),
        notes=parts.coverage_notes(listing.coverage),
    )
    report.verdict = " ".join(filter(None, _verdict(report, listing, options)))
    return report


def _verdict(report: models.BatchListReport, listing: BatchListing, options: RenderOptions) -> Iterator[str]:
    yield parts.filter_sentence(report.filter)
    yield parts.heading(report.as_of, options)
    if listing.scope == "page":
        of = f" of {listing.coverage.total}" if listing.coverage.total is not None else ""
        batches = plural(report.coverage.batches, "batch", "batches")
        yield f"One page was read: {batches}{of}. Every count is of this page."
    else:
        yield parts.coverage_sentence(report.coverage)
    yield _states(report, listing.census)
    yield from _records(listing.census)
    if report.census.without_counters:
        batches = plural(report.census.without_counters, "batch has", "batches have")
        yield f"{batches} absent or unreadable counters, so they are in no sum."


def _states(report: models.BatchListReport, census: Census) -> str:
    if not census.batches:
        return "No batch matches." if report.filter else ""
    states = ", ".join(f"{count} {name}" for name, count in report.census.by_status.items())
    matched = "match" if census.batches > 1 else "matches"
    return f"{plural(census.batches, 'batch', 'batches')}{' ' + matched if report.filter else ''}: {states}."


def _records(census: Census) -> Iterator[str]:
    records = dict(census.records)
    if records.get("total"):
        pending, failed = records.get("pending", 0), records.get("failed", 0)
        yield f"They hold {plural(records['total'], 'record')}; {failed} failed, {pending} pending."


def _census(census: Census) -> models.Census:
    return models.Census(
        batches=census.batches,
        by_status=named_counts(census.by_status, 8),
        by_type=named_counts([(type_label(each), count) for each, count in census.by_type], 8),
        by_schema=named_counts(census.by_schema, 10),
        schemas=len(census.by_schema) if len(census.by_schema) > 10 else 0,
        records=dict(census.records),
        error_categories=named_counts(census.categories, 10),
        most_pending=[_count(batch, batch.pending) for batch in census.most_pending if batch.pending],
        most_failed=[_count(batch, batch.failed) for batch in census.most_failed if batch.failed],
        latest=exact_id(census.latest.id) if census.latest else "",
        without_counters=census.without_counters,
    )


def _count(batch: BatchSummary, count: int | None) -> models.BatchCount:
    return models.BatchCount(batch=exact_id(batch.id), schema_name=exact_id(batch.schema), count=count or 0)


def _finish(report: models.BatchListReport, *, listing: BatchListing, options: RenderOptions) -> None:
    page = report.batches
    page.more = f"offset={page.end}" if page.end < page.total else ""
    report.next = parts.first_calls(_candidates(report, listing, options))


def _candidates(
    report: models.BatchListReport, listing: BatchListing, options: RenderOptions
) -> Iterator[models.Call | None]:
    if report.batches.more:
        same = {key: value for key, value in options.arguments.items() if key in ("cursor", "limit", "scope")}
        yield parts.call("More of these batches", TOOL, {**same, "offset": report.batches.end}, options)
    elif listing.coverage.cursor and listing.coverage.stop:
        same = {key: value for key, value in options.arguments.items() if key in ("limit", "scope")}
        yield parts.call("The next page", TOOL, {**same, "cursor": listing.coverage.cursor}, options)
    failed = report.census.most_failed
    if failed:
        yield parts.call(
            "Errors of the batch with most failed records", "get_batch", {"batch_id": failed[0].batch}, options
        )
    if dict(listing.census.records).get("pending"):
        yield parts.call("Why records wait", "explain_pending_dependencies", {}, options)


def _write(report: models.BatchListReport, options: RenderOptions) -> str:
    quoter = Quoter(options.delimiter)
    row = partial(list_row, quoter=quoter, now=report.as_of)
    blocks = [
        [report.verdict, *undated_line(report.filter, quoter)],
        list(_census_lines(report.census, quoter)),
        list(error_lines(report.errors, quoter)),
        section("Batches", report.batches, LIST_COLUMNS, row),
        closing(report, quoter),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _census_lines(census: models.Census, quoter: Quoter) -> Iterator[str]:
    others = f" ({len(census.by_schema)} of {census.schemas} schemas)" if census.schemas else ""
    lines = {
        "Types": quoted_tally(census.by_type, quoter),
        f"Schemas{others}": quoted_tally(census.by_schema, quoter),
        "Records": quoted_tally(census.records, quoter),
        "Errors by category": quoted_tally(census.error_categories, quoter),
        "Most pending": _batches(census.most_pending, quoter),
        "Most failed": _batches(census.most_failed, quoter),
        "Created last": quoter.id(census.latest),
    }
    for title, words in lines.items():
        if words:
            yield f"{title}: {words}"


def _batches(counts: list[models.BatchCount], quoter: Quoter) -> str:
    return ", ".join(
        f"{quoter.id(each.batch)} ({each.count} {quoter.id(each.schema_name)})".replace(" )", ")") for each in counts
    )
