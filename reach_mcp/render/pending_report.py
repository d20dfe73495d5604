"""The answer of `explain_pending_dependencies`: its output model, and the order in which it is trimmed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reach_mcp.analysis import results
from reach_mcp.render import calls
from reach_mcp.render.budget import fit, trims
from reach_mcp.render.coverage import build_coverage, coverage_notes
from reach_mcp.render.models import PendingReport
from reach_mcp.render.models.causes import Why, schema_batches
from reach_mcp.render.models.common import MAX_MISSES, attributes
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.render.pending_text import write_report
from reach_mcp.render.sanitize import exact_id, is_plain_id
from reach_mcp.render.verdicts import pending_verdict

_SEPARATOR = re.compile(r"(?<=\d),(?=\d{3}\b)")
"""Between thousands: numbers are written without it, so that they can be compared and pasted."""
WITH_TALLY = ("summary", "blockers", "plan")

TRIMS = trims("""
    focus.missing.items, focus.expired.items 5, plan.references 4, schema_batches 4,
    chains.longest 6, cycles.items.members 24, resources.items 30, expired.records.items,
    counters.items 3, expired.batches.items 5, expiry.hours.items.held_by 1, blockers.items 30, plan.items 30,
    cycles.items.members 10, resources.items 8, focus.paths.items 8, focus.paths.items.records 8,
    plan.references, counters.items, expired.batches.items, chains.longest, cycles.items.leave_out 2, schema_batches 2,
    cycles.items 5, what_if.missing.items 5, expiry.hours.items.held_by, expiry.hours.items 8, blockers.items 10,
    plan.items 5, changes.moved 3, resources.items.misses 2, expired.records.items.misses 2, notes 3, chains.by_depth,
    resources.items.waits_for 2, focus.why.missed,
    schema_batches, what_if.rounds, what_if.not_waited_for, what_if.assumed, focus.alternatives, resources.items,
    cycles.items, expiry.hours.items, focus.expired.items, focus.paths.items, what_if.missing.items, changes.moved,
    plan.upload_order, plan.items, blockers.items, filter.undated, skipped, notes, by_cause
""")
"""Least important first. The section that the view is about moves to the end."""


def render_explanation(explanation: results.Explanation, options: RenderOptions) -> Rendered:
    """The answer of `explain_pending_dependencies`."""
    report = build_report(explanation, options)
    return fit(
        report,
        sorted(TRIMS, key=lambda step: step[0].startswith(f"{explanation.view}.")),
        options,
        finish=lambda: _finish(report, explanation, options),
        write=lambda: write_report(report, options.delimiter),
    )


def build_report(explanation: results.Explanation, options: RenderOptions) -> PendingReport:
    """The output model with every section that the explanation has, not yet trimmed."""
    focus, cause = explanation.focus, explanation.cause
    tally = explanation.tally if explanation.view in WITH_TALLY else ()
    cycles = results.Section(focus.cycles, focus.cycles_total) if focus and focus.cycles else None
    oldest = explanation.view == "summary" and all(map(is_plain_id, filter(None, (explanation.oldest_batch or ())[:2])))
    own = {
        "verdict": "",
        "tenant": options.tenant,
        "order": explanation.order if explanation.order != "waiting" else "",
        "coverage": build_coverage(explanation.coverage, explanation.filter, options),
        "by_cause": [line for line in tally if cause in (None, line.cause)],
        "cycles": cycles if focus else explanation.cycles,
        "resources": focus.rows if focus else explanation.resources,
        "schema_batches": schema_batches(_findings(explanation)),
        "oldest_batch": explanation.oldest_batch if oldest and not focus else None,
        "notes": [*(_SEPARATOR.sub("", note) for note in explanation.notes), *coverage_notes(explanation.coverage)],
    }
    report = PendingReport.model_validate(attributes(explanation) | own, context=explanation.as_of)
    if not options.detailed:
        shorten(report, summary=explanation.view == "summary")
    if focus:
        lists = (report.resources, report.focus and report.focus.expired) if focus.batch else ()
        for row in (row for part in lists if part for row in part.items):
            row.batch = ""
        _tell_parents_apart(report, focus)
    report.verdict = pending_verdict(report, explanation, options)
    return report


def _findings(explanation: results.Explanation) -> Iterator[tuple[results.Record, results.CauseFinding]]:
    """Each missing record of the answer, and why it is missing."""
    for blocker in explanation.blockers.items if explanation.blockers else ():
        yield blocker.record, blocker.finding
    for step in explanation.plan.steps.items if explanation.plan else ():
        yield step.record, step.finding
    if focus := explanation.focus:
        yield from ((path.records[-1], path.finding) for path in focus.paths.items)
        if focus.record and focus.finding:
            yield focus.record, focus.finding


def _tell_parents_apart(report: PendingReport, focus: results.Focus) -> None:
    """Resources in focus: which of the records that they list are pending themselves. The paths lead to the others."""
    missing = {path.records[-1] for path in focus.paths.items}
    if report.resources is None or focus.kind == "missing" or len(focus.paths.items) < focus.paths.total:
        return
    for row, found in zip(report.resources.items, focus.rows.items, strict=False):
        pending = [exact_id(each.name) for each in found.misses if each not in missing]
        row.misses = [exact_id(each.name) for each in found.misses if each in missing][:MAX_MISSES]
        row.waits_for, row.misses_total = pending[:MAX_MISSES], found.misses_total - len(pending)


def shorten(report: PendingReport, *, summary: bool) -> None:
    """Leave out the fields that only a detailed answer has space for."""
    for line in (*(report.blockers.items if report.blockers else ()), *(report.plan.items if report.plan else ())):
        line.category = "" if line.error else line.category
    for blocker in report.blockers.items if report.blockers else ():
        blocker.batches = 0
    for row in report.resources.items if report.resources else ():
        row.id, row.created = "", None
    if summary:
        _shorten_summary(report)


def _shorten_summary(report: PendingReport) -> None:
    """The plan's records stand among the blockers, and failed batches in a list; hours name their first holder."""
    if report.plan:
        blank = Why(cause="").model_dump(exclude={"cause", "like"})
        report.plan.items = [step.model_copy(update=blank) for step in report.plan.items]
    for blocker in report.blockers.items if report.blockers else ():
        blocker.failed_batches = 0
    for hour in report.expiry.hours.items if report.expiry else ():
        hour.held_by, hour.holders = dict(list(hour.held_by.items())[:1]), 0
        hour.stuck = 0 if hour.held_by else hour.stuck


def _finish(report: PendingReport, explanation: results.Explanation, options: RenderOptions) -> None:
    calls.say_where_the_rest_is(report)
    if explanation.view == "summary":
        _drop_emptied(report)
        if report.expiry and not all(hour.held_by for hour in report.expiry.hours.items):
            report.expiry.hours.more = report.expiry.hours.more or "view=expiry"
    report.next = calls.first_calls(calls.after_explanation(report, explanation), options)


def _drop_emptied(report: PendingReport) -> None:
    """Parts of a summary of which no item is left: the verdict names the views that list them."""
    if report.expired and not (report.expired.batches.items or report.expired.records.items):
        report.expired = None
    if report.counters and not report.counters.items:
        report.counters = None
