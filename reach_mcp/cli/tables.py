"""Reports of `list`, `batch` and `explain`: the verdict of the tools' answers, and every table whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from reach_mcp.analysis import results
from reach_mcp.analysis.results import Section
from reach_mcp.cli.output import Cell, Report, Table, Time
from reach_mcp.render.batch_detail import render_detail
from reach_mcp.render.batch_list import render_listing
from reach_mcp.render.formatting import listing
from reach_mcp.render.glossary import ACTIONS, CAUSES
from reach_mcp.render.models.batches import type_label
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.pending_report import build_report

T = TypeVar("T")
Row = tuple[Cell, ...]

_SENTENCE_END = re.compile(r"(?<=[.?]) ")
_UTC_TIME = re.compile(r"(\d\d:\d\d)(?= \((?:in )?(?:under )?\d|: | nothing)")
_VIEW = re.compile(r"\(view=(\w+)\)")


@dataclass(frozen=True)
class Layout(Generic[T]):
    """How a list of results becomes a table."""

    title: str
    header: str
    row: Callable[[T], Row]

    def table(self, section: Section[T] | None, suffix: str = "") -> Table:
        """The title says how much of the whole is shown, where it is a part."""
        shown = section.items if section else ()
        part = f", {len(shown):,} of {section.total:,}" if section and len(shown) < section.total else ""
        return Table(f"{self.title}{suffix}{part}", self.header, [self.row(item) for item in shown])


def at(seconds: float | None, *, relative: bool = False) -> Time | None:
    """A time cell; None where there is no time."""
    return None if seconds is None else Time(seconds, relative)


def why(finding: results.CauseFinding) -> tuple[str, str, str]:
    """Cells: cause, action and the first piece of evidence."""
    return (CAUSES[finding.cause], ACTIONS[finding.action], evidence(finding))


def evidence(finding: results.CauseFinding) -> str:
    match finding.cause:
        case "failed" | "deleted" if finding.failures:
            failure = finding.failures[0]
            return f"batch {failure.batch_id}" + (f": {failure.message}" if failure.message else "")
        case "looks_like" if finding.lookalikes:
            like = finding.lookalikes[0]
            return f"like {like.record.name}: {like.difference or like.rule}"
        case "in_progress" if finding.in_progress:
            return f"batch {finding.in_progress[0]}"
        case _:
            return ""


def _names(records: Iterable[results.Holder]) -> str:
    return ", ".join(f"{held.record.name} ({held.waiting:,})" for held in records)


def count_each(pairs: Iterable[tuple[str, int]]) -> str:
    """`1,380 VALIDATION_ERROR, 20 other`, with separators as in the cells of numbers."""
    return ", ".join(f"{count:,} {name}" for name, count in pairs)


def _leave_out(cycle: results.Cycle) -> str:
    return ", ".join(f"{source.name} without its reference to {target.name}" for source, target in cycle.leave_out)


def _batch_row(batch: results.BatchSummary) -> Row:
    error, kind = batch.message or count_each(batch.categories), type_label(batch.type)
    counts = (batch.total, batch.failed, batch.pending)
    return (batch.id, batch.status, kind, batch.schema, at(batch.created), *counts, error)


BATCHES = Layout[results.BatchSummary](
    "Batches", "$batch | status | ~type | schema | created | #records | #failed | #pending | ~errors", _batch_row
)
ERRORS = Layout[results.ErrorGroup](
    "Errors",
    "#records | category | ~message | ~such as",
    lambda group: (group.records, group.category, group.message, ", ".join(group.examples)),
)
HELD = Layout[results.Holder](
    "Missing records that they list", "$record | #waiting", lambda held: (held.record, held.waiting)
)
STILL_MISSING = Layout[results.Holder]("Still missing", HELD.header, HELD.row)
BLOCKERS = Layout[results.Blocker](
    "Missing records",
    "## | $record | #waiting | #direct | #frees | first lost | cause | action | ~evidence",
    lambda it: (it.rank, it.record, it.waiting, it.direct, it.frees, at(it.earliest_expiry), *why(it.finding)),
)
PLAN = Layout[results.PlanStep](
    "Send in this order",
    "## | $record | #gain | #total | deadline | cause | action | ~evidence",
    lambda it: (it.position, it.record, it.gain, it.running_total, at(it.deadline), *why(it.finding)),
)
CYCLES = Layout[results.Cycle](
    "Cycles",
    "#rows | ~members | ~resend | #behind | first lost",
    lambda it: (it.rows, it.members.items, _leave_out(it), it.behind, at(it.earliest_expiry)),
)
HOURS = Layout[results.ExpiryHour](
    "Expiry by clock hour",
    "hour from | #expire | ~held by | #stuck",
    lambda hour: (Time(hour.start), hour.rows, _names(hour.holders), hour.stuck),
)
EXPIRED = Layout[results.ExpiredRecord](
    "Records to resend",
    "$record | batch | expired | ~missed | pending again",
    lambda it: (it.record, it.batch_id, Time(it.expired_at), it.misses, it.pending_again),
)
RESOURCES = Layout[results.WaitingResource](
    "Pending resources",
    "$record | batch | expires | ~misses",
    lambda it: (it.record, it.batch_id, at(it.expires_at, relative=True), it.misses),
)
COUNTERS = Layout[results.CounterDifference](
    "Batches whose counter and listed pending resources differ",
    "$batch | schema | #counter | #listed | #expired | #unreadable",
    lambda it: (it.batch_id, it.schema, it.counter, it.listed, it.expired, it.unreadable),
)
PATHS = Layout[results.Path](
    "Waits for",
    "$missing record | #waiting | cause | action | ~evidence | ~path",
    lambda it: (it.records[-1], it.waiting, *why(it.finding), " > ".join(record.name for record in it.records)),
)
MOVED = Layout[results.MovedBlocker](
    "Missing records that changed",
    "$record | #waiting then | #waiting now",
    lambda it: (it.record or "(no longer known)", it.before, it.now),
)
VIEWS: dict[str, Callable[[results.Explanation, str], Table]] = {
    "blockers": lambda it, suffix: BLOCKERS.table(it.blockers, suffix),
    "plan": lambda it, suffix: PLAN.table(it.plan.steps if it.plan else None, suffix),
    "expiry": lambda it, _: HOURS.table(it.expiry.hours if it.expiry else None),
    "expired": lambda it, _: EXPIRED.table(it.expired.records if it.expired else None),
    "cycles": lambda it, _: CYCLES.table(it.cycles),
    "resources": lambda it, _: RESOURCES.table(it.resources),
    "counters": lambda it, _: COUNTERS.table(it.counters),
}


def sentences(verdict: str) -> list[str]:
    """A tool's verdict for the command line: a sentence a line, its times marked as UTC, views as options."""
    text = _VIEW.sub(r"(--view \1)", _UTC_TIME.sub(r"\1Z", verdict))
    return _SENTENCE_END.split(text)


