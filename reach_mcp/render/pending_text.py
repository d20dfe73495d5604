"""The text form of an answer on pending resources, written from its output model alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from reach_mcp.render import glossary, models
from reach_mcp.render.formatting import clock, deadline, listing, plural, table
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.sanitize import Quoter
from reach_mcp.render.text import (
    RESOURCE_COLUMNS,
    Row,
    cause_of,
    closing,
    evidence_of,
    resource_row,
    section,
    shown,
    undated_line,
)


def write_report(report: models.PendingReport, *, options: RenderOptions) -> str:
    return PendingText(report, Quoter(options.delimiter)).write()


class PendingText:
    def __init__(self, report: models.PendingReport, quoter: Quoter) -> None:
        self.report = report
        self.quoter = quoter
        self.now = report.as_of

    def write(self) -> str:
        report = self.report
        blocks = [
            [report.verdict, *undated_line(report.filter, self.quoter)],
            self._tally(),
            self._changes(report.changes),
            self._what_if(report.what_if),
            self._focus(report.focus),
            self._blockers(report.blockers),
            self._plan(report.plan),
            self._cycles(report.cycles),
            self._expiry(report.expiry),
            self._expired(report.expired),
            self._resources(report.resources, "Its pending resources" if report.focus else "Pending resources"),
            self._counters(report.counters),
            self._chains(report.chains),
            [f"Token for since: {report.since}"] if report.since else [],
            closing(report, self.quoter),
        ]
        return "\n\n".join("\n".join(block) for block in blocks if block)

    def _ids(self, ids: Sequence[str], arrow: str = ", ") -> str:
        return arrow.join(self.quoter.id(each) for each in ids)

    def _tally(self) -> list[str]:
        rows = [(cause_of(line), line.records, line.waiting) for line in self.report.by_cause]
        lines = table(("cause: action", "records", "resources waiting for at least one"), rows)
        return ["What holds resources up, by cause:", *lines] if lines else []

    def _cause(self) -> str:
        return f" (cause: {glossary.CAUSES[self.report.cause]})" if self.report.cause else ""

    def _blockers(self, blockers: models.Items[models.Blocker] | None) -> list[str]:
        columns = ("record", "waiting", "direct", "frees", "batches", "first lost", "cause: action", "evidence")

        def row(blocker: models.Blocker) -> Row:
            return (
                self.quoter.id(blocker.record),
                blocker.waiting,
                blocker.direct,
                blocker.frees,
                blocker.batches or "",
                deadline(blocker.first_lost, self.now),
                cause_of(blocker),
                evidence_of(blocker, self.quoter),
            )

        title = f"Missing records{self._cause()}, {glossary.ORDERS[self.report.order]}"
        return section(title, blockers, columns, row)

    def _plan(self, plan: models.Plan | None) -> list[str]:
        columns = ("record", "gain", "freed so far", "first lost", "cause: action", "evidence")

        def row(step: models.Step) -> Row:
            evidence = evidence_of(step, self.quoter)
            lost = deadline(step.first_lost, self.now)
            return (self.quoter.id(step.record), f"+{step.gain}", step.freed, lost, cause_of(step), evidence)

        if plan is None:
            return []
        first = "soonest lost first" if self.report.order == "expiry" else "each frees most after those before it"
        lines = section(f"Send{self._cause()} in this order, {first}", plan, columns, row)
        groups = [" with ".join(self.quoter.id(each) for each in group) for group in plan.upload_order]
        references = [
            f"{self.quoter.id(each.child)} -> {self.quoter.id(each.parent)} ({each.rows})" for each in plan.references
        ]
        if groups:
            lines.append(f"Upload order of schemas: {', then '.join(groups)}.")
        if references:
            lines.append(f"It follows from these references (resources): {', '.join(references)}.")
        return lines

    def _cycles(self, cycles: models.Items[models.Cycle] | None) -> list[str]:
        if cycles is None or not cycles.total:
            return []
        return [f"Cycles{shown(cycles)}:", *(self._cycle(cycle) for cycle in cycles.items)]

    def _cycle(self, cycle: models.Cycle) -> str:
        hidden = max(cycle.members_total - len(cycle.members), 0)
        ring = self._ids(cycle.members, " -> ") + (f" -> {hidden} more" if hidden else "") + " -> back"
        pieces = [
            plural(cycle.members_total or len(cycle.members), "record"),
            plural(cycle.rows, "resource"),
            plural(cycle.behind, "waits behind", "wait behind") if cycle.behind else "",
            f"also waits for {plural(cycle.also_missing, 'missing record')}" if cycle.also_missing else "",
            f"first lost {deadline(cycle.first_lost, self.now)}" if cycle.first_lost else "",
        ]
        return f"- {ring} ({', '.join(filter(None, pieces))}){self._opening(cycle)}"

    def _opening(self, cycle: models.Cycle) -> str:
        ways = [
            f"{self.quoter.id(each.resend)} without its reference to {self.quoter.id(each.without)}"
            for each in cycle.leave_out
        ]
        hidden = max(cycle.leave_out_total - len(ways), 0)
        return f". Resend {listing([*ways, f'{hidden} more' if hidden else ''])}" if ways or hidden else ""

    def _expiry(self, expiry: models.Expiry | None) -> list[str]:
        if expiry is None:
            return []
        columns = ("hour from", "expire", "of these stuck", "held by (waiting)")

        def row(hour: models.Hour) -> Row:
            holders = ", ".join(f"{self.quoter.id(name)} ({waiting})" for name, waiting in hour.held_by.items())
            hidden = hour.holders - len(hour.held_by)
            more = f" and {hidden} more" if hidden > 0 else ""
            return (clock(hour.hour, self.now), hour.rows, hour.stuck or "", holders + more)

        lines = section("Expiry by clock hour", expiry.hours, columns, row)
        soon = f" ({expiry.within_1_h} of them within 1 h)" if expiry.within_1_h else ""
        rest = [
            f"{expiry.within_24_h} within 24 h{soon}",
            f"{expiry.later} later" if expiry.later else "",
            f"{expiry.unreadable} with an unreadable expiry" if expiry.unreadable else "",
        ]
        return [*lines, f"Pending resources that expire: {listing(rest)}."] if lines or expiry.later else []

    def _expired(self, expired: models.Expired | None) -> list[str]:
        if expired is None or not expired.total:
            return []

        def of_batch(line: models.ExpiredBatch) -> Row:
            return (self.quoter.id(line.batch), self.quoter.id(line.schema_name), line.rows)

        def of_record(line: models.ExpiredRecord) -> Row:
            ids = (self.quoter.id(line.record), self.quoter.id(line.batch))
            again = "yes" if line.pending_again else ""
            return (*ids, clock(line.expired, self.now), self._ids(line.misses), again)

        lines = section("Expired by batch", expired.batches, ("batch", "schema", "expired"), of_batch)
        columns = ("record", "batch", "expired at", "missed", "pending again")
        return lines + section("Records to resend", expired.records, columns, of_record)

    def _resources(self, rows: models.Items[models.Resource] | None, title: str) -> list[str]:
        return section(title, rows, RESOURCE_COLUMNS, partial(resource_row, quoter=self.quoter, now=self.now))

    def _counters(self, counters: models.Items[models.Counter] | None) -> list[str]:
        columns = ("batch", "schema", "counter says", "API lists", "of these expired", "of these unreadable")

        def row(line: models.Counter) -> Row:
            counter = "none" if line.counter is None else line.counter
            ids = (self.quoter.id(line.batch), self.quoter.id(line.schema_name))
            return (*ids, counter, line.listed, line.expired or "", line.unreadable or "")

        if counters is not None and not counters.total:
            return ["Counters and listed pending resources agree in every batch read."]
        return section("Batches whose counter and listed pending resources differ", counters, columns, row)

    def _chains(self, chains: models.Chains | None) -> list[str]:
        if chains is None or len(chains.by_depth) < 2:
            return []
        depths = ", ".join(f"{rows} at depth {depth}" for depth, rows in enumerate(chains.by_depth, 1))
        lines = [f"Chains: {depths} (depth 1 waits for missing records only)."]
        if len(chains.longest) > 1:
            hidden = chains.steps + 1 - len(chains.longest)
            rest = f" -> ({hidden} more)" if hidden > 0 else ""
            lines.append(f"A longest chain, {plural(chains.steps, 'step')}: {self._ids(chains.longest, ' -> ')}{rest}")
        return lines

    def _focus(self, focus: models.Focus | None) -> list[str]:
        return list(self._focus_lines(focus)) if focus is not None else []

    def _focus_lines(self, focus: models.Focus) -> Iterator[str]:
        named = focus.record or focus.batch or focus.asked
        yield f"In focus: {self.quoter.id(named)}"
        if focus.why:
            evidence = evidence_of(focus.why, self.quoter)
            yield f"Cause: {cause_of(focus.why)}" + (f" ({evidence})" if evidence else "")
        if focus.alternatives:
            yield f"Did you mean: {self._ids(focus.alternatives, ' or ')}?"

        def row(path: models.Path) -> Row:
            hidden = path.steps + 1 - len(path.records)
            way = [self.quoter.id(each) for each in path.records]
            if hidden > 0:
                way.insert(-1, f"({hidden} more)")
            return (" -> ".join(way), path.steps, path.waiting, cause_of(path), evidence_of(path, self.quoter))

        columns = ("path down to the missing record", "steps", "of its resources", "cause: action", "evidence")
        yield from section("Waits for", focus.paths, columns, row)

    def _what_if(self, what_if: models.WhatIf | None) -> list[str]:
        if what_if is None:
            return []
        hidden = what_if.assumed_total - len(what_if.assumed)
        lines = [f"Assumed to arrive: {self._ids(what_if.assumed)}" + (f" and {hidden} more" if hidden else "")]
        if what_if.not_waited_for:
            lines.append(f"Nothing waits for: {self._ids(what_if.not_waited_for)}")
        if len(what_if.rounds) > 1:
            lines.append(f"Cleared round by round: {', '.join(map(str, what_if.rounds))}")
        if what_if.stuck:
            lines.append(f"{plural(what_if.stuck, 'is', 'are')} stuck in or behind a cycle.")

        def row(holder: models.Holding) -> Row:
            return (self.quoter.id(holder.record), holder.waiting)

        return lines + section("Still missing", what_if.missing, ("record", "waiting"), row)

    def _changes(self, changes: models.Changes | None) -> list[str]:
        if changes is None:
            return []
        unnamed = "(no longer known by name)"
        rows = [(self.quoter.id(each.record) or unnamed, each.before, each.now) for each in changes.moved]
        lines = table(("missing record", "waiting then", "waiting now"), rows)
        if changes.gone and changes.expired_at_most:
            lines.append(f"Of those gone at most {changes.expired_at_most} can have expired.")
        return [*lines, *([changes.note] if changes.note else [])]
