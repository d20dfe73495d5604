"""The chapters of a report, each from one part of the analysis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from reach_mcp.analysis import results
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.report import Analysis
from reach_mcp.analysis.results import Record, Section
from reach_mcp.cli.commands import EVERYTHING
from reach_mcp.cli.document import Checklist, Drawing, Part, code
from reach_mcp.cli.output import Clock, Table, Time
from reach_mcp.cli.report_message import T, before, group_by
from reach_mcp.cli.tables import at, count_each
from reach_mcp.render.formatting import listing, plural
from reach_mcp.render.glossary import ACTIONS, CAUSES, LEGEND, MATCHED
from reach_mcp.render.sanitize import MAX_ID_CHARS, inert, visible
from reach_mcp.tools.arguments import ListBatchesArguments
from reach_mcp.tools.list_batches import select

MAX_ROWS, MAX_NAMED, MAX_NODES, BAR_CHARS = 100, 10, 12, 20
"""Records of a list, errors and references that are named, boxes of a drawing, characters of a bar."""
AGAIN = {True: "yes, need not be resent", False: ""}
TERMS = {"not_seen": '"cause":"not_seen"', "failed": '"later_batches":'}
"""Causes, and the term of the legend that qualifies them."""


def _rest(section: Section[T], view: str) -> Iterator[str]:
    """Where the rest of a list is, if it is not shown whole."""
    if len(section.items) < section.total:
        command = f"embedreach-mcp explain --view {view} --format csv"
        yield f"These are {len(section.items):,} of {section.total:,}. All: {code(command)}."


def _names(records: Iterable[Record]) -> str:
    return ", ".join(code(record.name) for record in records)


def describe_hours(hours: Section[results.ExpiryHour]) -> Iterator[Part]:
    most = max((hour.rows for hour in hours.items), default=1)
    yield "Reach deletes a record that has waited too long. Several missing records may hold up the same one."
    bars = ["\u2588" * ceil(hour.rows / most * BAR_CHARS) for hour in hours.items]
    rows = [(Time(hour.start), hour.rows, bar, _holders(hour)) for hour, bar in zip(hours.items, bars, strict=True)]
    yield Table("", "hour from | #lost | ~share | held up by", rows)
    yield from _rest(hours, "expiry")


def _holders(hour: results.ExpiryHour) -> str:
    named = [f"{code(held.record.name)} ({held.waiting:,})" for held in hour.holders]
    others = hour.holders_total - len(named)
    rest = [f"{others:,} more" if others else "", f"cycles ({hour.stuck:,})" if hour.stuck else ""]
    return ", ".join(filter(None, named + rest))


def list_lost(records: Section[results.ExpiredRecord]) -> Iterator[Part]:
    """One row for all records of a batch that missed the same."""
    yield "Reach has deleted these records. Nothing that arrives now brings them back: send them again."
    groups = group_by(records.items, lambda row: (code(row.batch_id), _names(row.misses), AGAIN[row.pending_again]))
    rows = [
        (*key, len(group), Time(min(row.expired_at for row in group)), _names(row.record for row in group))
        for key, group in groups.items()
    ]
    yield Table("", "batch | still missed | waits again | #records | lost from | resend", rows)
    yield from _rest(records, "expired")


def list_steps(found: results.Explanation, steps: Section[results.PlanStep], clock: Clock) -> Iterator[Part]:
    items = [
        f"{ACTIONS[step.finding.action].capitalize()}: {code(step.record.name)}{_meant(step.finding)}, frees "
        f"{step.gain:,} ({step.running_total:,} so far){before(step.deadline, clock)}"
        for step in steps.items
    ]
    items += [
        f"Resend {_leave_out(cycle)}, then complete it: opens a cycle of {plural(cycle.members.total, 'record')}"
        + before(cycle.earliest_expiry, clock)
        for cycle in (found.cycles.items if found.cycles else ())
    ]
    yield from [Checklist(items)] if items else []
    yield from _rest(steps, "plan")
    if found.plan and (groups := found.plan.upload_order.schemas):
        yield f"Upload the schemas in this order: {', then '.join(listing(map(code, group)) for group in groups)}."


def _meant(finding: results.CauseFinding) -> str:
    like = finding.lookalikes[:1] if finding.cause == "looks_like" else ()
    return "".join(f", which may mean {code(each.record.name)}" for each in like)


def _leave_out(cycle: results.Cycle) -> str:
    texts = [f"{code(one.name)} without its reference to {code(other.name)}" for one, other in cycle.leave_out]
    return listing([*texts[:MAX_NAMED], *([f"{len(texts) - MAX_NAMED:,} more"] if texts[MAX_NAMED:] else [])])


def list_missing(found: results.Explanation, clock: Clock) -> Iterator[Part]:
    """A table for each cause, in which records with the same evidence share a row."""
    blockers = found.blockers or Section((), 0)
    causes = group_by(blockers.items, lambda each: each.finding.cause)
    for line in (line for line in found.tally if line.cause in causes):
        counted = f"{plural(line.records, 'record')}, {plural(line.waiting, 'waits for it', 'wait for them')}"
        title = f"{CAUSES[line.cause].capitalize()}: {ACTIONS[line.action]} ({counted})"
        groups = group_by(causes[line.cause], lambda each: _explain(each.finding, clock))
        rows = [
            (
                ", ".join(f"{code(each.record.name)} ({each.waiting:,})" for each in group),
                at(min((each.earliest_expiry for each in group if each.earliest_expiry is not None), default=None)),
                text,
            )
            for text, group in groups.items()
        ]
        yield Table(title, "missing (how many wait) | first lost | evidence", rows)
        yield from [LEGEND[TERMS[line.cause]]] if line.cause in TERMS else []
    yield from _rest(blockers, "blockers")


def _explain(finding: results.CauseFinding, clock: Clock) -> str:
    """The surest piece of evidence, in plain words."""
    match finding:
        case results.CauseFinding(cause="failed" | "deleted", failures=[first, *_]):
            verb = "rejected it" if finding.cause == "failed" else "deleted it"
            later = plural(finding.later_batches, "later batch", "later batches") if finding.later_batches else ""
            how = [MATCHED[first.matched_by], later and f"{later} may have brought it"]
            said = code(first.message or first.category or "no reason given")
            proof = f"batch {code(first.batch_id)} {verb}{before(first.at, clock, ' on')}: {said}"
            return "; ".join(filter(None, [proof, *how]))
        case results.CauseFinding(cause="looks_like", lookalikes=[like, *_]):
            seen = f", {like.seen} in batch {code(like.batch_id)}" if like.batch_id else ""
            return f"like {code(like.record.name)}{seen}: {inert(like.difference or like.rule)}"
        case results.CauseFinding(cause="expired", expired_in=[row, *_]):
            lost = f"lost{before(row.expired_at, clock, ' on')}"
            return f"waited itself in batch {code(row.batch_id)}, {lost}; missed {_names(row.missed) or 'nothing'}"
        case results.CauseFinding(cause="in_progress", running=[run, *_]):
            done = "" if run.total is None else f" ({run.processed or 0:,} of {plural(run.total, 'record')} done)"
            return f"may be in batch {code(run.batch_id)}, which is still processing{done}"
        case results.CauseFinding(failed_batches=[batch, *_]):
            return f"may be in batch {code(batch.batch_id)}, which failed as a whole{before(batch.at, clock, ' on')}"
    return ""


def draw_cycles_and_chain(found: results.Explanation, analysis: Analysis, clock: Clock) -> Iterator[Part]:
    if found.chains and found.chains.by_depth[1:]:
        nodes = _boxes(found.chains.longest, found.chains.longest_steps + 1)
        edges = [(number, number + 1) for number in range(len(nodes) - 1)]
        whole = found.chains.longest_steps < MAX_NODES
        yield Drawing("The longest chain: each record waits for the next", nodes, edges, ends_missing=whole)
        direct, others = found.chains.by_depth[0][1], sum(rows for _, rows in found.chains.by_depth[1:])
        yield f"{plural(direct, 'record waits', 'records wait')} directly, {others:,} through others."
    cycles, record = found.cycles or Section((), 0), analysis.snapshot.record
    for cycle, numbered in zip(cycles.items, analysis.select(BatchFilter()).cycles, strict=False):
        references = analysis.stuck.references(numbered.number)
        yield _draw_cycle(cycle, {(record(one), record(other)) for one in references for other in references[one]})
        stuck = f"{plural(cycle.rows, 'record is', 'records are')} stuck in it and {cycle.behind:,} behind it"
        also = f" Its members wait for {plural(cycle.missing, 'missing record')} too." if cycle.missing else ""
        lost = before(cycle.earliest_expiry, clock, ", the first is lost on")
        yield f"{stuck}{lost}.{also}"
    yield from [LEGEND['"members":']] if cycles.items else []
    yield from _rest(cycles, "cycles")


def _boxes(records: Sequence[Record], total: int) -> list[str]:
    """Labels of boxes; the last one stands for all that are too many."""
    names = [visible(record.name, MAX_ID_CHARS) for record in records[:MAX_NODES]]
    return names if total <= MAX_NODES else [*names[: MAX_NODES - 1], f"{total - MAX_NODES + 1:,} more"]


def _draw_cycle(cycle: results.Cycle, references: set[tuple[Record, Record]]) -> Drawing:
    """The references among the members; of very many only those between neighbours."""
    labels = _boxes(cycle.members.items, cycle.members.total)
    last = len(labels) - 1
    places = {record: min(number, last) for number, record in enumerate(cycle.members.items)}

    def place(pairs: Iterable[tuple[Record, Record]]) -> set[tuple[int, int]]:
        found = {(places.get(one, last), places.get(other, last)) for one, other in pairs}
        return found - {(last, last)} if cycle.members.total > MAX_NODES else found

    edges, cut = place(references), place(cycle.leave_out)
    near = {edge for edge in edges if len(edges) <= 2 * MAX_NODES or abs(edge[0] - edge[1]) in (0, 1, last)}
    hidden = f" ({len(edges - near)} more references are not drawn)" if edges - near else ""
    return Drawing(f"A cycle: leave out what is dashed{hidden}", labels, sorted(near), sorted(cut & near))


def list_failed(analysis: Analysis) -> Iterator[Part]:
    everything = ListBatchesArguments(scope="all").model_copy(update={"limit": EVERYTHING})
    found = select(analysis.snapshot, everything, BatchFilter(), error_groups=MAX_NAMED)
    failed = [batch for batch in found.batches.items if batch.status == "failure"]
    part = f"Failed as a whole, {MAX_ROWS} of {len(failed):,}" if len(failed) > MAX_ROWS else "Failed as a whole"
    rows = [
        (code(it.id), code(it.schema), at(it.created), it.total, code(it.message or count_each(it.categories)))
        for it in failed[:MAX_ROWS]
    ]
    yield from [Table(part, "batch | schema | created | #records | error", rows)] if rows else []
    groups, named = found.error_groups or Section((), 0), found.census.errors_covered
    title = f"Commonest errors, of {plural(named, 'failed record')} that the API explains"
    errors = [(each.records, code(each.message), ", ".join(map(code, each.examples))) for each in groups.items]
    yield from [Table(title, "#records | error | such as", errors)] if errors else []
