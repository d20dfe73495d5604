"""The text form of an answer on pending resources, written from its output model alone."""

from __future__ import annotations

from reach_mcp.render import glossary, text
from reach_mcp.render.formatting import clock, deadline, listing, plural
from reach_mcp.render.models import PendingReport, pending
from reach_mcp.render.models.common import Items
from reach_mcp.render.text import Columns, Pen, fields, rest, rows, section

TALLY: Columns = {"cause: action": text.cause_of, "records": "records", "resources waiting for at least one": "waiting"}
BLOCKERS: Columns = {
    **fields("record", "waiting", "direct"),
    "frees": lambda blocker, _: blocker.frees,
    **fields("batches", "first_lost"),
    **text.CAUSE,
}
PLAN: Columns = {
    "record": "record",
    "gain": lambda step, _: f"+{step.gain}",
    "freed so far": "freed",
    "first lost": "first_lost",
    **text.CAUSE,
}
EXPIRED_BATCHES: Columns = {"batch": "batch", "schema": "schema_name", "expired": "rows"}
EXPIRED_RECORDS: Columns = {
    **fields("record", "batch"),
    "expired at": lambda row, pen: clock(row.expired, pen.now),
    "missed": "misses",
    "pending again": "pending_again",
}
COUNTERS: Columns = {
    "batch": "batch",
    "schema": "schema_name",
    "counter says": lambda line, _: "none" if line.counter is None else line.counter,
    "API lists": lambda line, _: line.listed,
    "of these expired": "expired",
    "of these unreadable": "unreadable",
}
HOLDINGS = fields("record", "waiting")
SCHEMA_BATCHES: Columns = {
    "schema": "schema_name",
    "state": lambda line, _: line.state,
    **fields("batch", "at"),
    "records": lambda line, _: f"{line.processed} of {line.records}" if line.processed else line.records or "",
    "message": lambda line, pen: pen.text(line.error),
}


def write_report(report: PendingReport, delimiter: str) -> str:
    pen = Pen(delimiter, report.as_of)
    cause = f" (cause: {glossary.CAUSES[report.cause]})" if report.cause else ""
    plan_title = f"Do this{cause} in this order, {glossary.PLAN_ORDERS[report.order]}"
    oldest, schema_batches = report.oldest_batch, rows(SCHEMA_BATCHES, report.schema_batches, pen)
    blocks = [
        text.head(report.verdict, report.filter, pen) + (_oldest(oldest, pen) if oldest else []),
        _changes(report.changes, pen) if report.changes else [],
        _what_if(report.what_if, pen) if report.what_if else [],
        _focus(report.focus, pen) if report.focus else [],
        _plan(report.plan, plan_title, pen) if report.plan else [],
        ["What holds resources up, by cause:", *rows(TALLY, report.by_cause, pen)] if report.by_cause else [],
        section(f"Missing records{cause}, {glossary.ORDERS[report.order]}", report.blockers, BLOCKERS, pen),
        schema_batches and ["Batches of these schemas that failed as a whole or still run:", *schema_batches],
        _cycles(report.cycles, pen) if report.cycles else [],
        _expiry(report.expiry, pen) if report.expiry else [],
        _expired(report.expired, pen) if report.expired else [],
        text.resource_lines(report.resources, _title_of_resources(report.focus), pen),
        _counters(report.counters, pen) if report.counters else [],
        _chains(report.chains, pen) if report.chains else [],
        [f"Token for since: {report.since}"] if report.since else [],
    ]
    return text.assemble(blocks, report, pen)


def _title_of_resources(focus: pending.Focus | None) -> str:
    if focus is None:
        return "Pending resources"
    return "Pending resources that wait for it" if focus.kind == "missing" else "Its pending resources"


def _oldest(oldest: pending.OldestBatch, pen: Pen) -> list[str]:
    facts = ", ".join(filter(None, (pen.id(oldest.schema_name), f"created {deadline(oldest.created, pen.now)}")))
    return [f"Oldest batch with live resources: {pen.id(oldest.batch)} ({facts})."]


def _plan(plan: pending.Plan, title: str, pen: Pen) -> list[str]:
    lines = section(title, plan, PLAN, pen)
    groups = [pen.ids(group, " with ") for group in plan.upload_order]
    references = [f"{pen.id(each.child)} -> {pen.id(each.parent)} ({each.rows})" for each in plan.references]
    if groups:
        lines.append(f"Upload order of schemas: {', then '.join(groups)}.")
    if references:
        some = f"{len(references)} of {plan.references_total}" if len(references) < plan.references_total else "all"
        lines.append(f"It follows from references between schemas (resources; {some}): {', '.join(references)}.")
    return lines


def _cycles(cycles: Items[pending.Cycle], pen: Pen) -> list[str]:
    return [f"Cycles{text.shown(cycles)}:", *(_cycle(cycle, pen) for cycle in cycles.items)] if cycles.total else []


