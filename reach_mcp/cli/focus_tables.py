"""Tables of `explain` for one record or batch (`--focus`), an assumption or a change."""

from __future__ import annotations

from collections.abc import Iterable

from reach_mcp.analysis.results import Changes, Explanation, Focus, Path, Record, WhatIf
from reach_mcp.cli.batch_tables import at
from reach_mcp.cli.table import Cell, Table, columns, part
from reach_mcp.cli.words import ACTIONS, count, describe_cause
from reach_mcp.render.formatting import listing

Rows = list[tuple[Cell, ...]]

KINDS = {
    "pending": "is pending",
    "missing": "is missing",
    "expired": "was pending and has expired",
    "failed": "failed",
    "batch": "is a batch",
    "not_pending": "is not pending in the batches that were read",
}


def report_focus(explanation: Explanation) -> tuple[list[str], list[Table]]:
    """Lines and tables on the record or batch in focus, the assumption and the changes, as far as asked for."""
    lines: list[str] = []
    tables: list[Table] = []
    if explanation.focus:
        lines += _focus_lines(explanation.focus)
        tables += _focus_tables(explanation.focus)
    if explanation.what_if:
        lines += _what_if_lines(explanation.what_if)
        tables += [_still_missing(explanation.what_if)]
    if explanation.changes:
        lines += _change_lines(explanation.changes)
        tables += [_moved(explanation.changes)]
    return lines, tables


def _focus_lines(focus: Focus) -> Iterable[str]:
    name = focus.batch.id if focus.batch else focus.record.name if focus.record else focus.asked
    yield f"{name} {KINDS[focus.kind]}."
    if focus.ambiguous or focus.alternatives:
        lead = "The name is ambiguous: it may also mean" if focus.ambiguous else "Did you mean"
        names = listing((_full_name(record) for record in focus.alternatives), "or")
        yield f"{lead} {names}{'.' if focus.ambiguous else '?'}"
    if focus.finding:
        yield f"Cause: {describe_cause(focus.finding)}. Action: {ACTIONS[focus.finding.action]}."
    if focus.waits_for_it:
        yield f"{count(focus.waits_for_it, 'pending record waits', 'pending records wait')} for it."
    if focus.expired_rows:
        has = count(focus.expired_rows, "pending record has", "pending records have")
        yield f"{has} expired and must be sent again."
    for cycle in focus.cycles:
        members = listing(record.name for record in cycle.members.items)
        yield f"In or behind a cycle of {cycle.members.total}: {members}."


def _full_name(record: Record) -> str:
    return f"{record.name} (definition {record.schema_id})"


def _focus_tables(focus: Focus) -> list[Table]:
    rows: Rows = [(row.record, row.batch_id, at(row.expires_at, relative=True), row.misses) for row in focus.rows.items]
    paths: Rows = [_path_row(path) for path in focus.paths.items]
    return [
        Table(part("It waits for", focus.paths), columns("$missing record | #waiting | action | ~why | ~path"), paths),
        Table(part("Its pending records", focus.rows), columns("$record | batch | @expires | ~misses"), rows),
    ]


def _path_row(path: Path) -> tuple[Cell, ...]:
    chain = " > ".join(record.name for record in path.records)
    return (path.records[-1], path.waiting, ACTIONS[path.finding.action], describe_cause(path.finding), chain)


def _what_if_lines(what_if: WhatIf) -> Iterable[str]:
    names = listing(record.name for record in what_if.assumed) or "nothing that is waited for"
    rounds = f" in {count(len(what_if.rounds), 'round')}" if what_if.rounds else ""
    cleared = count(what_if.cleared, "pending record would be", "pending records would be")
    yield f"If {names} arrived, {cleared} processed{rounds}."
    yield f"{count(what_if.still_waiting, 'pending record would still wait', 'pending records would still wait')}."
    if what_if.not_waited_for:
        yield f"Nothing waits for {listing(what_if.not_waited_for)}."


def _still_missing(what_if: WhatIf) -> Table:
    rows: Rows = [(holder.record, holder.waiting) for holder in what_if.missing.items]
    return Table(part("Still missing then", what_if.missing), columns("$record | #waiting"), rows)


def _change_lines(changes: Changes) -> Iterable[str]:
    if changes.unchanged:
        yield "Nothing changed."
    yield f"Pending records: {changes.pending_before:,} then, {changes.pending_now:,} now."
    least = "" if changes.exact else "at least "
    new, gone = f"{least}{changes.new_at_least:,} new", f"{least}{changes.gone_at_least:,} gone"
    yield f"{new}, {gone}, of which at most {changes.expired_at_most:,} expired."
    yield f"Missing records: {changes.missing_before:,} then, {changes.missing_now:,} now."
    if changes.note:
        yield changes.note


def _moved(changes: Changes) -> Table:
    rows: Rows = [(moved.record or "(no longer known)", moved.before, moved.now) for moved in changes.moved]
    return Table("Missing records that changed", columns("$record | #waiting then | #waiting now"), rows)
