"""From an explanation to its output model, and the answer in both forms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reach_mcp.analysis import results
from reach_mcp.render import glossary, models, parts
from reach_mcp.render.budget import Trim, fit
from reach_mcp.render.formatting import to_datetime
from reach_mcp.render.glossary import ACTIONS
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.render.pending_focus import build_changes, build_cycles, build_focus, build_what_if, focus_cycles
from reach_mcp.render.pending_next import next_calls, say_how_many, say_where_the_rest_is
from reach_mcp.render.pending_text import write_report
from reach_mcp.render.pending_verdict import verdict
from reach_mcp.render.sanitize import exact_id

HOLDERS_IN_SUMMARY = 1
WITH_TALLY = ("summary", "blockers", "plan")

TRIMS = (
    Trim("plan.references", 4),
    Trim("chains.longest", 6),
    Trim("cycles.items.members", 24),
    Trim("resources.items", 30),
    Trim("expired.records.items"),
    Trim("counters.items", 3),
    Trim("expired.batches.items", 5),
    Trim("expiry.hours.items.held_by", 1),
    Trim("blockers.items", 30),
    Trim("plan.items", 30),
    Trim("cycles.items.members", 10),
    Trim("cycles.items", 5),
    Trim("resources.items", 8),
    Trim("focus.paths.items", 8),
    Trim("focus.paths.items.records", 8),
    Trim("plan.references"),
    Trim("counters.items"),
    Trim("expired.batches.items"),
    Trim("cycles.items.leave_out", 2),
    Trim("what_if.missing.items", 5),
    Trim("expiry.hours.items", 8),
    Trim("blockers.items", 10),
    Trim("plan.items", 5),
    Trim("changes.moved", 3),
    Trim("resources.items.misses", 2),
    Trim("expired.records.items.misses", 2),
    Trim("chains.longest"),
    Trim("notes", 3),
    *map(Trim, (
        "chains.by_depth", "what_if.rounds", "what_if.not_waited_for", "what_if.assumed", "focus.alternatives",
        "resources.items", "cycles.items", "expiry.hours.items", "focus.paths.items", "what_if.missing.items",
        "changes.moved", "plan.upload_order", "plan.items", "blockers.items", "filter.undated", "skipped", "notes",
    )),
)  # fmt: skip
"""Least important first. The section that the view is about moves to the end."""


def trims_of(view: results.View) -> list[Trim]:
    return sorted(TRIMS, key=lambda trim: trim.path.startswith(f"{view}."))


def render_explanation(explanation: results.Explanation, options: RenderOptions) -> Rendered:
    """The answer of `explain_pending_dependencies`."""
    report = build_report(explanation, options)
    return fit(
        report,
        finish=partial(_finish, explanation=explanation, options=options),
        legend=legend,
        write=partial(write_report, options=options),
        trims=trims_of(explanation.view),
        options=options,
    )


def build_report(explanation: results.Explanation, options: RenderOptions) -> models.PendingReport:
    """The output model with every section that the explanation has, not yet trimmed."""
    given, focus = parts.given, explanation.focus
    of_batch = focus is not None and focus.kind == "batch"
    resources = partial(parts.resources, batch=not of_batch, options=options)
    summary = explanation.view == "summary"
    evidence: parts.Evidence = "full" if options.detailed else "brief"
    report = models.PendingReport(
        verdict="",
        as_of=parts.moment(explanation.as_of),
        tenant=exact_id(options.tenant or ""),
        cause=explanation.cause or "",
        order=explanation.order if explanation.order != "waiting" else "",
        filter=parts.left_out(explanation.filter),
        coverage=parts.coverage(explanation.coverage, explanation.filter, options),
        counts=_counts(explanation.counts),
        by_cause=_tallies(explanation),
        changes=given(explanation.changes, build_changes),
        what_if=given(explanation.what_if, partial(build_what_if, options=options)),
        focus=given(focus, partial(build_focus, options=options)),
        blockers=given(explanation.blockers, partial(_blockers, options=options, evidence=evidence)),
        plan=given(
            explanation.plan,
            partial(_plan, options=options, evidence="none" if summary and not options.detailed else evidence),
        ),
        cycles=given(_cycles(explanation), partial(build_cycles, options=options)),
        expiry=given(explanation.expiry, partial(_expiry, options=options, summary=summary)),
        expired=given(explanation.expired, partial(_expired, options=options)),
        resources=given(focus.rows if focus else explanation.resources, resources),
        counters=given(explanation.counters, partial(_counters, options=options)),
        chains=given(explanation.chains, _chains),
        since=explanation.token,
        skipped=parts.sentences(explanation.skipped),
        notes=[*parts.sentences(explanation.notes), *parts.coverage_notes(explanation.coverage)],
    )
    report.verdict = verdict(report, explanation, options)
    return report


def _cycles(explanation: results.Explanation) -> results.Section[results.Cycle] | None:
    return focus_cycles(explanation.focus) if explanation.focus else explanation.cycles


def _finish(report: models.PendingReport, *, explanation: results.Explanation, options: RenderOptions) -> None:
    cycles = _cycles(explanation)
    say_where_the_rest_is(report)
    if report.expired and report.expired.batches and report.expired.batches.end < report.expired.batches.total:
        report.expired.batches.more = "view=expired"
    say_how_many(report, cycles.items if cycles else ())
    report.next = next_calls(report, explanation, options)


def legend(report: models.PendingReport, content: str) -> Iterator[str]:
    """The terms that the answer uses."""
    if report.blockers and report.blockers.items:
        yield glossary.WAITING
    if '"cause":"not_seen"' in content and (report.blockers or report.plan or report.focus):
        yield glossary.NOT_SEEN
    elif report.focus and report.focus.kind == "not_pending":
        yield glossary.NOT_NAMED
    if '"later_batches":' in content:
        yield glossary.LATER
    if report.cycles and report.cycles.items:
        yield glossary.CYCLE
    if '"pending_again":' in content:
        yield glossary.PENDING_AGAIN


def _counts(counts: results.Counts) -> models.Counts:
    listed = counts.pending + counts.expired + counts.unreadable_resources
    return models.Counts(
        pending=counts.pending,
        batches=counts.batches,
        missing_records=counts.missing_records,
        cleared_by_all=counts.cleared_by_plan,
        stuck=counts.stuck,
        in_cycles=counts.in_cycles,
        lists_nothing=counts.lists_nothing,
        cycles=counts.cycles,
        expired=counts.expired,
        unreadable_expiry=counts.unreadable_expiry,
        duplicates=counts.duplicates,
        pending_by_counters=counts.counters_pending if counts.counters_pending != listed else 0,
        unreadable_resources=counts.unreadable_resources,
        batches_without_rows=counts.batches_with_counter_but_no_rows,
    )


def _tallies(explanation: results.Explanation) -> list[models.Tally]:
    """All causes, or the line of the one asked for; not where the view is about something else."""
    lines = explanation.tally if explanation.view in WITH_TALLY else ()
    return [_tally(line) for line in lines if explanation.cause in (None, line.cause)]


def _tally(line: results.ActionTally) -> models.Tally:
    return models.Tally(cause=line.cause, action=ACTIONS[line.action], records=line.records, waiting=line.waiting)


def _blockers(
    section: results.Section[results.Blocker], *, options: RenderOptions, evidence: parts.Evidence
) -> models.Items[models.Blocker]:
    def build(blocker: results.Blocker) -> models.Blocker:
        return models.Blocker(
            **parts.missing(blocker.record, blocker.finding, evidence).model_dump(),
            waiting=blocker.waiting,
            direct=blocker.direct,
            frees=blocker.frees,
            batches=blocker.batches if options.detailed else 0,
            first_lost=to_datetime(blocker.earliest_expiry),
        )

    return parts.items(models.Items[models.Blocker], section, build, options)


def _plan(plan: results.Plan, *, options: RenderOptions, evidence: parts.Evidence) -> models.Plan:
    def build(step: results.PlanStep) -> models.Step:
        return models.Step(
            **parts.missing(step.record, step.finding, evidence).model_dump(),
            gain=step.gain,
            freed=step.running_total,
            first_lost=to_datetime(step.deadline),
        )

    order = plan.upload_order
    steps = parts.items(models.Items[models.Step], plan.steps, build, options)
    return models.Plan(
        items=steps.items,
        total=steps.total,
        offset=steps.offset,
        cleared_by_all=plan.cleared_by_all,
        upload_order=[[exact_id(schema) for schema in group[:5]] for group in order.schemas[:20]],
        references=[
            models.Reference(child=exact_id(child), parent=exact_id(parent), rows=rows)
            for child, parent, rows in order.references[:12]
        ],
    )


def _expiry(expiry: results.Expiry, *, options: RenderOptions, summary: bool) -> models.Expiry:
    most = HOLDERS_IN_SUMMARY if summary and not options.detailed else 3

    def build(hour: results.ExpiryHour) -> models.Hour:
        return models.Hour(
            hour=parts.moment(hour.start),
            rows=hour.rows,
            held_by={parts.name(holder.record): holder.waiting for holder in hour.holders[:most]},
            holders=0 if most == HOLDERS_IN_SUMMARY else hour.holders_total,
            stuck=hour.stuck,
        )

    return models.Expiry(
        within_1_h=expiry.within_hour,
        within_24_h=expiry.within_day,
        later=expiry.later,
        unreadable=expiry.unreadable,
        first=to_datetime(expiry.next_at),
        hours=parts.items(models.Items[models.Hour], expiry.hours, build, options),
    )


def _expired(expired: results.Expired, options: RenderOptions) -> models.Expired:
    batches = results.Section(expired.batches, expired.batches_total)
    return models.Expired(
        total=expired.total,
        batches=parts.items(models.Items[models.ExpiredBatch], batches, _expired_batch, options),
        records=parts.items(models.Items[models.ExpiredRecord], expired.records, _expired_record, options),
    )


def _expired_batch(line: tuple[str, str, int]) -> models.ExpiredBatch:
    return models.ExpiredBatch(batch=exact_id(line[0]), schema_name=exact_id(line[1]), rows=line[2])


def _expired_record(row: results.ExpiredRecord) -> models.ExpiredRecord:
    return models.ExpiredRecord(
        record=parts.name(row.record),
        batch=exact_id(row.batch_id),
        expired=to_datetime(row.expired_at),
        misses=parts.names(row.misses, parts.MAX_MISSES),
        pending_again=row.pending_again,
    )


def _counters(
    section: results.Section[results.CounterDifference], options: RenderOptions
) -> models.Items[models.Counter]:
    return parts.items(models.Items[models.Counter], section, _counter, options)


def _counter(line: results.CounterDifference) -> models.Counter:
    return models.Counter(
        batch=exact_id(line.batch_id),
        schema_name=exact_id(line.schema),
        counter=line.counter,
        listed=line.listed,
        expired=line.expired,
        unreadable=line.unreadable,
    )


def _chains(chains: results.Chains) -> models.Chains:
    return models.Chains(
        by_depth=[rows for _, rows in chains.by_depth[:20]],
        longest=parts.names(chains.longest, 20),
        steps=chains.longest_steps,
    )
