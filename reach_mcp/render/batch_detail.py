"""The answer of `get_batch`."""

from __future__ import annotations

from reach_mcp.analysis.results import BatchDetail
from reach_mcp.render import calls
from reach_mcp.render.budget import fit, trims
from reach_mcp.render.formatting import clock
from reach_mcp.render.models import BatchDetailReport
from reach_mcp.render.models.common import attributes
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.render.text import Columns, Pen, assemble, error_lines, resource_lines, section
from reach_mcp.render.verdicts import detail_verdict

TRIMS = trims("""
    errors.items.variants 2, resources.items 20, errors.items.examples 2, missing.items 10, errors.items 8,
    resources.items.misses 1, errors.items.variants, resources.items 5, missing.items 3, errors.items 3,
    batch.categories 3, resources.items, missing.items, errors.items, batch.categories
""")
MISSING: Columns = {"record": "record", "resources that list it": "waiting"}


def render_detail(detail: BatchDetail, options: RenderOptions) -> Rendered:
    """The answer of `get_batch`."""
    report = build_report(detail, options)
    return fit(
        report, TRIMS, options, finish=lambda: _finish(report, options), write=lambda: _write(report, options.delimiter)
    )


def build_report(detail: BatchDetail, options: RenderOptions) -> BatchDetailReport:
    own = {
        "verdict": "",
        "tenant": options.tenant,
        "unreadable_resources": detail.batch.unreadable_resources,
    }
    report = BatchDetailReport.model_validate(attributes(detail) | own)
    for row in report.resources.items if report.resources else ():
        row.batch = ""
        if not options.detailed:
            row.id, row.created = "", None
    report.verdict = detail_verdict(report, detail, options)
    return report


def _finish(report: BatchDetailReport, options: RenderOptions) -> None:
    if report.errors.end < report.errors.total:
        report.errors.more = f"limit={min(report.errors.total, calls.MAX_LIMIT)}, response_format=detailed"
    report.missing.say_where_the_rest_is()
    if report.resources:
        report.resources.say_where_the_rest_is()
        report.missing.more = report.missing.more and "include_pending_details=false"
    report.next = calls.first_calls(calls.after_detail(report), options)


def _write(report: BatchDetailReport, delimiter: str) -> str:
    pen = Pen(delimiter, report.as_of)
    blocks = [
        [report.verdict],
        _facts(report, pen),
        error_lines(report.errors, pen),
        section("Listed as missing", report.missing, MISSING, pen),
        resource_lines(report.resources, "Pending resources", pen),
    ]
    return assemble(blocks, report, pen)


def _facts(report: BatchDetailReport, pen: Pen) -> list[str]:
    batch, now = report.batch, report.as_of
    facts = {
        "batch": pen.id(batch.id),
        "type": pen.id(batch.type),
        "schema": pen.id(batch.schema_name),
        "created": clock(batch.created, now),
        "started": clock(batch.started, now),
        "completed": clock(batch.completed, now),
    }
    lines = [", ".join(f"{name} {value}" for name, value in facts.items() if value)]
    if batch.error:
        lines.append(f"The batch failed as a whole: {pen.text(batch.error)}")
    if batch.categories:
        lines.append(f"Errors by category: {pen.tally(batch.categories)}")
    return lines
