"""Render one batch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from reach_mcp.analysis import results
from reach_mcp.render import glossary, models, parts
from reach_mcp.render.batch_parts import build_batch, build_group, error_lines, quoted_tally
from reach_mcp.render.budget import Trim, fit
from reach_mcp.render.formatting import clock, plural, to_datetime, until
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.render.sanitize import Quoter, exact_id, inert
from reach_mcp.render.text import RESOURCE_COLUMNS, Row, closing, resource_row, section

TOOL = "get_batch"
TRIMS = (
    Trim("errors.items.variants", 2),
    Trim("resources.items", 20),
    Trim("errors.items.examples", 2),
    Trim("missing.items", 10),
    Trim("errors.items", 8),
    Trim("resources.items.misses", 1),
    Trim("errors.items.variants"),
    Trim("resources.items", 5),
    Trim("missing.items", 3),
    Trim("errors.items", 3),
    Trim("batch.categories", 3),
    Trim("resources.items"),
    Trim("missing.items"),
    Trim("errors.items"),
    Trim("batch.categories"),
)


def render_detail(detail: results.BatchDetail, options: RenderOptions) -> Rendered:
    """The answer of `get_batch`."""
    return fit(
        _build(detail, options),
        finish=partial(_finish, options=options),
        write=partial(_write, options=options),
        trims=TRIMS,
        options=options,
    )


def _build(detail: results.BatchDetail, options: RenderOptions) -> models.BatchDetailReport:
    resources = partial(parts.resources, batch=False, options=options)
    report = models.BatchDetailReport(
        verdict="",
        as_of=parts.moment(detail.as_of),
        tenant=exact_id(options.tenant or ""),
        batch=build_batch(detail.batch, whole=True, categories=12),
        failed_records_named=detail.batch.failed_records_named,
        errors=parts.items(models.Items[models.ErrorGroup], detail.error_groups, build_group, options),
        pending=detail.pending,
        expired=detail.expired,
        within_1_h=detail.within_hour,
        within_24_h=detail.within_day,
        next_expiry=to_datetime(detail.next_expiry),
        missing=parts.items(models.Items[models.Holding], detail.missing, parts.holding, options),
        resources=parts.given(detail.resources, resources),
        unreadable_resources=detail.batch.unreadable_resources,
    )
    report.verdict = " ".join(filter(None, _verdict(report, detail, options)))
    return report


def _verdict(report: models.BatchDetailReport, detail: results.BatchDetail, options: RenderOptions) -> Iterator[str]:
    batch = report.batch
    yield parts.heading(report.as_of, options)
    yield _state(batch, report.as_of)
    yield _progress(batch)
    yield _sampled(report)
    yield from _pending(report, detail)


def _state(batch: models.Batch, now: datetime) -> str:
    status = inert(batch.status, 40)
    if batch.status == "processing" and batch.started:
        return f"The batch is {status} since {clock(batch.started, now)} ({until(batch.started, now)})."
    ended = f", completed {clock(batch.completed, now)} ({until(batch.completed, now)})" if batch.completed else ""
    return f"The batch's status is {status}{ended}."


def _progress(batch: models.Batch) -> str:
    pieces = [
        f"{getattr(batch, name)} {name}"
        for name in ("processed", "successful", "failed", "pending")
        if name not in batch.unknown
    ]
    total = "" if "records" in batch.unknown else f"{plural(batch.records, 'record')}: "
    unknown = f" Not given or unreadable: {', '.join(batch.unknown)}." if batch.unknown else ""
    return f"{total}{', '.join(pieces)}.{unknown}" if pieces else unknown.strip()


def _sampled(report: models.BatchDetailReport) -> str:
    """Whether the errors listed are those of all failed records."""
    named, failed = report.failed_records_named, report.batch.failed
    if "failed" in report.batch.unknown or named == failed:
        return ""
    if named < failed:
        return (
            f"Messages of {named} of {plural(failed, 'failed record')} are listed by the API, the others are unknown."
        )
    return f"Its errors name {plural(named, 'record')}, its counter says {failed} failed."


def _pending(report: models.BatchDetailReport, detail: results.BatchDetail) -> Iterator[str]:
    if report.pending:
        lists = "it lists" if report.pending == 1 else "they list"
        missing = f" for {plural(detail.missing.total, 'record')} that {lists} as missing"
        verb = plural(report.pending, "live pending resource waits", "live pending resources wait")
        yield f"{verb}{missing if detail.missing.total else ''}."
    if report.within_24_h:
        soon = f" ({report.within_1_h} of them within 1 h)" if report.within_1_h else ""
        yield f"{plural(report.within_24_h, 'expires', 'expire')} within 24 h{soon}{_first(report)}."
    elif report.next_expiry:
        yield f"None expires within 24 h{_first(report)}."
    if report.expired:
        yield f"{plural(report.expired, *glossary.LOST)}."
    yield _counter(report, detail)


def _first(report: models.BatchDetailReport) -> str:
    first = report.next_expiry
    return f", the first at {clock(first, report.as_of)} ({until(first, report.as_of)})" if first else ""


def _counter(report: models.BatchDetailReport, detail: results.BatchDetail) -> str:
    listed = detail.batch.listed
    if listed is None or "pending" in report.batch.unknown or listed == report.batch.pending:
        return ""
    extra = [
        f"{report.expired} of them expired" if report.expired else "",
        f"{report.unreadable_resources} unreadable" if report.unreadable_resources else "",
    ]
    said = f"The batch's counter says {report.batch.pending} pending, the API lists {listed}"
    return ", ".join(filter(None, (said, *extra))) + "."


def _finish(report: models.BatchDetailReport, *, options: RenderOptions) -> None:
    for part in (report.errors, report.missing, report.resources):
        if part is not None:
            part.more = f"offset={part.end}" if part.end < part.total else ""
    report.next = parts.first_calls(_candidates(report, options))


def _candidates(report: models.BatchDetailReport, options: RenderOptions) -> Iterator[models.Call | None]:
    batch_id = report.batch.id
    same = {key: value for key, value in options.arguments.items() if key in ("include_pending_details", "limit")}
    part = report.resources if report.resources and report.resources.more else report.errors
    if part is not None and part.more:
        yield parts.call("The rest", TOOL, {**same, "batch_id": batch_id, "offset": part.end}, options)
    if report.pending:
        yield parts.call("What to send for it", "explain_pending_dependencies", {"focus": batch_id}, options)
    if report.pending and report.resources is None:
        details: models.Arguments = {"batch_id": batch_id, "include_pending_details": True}
        yield parts.call("Its pending resources", TOOL, details, options)
    if report.expired:
        yield parts.call("What to resend", "explain_pending_dependencies", {"view": "expired"}, options)


def _write(report: models.BatchDetailReport, options: RenderOptions) -> str:
    quoter = Quoter(options.delimiter)
    row = partial(resource_row, quoter=quoter, now=report.as_of)
    blocks = [
        [report.verdict],
        list(_facts(report, quoter)),
        list(error_lines(report.errors, quoter)),
        section(
            "Listed as missing", report.missing, ("record", "resources that list it"), partial(_holding, quoter=quoter)
        ),
        section("Pending resources", report.resources, RESOURCE_COLUMNS, row),
        closing(report, quoter),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _holding(holding: models.Holding, quoter: Quoter) -> Row:
    return (quoter.id(holding.record), holding.waiting)


def _facts(report: models.BatchDetailReport, quoter: Quoter) -> Iterator[str]:
    batch, now = report.batch, report.as_of
    facts = {
        "batch": quoter.id(batch.id),
        "type": quoter.id(batch.type),
        "schema": quoter.id(batch.schema_name),
        "created": clock(batch.created, now),
        "started": clock(batch.started, now),
        "completed": clock(batch.completed, now),
    }
    yield ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    if batch.error:
        yield f"The batch failed as a whole: {quoter.text(batch.error)}"
    if batch.categories:
        yield f"Errors by category: {quoted_tally(batch.categories, quoter)}"
