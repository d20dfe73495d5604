"""Tables of `explain`: one main table for each view, and in the summary the others in brief."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reach_mcp.analysis.results import Blocker, Cycle, Explanation, Plan, WaitingResource
from reach_mcp.cli.batch_tables import at
from reach_mcp.cli.focus_tables import report_focus
from reach_mcp.cli.table import Cell, Report, Table, Time, columns, items, part
from reach_mcp.cli.words import ACTIONS, count, describe_cause, describe_coverage, describe_filter

Rows = list[tuple[Cell, ...]]


def report_explanation(explanation: Explanation) -> Report:
    """The verdict, then the view that was asked for."""
    lines = [describe_coverage(explanation.coverage), *describe_filter(explanation.filter), *_verdict(explanation)]
    notes = [*explanation.notes, *(f"Left out because the time was over: {part}." for part in explanation.skipped)]
    main = _TABLES[explanation.view](explanation)
    before, after = ([_tally(explanation)], _summary(explanation)) if explanation.view == "summary" else ([], [])
    report = Report(lines, main, before, after, notes)
    if explanation.focus or explanation.what_if or explanation.changes:
        lines, tables = report_focus(explanation)
        report = replace(report, lines=[*report.lines[:1], *lines], before=[*tables, *before])
    return report


def _verdict(explanation: Explanation) -> Iterable[str]:
    counts = explanation.counts
    if not counts.pending:
        yield "Nothing waits." if explanation.filter is None else "Nothing that matches waits."
    else:
        waits = count(counts.pending, "pending record waits", "pending records wait")
        missing = count(counts.missing_records, "missing record")
        yield f"{waits} in {count(counts.batches, 'batch', 'batches')}, for {missing}."
        yield from _outcome(explanation)
    if counts.expired:
        has = count(counts.expired, "pending record has", "pending records have")
        yield f"{has} expired: the API deletes them, so send them again (--view expired)."
    if counts.batches_with_counter_but_no_rows:
        batches = count(counts.batches_with_counter_but_no_rows, "batch has", "batches have")
        yield f"{batches} a counter of pending records, but the API lists none of them (--view counters)."


def _outcome(explanation: Explanation) -> Iterable[str]:
    counts, expiry = explanation.counts, explanation.expiry
    yield f"{counts.cleared_by_plan:,} of {counts.pending:,} are processed once every missing record arrives."
    if counts.stuck:
        cycles = count(counts.cycles, "cycle")
        yield f"{counts.stuck:,} are in or behind {cycles} and never resolve by themselves (--view cycles)."
    if counts.lists_nothing:
        yield f"{counts.lists_nothing:,} list no missing record and are still pending."
    if expiry and expiry.within_day:
        yield f"Lost unless something arrives: {expiry.within_day:,} within 24 h ({expiry.within_hour:,} within 1 h)."


def _tally(explanation: Explanation) -> Table:
    rows: Rows = [
        (ACTIONS[row.action], row.cause.replace("_", " "), row.records, row.waiting) for row in explanation.tally
    ]
    return Table("What to do", columns("action | cause | #missing records | #waiting"), rows)


def _summary(explanation: Explanation) -> list[Table]:
    plan = replace(_plan(explanation), title="The records that free most together")
    return [plan, _cycles(explanation), _hours(explanation)]


def _blockers(explanation: Explanation) -> Table:
    section = explanation.blockers
    rows = [_blocker_row(blocker) for blocker in section.items] if section else []
    return Table(
        part(f"Missing records{_with_cause(explanation)}", section),
        columns("## | $record | #waiting | #direct | #frees | @first lost | action | ~why"),
        rows,
    )


def _with_cause(explanation: Explanation) -> str:
    return f" (cause: {explanation.cause.replace('_', ' ')})" if explanation.cause else ""


def _blocker_row(blocker: Blocker) -> tuple[Cell, ...]:
    counts = (blocker.waiting, blocker.direct, blocker.frees)
    lost, finding = at(blocker.earliest_expiry), blocker.finding
    return (blocker.rank, blocker.record, *counts, lost, ACTIONS[finding.action], describe_cause(finding))


def _plan(explanation: Explanation) -> Table:
    plan: Plan | None = explanation.plan
    rows: Rows = [
        (
            step.position,
            step.record,
            step.gain,
            step.running_total,
            at(step.deadline),
            ACTIONS[step.finding.action],
            describe_cause(step.finding),
        )
        for step in (plan.steps.items if plan else ())
    ]
    return Table(
        part(f"Send in this order{_with_cause(explanation)}", plan.steps if plan else None),
        columns("## | $record | #gain | #total | @deadline | action | ~why"),
        rows,
    )


def _cycles(explanation: Explanation) -> Table:
    rows: Rows = [(number, *_cycle_row(cycle)) for number, cycle in enumerate(items(explanation.cycles), 1)]
    names = "## | ~members | ~leave out | #rows | #behind | @first lost"
    return Table(part("Cycles, which never resolve by themselves", explanation.cycles), columns(names), rows)


def _cycle_row(cycle: Cycle) -> tuple[Cell, ...]:
    leave_out = ", ".join(f"in {source.name} the reference to {target.name}" for source, target in cycle.leave_out)
    return (cycle.members.items, leave_out, cycle.rows, cycle.behind, at(cycle.earliest_expiry))


def _hours(explanation: Explanation) -> Table:
    rows: Rows = [
        (
            Time(hour.start),
            hour.rows,
            ", ".join(f"{held.record.name} ({held.waiting})" for held in hour.holders),
            hour.stuck,
        )
        for hour in (explanation.expiry.hours.items if explanation.expiry else ())
    ]
    return Table("Lost by clock hour", columns("@hour from | #records | ~held by | #stuck"), rows)


def _expired(explanation: Explanation) -> Table:
    rows: Rows = [
        (row.record, row.batch_id, Time(row.expired_at), row.misses, row.pending_again)
        for row in (explanation.expired.records.items if explanation.expired else ())
    ]
    return Table(
        part("Expired: send these again", explanation.expired.records if explanation.expired else None),
        columns("$record | batch | @expired | ~missed | pending again"),
        rows,
    )


def _resources(explanation: Explanation) -> Table:
    rows = [_resource_row(row) for row in items(explanation.resources)]
    return Table(part("Pending records", explanation.resources), columns("$record | batch | @expires | ~misses"), rows)


def _resource_row(row: WaitingResource) -> tuple[Cell, ...]:
    return (row.record, row.batch_id, at(row.expires_at), row.misses)


def _counters(explanation: Explanation) -> Table:
    rows: Rows = [
        (row.batch_id, row.schema, row.counter, row.listed, row.expired, row.unreadable)
        for row in items(explanation.counters)
    ]
    names = "$batch | schema | #counter | #listed | #expired | #unreadable"
    return Table("Batches whose counter and list of pending records differ", columns(names), rows)


_TABLES = {
    "summary": _blockers,
    "blockers": _blockers,
    "plan": _plan,
    "expiry": _hours,
    "expired": _expired,
    "cycles": _cycles,
    "resources": _resources,
    "counters": _counters,
}
