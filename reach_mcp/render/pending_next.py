"""Where the rest of a trimmed section is, and the calls to make next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reach_mcp.analysis import results
from reach_mcp.render import models, parts
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.parts import call

TOOL = "explain_pending_dependencies"
SAME_VIEW = ("cause", "order", "focus", "assume_arrived", "limit")


def say_where_the_rest_is(report: models.PendingReport) -> None:
    """Set `more` of every section that is not shown to its end."""
    for view, part in _pageable(report).items():
        if part is not None:
            where = f"offset={part.end}" if report.focus else f"view={view}, offset={part.end}"
            part.more = where if part.end < part.total else ""


def say_how_many(report: models.PendingReport, found: Sequence[results.Cycle]) -> None:
    """Set the totals of cycles that are not shown to their end."""
    for cycle, whole in zip(report.cycles.items if report.cycles else (), found, strict=False):
        cycle.members_total = _total(cycle.members, whole.members.total)
        cycle.leave_out_total = _total(cycle.leave_out, len(whole.leave_out))


def _total(shown: Sequence[object], total: int) -> int:
    """A total where not all are shown, else 0, which is not sent."""
    return total if len(shown) < total else 0


def _pageable(report: models.PendingReport) -> dict[str, models.Items[Any] | None]:
    """The section that each view is about."""
    return {
        "blockers": report.blockers,
        "plan": report.plan,
        "cycles": report.cycles,
        "expiry": report.expiry.hours if report.expiry else None,
        "expired": report.expired.records if report.expired else None,
        "resources": report.resources,
        "counters": report.counters,
        "focus": report.focus.paths if report.focus else None,
    }


def next_calls(
    report: models.PendingReport, explanation: results.Explanation, options: RenderOptions
) -> list[models.Call]:
    return parts.first_calls(_candidates(report, explanation, options))


def _candidates(
    report: models.PendingReport, explanation: results.Explanation, options: RenderOptions
) -> Iterator[models.Call | None]:
    if not report.coverage.complete and report.coverage.why:
        view: models.Arguments = {} if explanation.view == "summary" else {"view": explanation.view}
        yield call("Read again, because this reading is incomplete", TOOL, {**view, "fresh": True}, options)
    if explanation.focus:
        yield from _after_focus(report, options)
    elif explanation.view == "summary":
        yield from _after_summary(report, options)
    else:
        yield _next_page(report, explanation.view, options)
        if explanation.view != "plan" and report.counts.missing_records:
            yield call("What to send first", TOOL, {"view": "plan"}, options)


def _after_focus(report: models.PendingReport, options: RenderOptions) -> Iterator[models.Call | None]:
    assert report.focus is not None
    for part in (report.focus.paths, report.resources):
        if part is not None and part.more:
            same = {key: value for key, value in options.arguments.items() if key in SAME_VIEW}
            yield call("The rest of this focus", TOOL, {**same, "offset": part.end}, options)
    if report.focus.batch:
        yield call("State and errors of the batch", "get_batch", {"batch_id": report.focus.batch}, options)
    if report.focus.alternatives:
        yield call("The record that was perhaps meant", TOOL, {"focus": report.focus.alternatives[0]}, options)
    if report.focus.why and report.focus.why.batch:
        yield call("The batch that shows the cause", "get_batch", {"batch_id": report.focus.why.batch}, options)


def _after_summary(report: models.PendingReport, options: RenderOptions) -> Iterator[models.Call | None]:
    causes = {line.cause for line in report.by_cause}
    if report.blockers and report.blockers.more:
        yield call("More missing records", TOOL, {"view": "blockers", "offset": report.blockers.end}, options)
    if "failed" in causes and len(causes) > 1:
        yield call("All that failed, with errors", TOOL, {"view": "blockers", "cause": "failed"}, options)
    if report.plan and report.plan.more:
        yield call("More records to send, best first", TOOL, {"view": "plan"}, options)
    if report.cycles and (report.cycles.more or any(c.members_total for c in report.cycles.items)):
        yield call("All cycles with all members", TOOL, {"view": "cycles"}, options)
    if report.counts.expired:
        yield call("Expired records to resend", TOOL, {"view": "expired"}, options)


def _next_page(report: models.PendingReport, view: str, options: RenderOptions) -> models.Call | None:
    part = _pageable(report)[view]
    if part is None or not part.more:
        return None
    same = {key: value for key, value in options.arguments.items() if key in SAME_VIEW}
    return call("The rest", TOOL, {**same, "view": view, "offset": part.end}, options)