def report_listing(listing: results.BatchListing) -> Report:
    """Counts over all batches that matched, and a row for each batch shown."""
    lines = sentences(getattr(render_listing(listing, RenderOptions()).model, "verdict", ""))
    if listing.census.categories:
        lines.append(f"Errors by category: {count_each(listing.census.categories[:8])}.")
    return Report(lines, BATCHES.table(listing.batches), after=[ERRORS.table(listing.error_groups)])


def report_detail(detail: results.BatchDetail) -> Report:
    """State, errors in groups and pending records of one batch."""
    verdict = getattr(render_detail(detail, RenderOptions()).model, "verdict", "")
    before = [BATCHES.table(Section((detail.batch,), 1)), ERRORS.table(detail.error_groups)]
    lines = [f"Batch {detail.batch.id}", *sentences(verdict)]
    return Report(lines, RESOURCES.table(detail.resources), before, [HELD.table(detail.missing)])


def report_explanation(explanation: results.Explanation) -> Report:
    """The verdict, what is in focus or assumed, then the view that was asked for."""
    summary, answer = explanation.view == "summary", build_report(explanation, RenderOptions())
    suffix = f" (cause: {CAUSES[explanation.cause]})" if explanation.cause else ""
    tables = list(_focus_tables(explanation))
    lines = sentences(answer.verdict) + (_focus_lines(explanation.focus) if explanation.focus else [])
    if explanation.what_if and explanation.what_if.not_waited_for:
        lines.append(f"Nothing waits for {listing(explanation.what_if.not_waited_for)}.")
    if explanation.changes and explanation.changes.note:
        lines.append(explanation.changes.note)
    if explanation.focus:
        return Report(lines, tables[0], [], tables[1:], answer.notes)
    return Report(
        lines,
        VIEWS["blockers" if summary else explanation.view](explanation, suffix),
        [*tables, *([_tally(explanation)] if summary else [])],
        [VIEWS[view](explanation, suffix) for view in ("plan", "cycles", "expiry") if summary],
        answer.notes,
    )


def _tally(explanation: results.Explanation) -> Table:
    rows: list[Row] = [(CAUSES[row.cause], ACTIONS[row.action], row.records, row.waiting) for row in explanation.tally]
    return Table("What to do", "cause | action | #missing records | #waiting", rows)


def _focus_tables(explanation: results.Explanation) -> Iterable[Table]:
    if focus := explanation.focus:
        found = PATHS.table(focus.paths), RESOURCES.table(focus.rows)
        yield from found if focus.paths.total else reversed(found)
        yield CYCLES.table(Section(focus.cycles, focus.cycles_total))
    if explanation.what_if:
        yield STILL_MISSING.table(explanation.what_if.missing)
    if changes := explanation.changes:
        yield MOVED.table(Section(changes.moved, len(changes.moved)))


def _focus_lines(focus: results.Focus) -> list[str]:
    proof = evidence(focus.finding) if focus.finding else ""
    names = [f"{record.name} (definition {record.schema_id})" for record in focus.alternatives]
    lead = "It may also mean" if focus.ambiguous else "Did you mean"
    lines = [f"In focus: {focus.batch.id if focus.batch else focus.record.name if focus.record else focus.asked}"]
    lines += [f"Evidence: {proof}"] if proof else []
    return lines + ([f"{lead}: {listing(names, 'or')}?"] if names else [])