def _cycle(cycle: pending.Cycle, pen: Pen) -> str:
    hidden = cycle.members_total - len(cycle.members)
    arrow = ", " if cycle.overlapping else " -> "
    ring = pen.ids(cycle.members, arrow) + (f"{arrow}{hidden} more" if hidden else "")
    pieces = [
        "cycles that share members" if cycle.overlapping else "",
        plural(cycle.members_total, "record"),
        plural(cycle.rows, "resource"),
        plural(cycle.behind, "waits behind", "wait behind") if cycle.behind else "",
        f"also waits for {plural(cycle.also_missing, 'missing record')}" if cycle.also_missing else "",
        f"the first of these lost {deadline(cycle.first_lost, pen.now)}" if cycle.first_lost else "",
    ]
    ways = [f"{pen.id(each.resend)} without its reference to {pen.id(each.without)}" for each in cycle.leave_out]
    more = cycle.leave_out_total - len(ways)
    opening = listing([*ways, f"{more} more" if more else ""])
    ring += "" if cycle.overlapping else " -> back"
    return f"- {ring} ({', '.join(filter(None, pieces))}){'. Resend ' + opening if opening else ''}"


def _held_by(hour: pending.Hour, pen: Pen) -> str:
    named = ", ".join(f"{pen.id(name)} ({waiting})" for name, waiting in hour.held_by.items())
    return named + rest(hour.holders, hour.held_by)


HOURS: Columns = {
    "hour from": lambda hour, _: hour.hour,
    "expire": "rows",
    "of these stuck": "stuck",
    "held by (waiting)": _held_by,
}


def _expiry(expiry: pending.Expiry, pen: Pen) -> list[str]:
    lines = section("Expiry by clock hour", expiry.hours, HOURS, pen)
    soon = f" ({expiry.within_1_h} of them within 1 h)" if expiry.within_1_h else ""
    pieces = [
        f"{expiry.within_24_h} within 24 h{soon}",
        f"{expiry.later} later" if expiry.later else "",
        f"{expiry.unreadable} with an unreadable expiry" if expiry.unreadable else "",
    ]
    return [*lines, f"Pending resources that expire: {listing(pieces)}."] if lines or expiry.later else []


def _expired(expired: pending.Expired, pen: Pen) -> list[str]:
    batches = section("Expired by batch", expired.batches, EXPIRED_BATCHES, pen)
    return batches + section("Records to resend", expired.records, EXPIRED_RECORDS, pen)


def _counters(counters: Items[pending.Counter], pen: Pen) -> list[str]:
    if not counters.total:
        return ["Counters and listed pending resources agree in every batch read."]
    return section("Batches whose counter and listed pending resources differ", counters, COUNTERS, pen)


def _chains(chains: pending.Chains, pen: Pen) -> list[str]:
    if len(chains.by_depth) < 2:
        return []
    depths = ", ".join(f"{count} at depth {depth}" for depth, count in enumerate(chains.by_depth, 1))
    lines = [f"Chains: {depths} (depth 1 waits for missing records only)."]
    if len(chains.longest) > 1:
        hidden = chains.steps + 1 - len(chains.longest)
        more = f" -> ({hidden} more)" if hidden > 0 else ""
        lines.append(f"A longest chain, {plural(chains.steps, 'step')}: {pen.ids(chains.longest, ' -> ')}{more}")
    return lines


def _way(path: pending.Path, pen: Pen) -> str:
    hidden, way = path.steps + 1 - len(path.records), [pen.id(each) for each in path.records]
    if hidden > 0:
        way.insert(-1, f"({hidden} more)")
    return " -> ".join(way)


PATHS: Columns = {
    "path down to the missing record": _way,
    "steps": "steps",
    "of its resources": "waiting",
    **text.CAUSE,
}


def _focus(focus: pending.Focus, pen: Pen) -> list[str]:
    lines = [f"In focus: {pen.id(focus.name)}"]
    if focus.why:
        evidence = text.evidence_of(focus.why, pen)
        lines.append(f"Cause: {text.cause_of(focus.why, pen)}" + (f" ({evidence})" if evidence else ""))
    if focus.alternatives:
        lines.append(f"Did you mean: {pen.ids(focus.alternatives, ' or ')}?")
    if focus.missing and focus.missing.items:
        named = ", ".join(f"{pen.id(each.record)} ({each.waiting})" for each in focus.missing.items)
        lines.append(f"To send for it (resources that wait): {named}{rest(focus.missing.total, focus.missing.items)}")
    lines += section("Waits for", focus.paths, PATHS, pen)
    return lines + section("Expired, to resend", focus.expired, EXPIRED_RECORDS, pen)


def _what_if(what_if: pending.WhatIf, pen: Pen) -> list[str]:
    lines = [f"Assumed to arrive: {pen.ids(what_if.assumed)}{rest(what_if.assumed_total, what_if.assumed)}"]
    if what_if.not_waited_for:
        lines.append(f"Nothing waits for: {pen.ids(what_if.not_waited_for)}")
    if len(what_if.rounds) > 1:
        more = rest(what_if.rounds_total, what_if.rounds)
        lines.append(f"Cleared round by round: {', '.join(map(str, what_if.rounds))}{more}")
    if what_if.stuck:
        lines.append(f"{plural(what_if.stuck, 'is', 'are')} stuck in or behind a cycle.")
    return lines + section("Still missing", what_if.missing, HOLDINGS, pen)


MOVED: Columns = {
    "missing record": lambda moved, pen: pen.id(moved.record) or "(no longer known by name)",
    "waiting then": lambda moved, _: moved.before,
    "waiting now": lambda moved, _: moved.now,
}


def _changes(changes: pending.Changes, pen: Pen) -> list[str]:
    expired = f"Of those gone at most {changes.expired_at_most} can have expired."
    lines = [expired if changes.gone and changes.expired_at_most else "", changes.note]
    return [*rows(MOVED, changes.moved, pen), *filter(None, lines)]
