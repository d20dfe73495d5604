"""The first sentences of an answer: as of when, how complete, how bad, what to do, how urgent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from reach_mcp.analysis import results
from reach_mcp.render import models
from reach_mcp.render.coverage import coverage_sentence, filter_sentence, heading
from reach_mcp.render.formatting import agree, batches, clock, deadline, listing, plural
from reach_mcp.render.glossary import ACTIONS, CAUSES, LOST
from reach_mcp.render.models.batches import COUNTERS, Batch
from reach_mcp.render.models.pending import Changes, Counts, WhatIf
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.sanitize import inert, is_plain_id

# --- sentences of several answers ----------------------------------------------------------------------------------


def _losing(within_day: int, within_hour: int, first: datetime | None, now: datetime) -> str:
    """How many expire soon, and the first of them."""
    at = f", the first at {deadline(first, now)}" if first else ""
    if within_day:
        soon = f" ({within_hour} of them within 1 h)" if within_hour else ""
        return f"{plural(within_day, 'expires', 'expire')} within 24 h{soon}{at}."
    return f"None expires within 24 h{at}." if at else ""


def _listed(said: str, listed: int, expired: int, unreadable: int) -> str:
    """Says that a counter and the API's list differ."""
    kinds = {"expired": expired, "unreadable": unreadable}
    of_these = (f"{'one' if count == 1 else count} of them {kind}" for kind, count in kinds.items() if count)
    return ", ".join((f"{said} pending, the API lists {listed}", *of_these))


def _join(sentences: Iterable[str]) -> str:
    return " ".join(filter(None, sentences))


# --- explain_pending_dependencies ----------------------------------------------------------------------------------


def pending_verdict(report: models.PendingReport, explanation: results.Explanation, options: RenderOptions) -> str:
    overall = _focus(report, explanation, explanation.focus) if explanation.focus else _overall(report, explanation)
    assumed = [_what_if(report.what_if)] if report.what_if else []
    changed = [_changes(report.changes, report.as_of)] if report.changes else []
    parts = [*overall, *assumed, *changed] if explanation.focus else [*assumed, *changed, *overall]
    return _join(
        [
            heading(report.as_of, options),
            coverage_sentence(report.coverage),
            *parts,
            filter_sentence(report.filter),
            f"Left out for lack of time: {listing(report.skipped)}." if report.skipped else "",
        ]
    )


def _overall(report: models.PendingReport, explanation: results.Explanation) -> Iterator[str]:
    counts, expiry, view = report.counts, report.expiry, explanation.view
    yield _waiting(report, explanation.counts)
    yield _clearing(counts)
    yield _best(report, explanation.cause) if view == "summary" else ""
    yield _losing(expiry.within_24_h, expiry.within_1_h, expiry.first, report.as_of) if expiry else ""
    if counts.expired:
        yield f"{plural(counts.expired, *LOST)}{'' if view == 'expired' else ' (view=expired)'}."
    if counts.pending_by_counters:
        listed = counts.pending + counts.expired + counts.unreadable_resources + explanation.counts.repeated
        said = f"The batches' counters say {counts.pending_by_counters}"
        where = "" if view == "counters" else " (view=counters)"
        yield f"{_listed(said, listed, counts.expired, counts.unreadable_resources)}{where}."


def _waiting(report: models.PendingReport, found: results.Counts) -> str:
    counts, scope = report.counts, " that matches the filter" if report.filter else ""
    if not counts.pending:
        return _nothing(report, scope, found)
    scope = scope and f" that {agree(counts.pending, 'matches', 'match')} the filter"
    verb = agree(counts.pending, "waits", "wait")
    missing = {None: verb, 0: f"{verb}, though no record is missing"}.get(
        found.missing_records, f"{verb} for {plural(counts.missing_records, 'missing record')}"
    )
    return f"{plural(counts.pending, 'live pending resource')}{scope} in {batches(counts.batches)} {missing}."


def _nothing(report: models.PendingReport, scope: str, found: results.Counts) -> str:
    if not report.coverage.complete:
        return f"Nothing{scope} was found waiting in the batches read."
    counts = report.counts
    if (
        counts.pending_by_counters
        or found.batches_with_counter_but_no_rows
        or counts.expired
        or found.unreadable_counters
    ):
        return f"No live pending resource{scope} is listed."
    return f"Nothing{scope} waits."


def _clearing(counts: Counts) -> str:
    """All parts of the sum of pending resources."""
    sizes = (counts.cleared_by_all, counts.stuck, counts.lists_nothing)
    lead = "It" if counts.pending == 1 else "All" if counts.pending in sizes else "Of these,"
    inside = f" ({counts.in_cycles} inside)" if counts.in_cycles and counts.pending > 1 else ""
    arrives = agree(counts.missing_records, "record arrives", "records arrive")
    pieces = [
        f"{_verb(counts.cleared_by_all, lead, 'clears', 'clear')} once the missing {arrives}",
        f"{_verb(counts.stuck, lead, 'is', 'are')} stuck in or behind {plural(counts.cycles, 'cycle')}{inside} until "
        "references are left out",
        f"{_verb(counts.lists_nothing, lead, 'lists', 'list')} nothing missing and still "
        f"{agree(counts.lists_nothing, 'waits', 'wait')}",
    ]
    said = listing(piece if size else "" for piece, size in zip(pieces, sizes, strict=True))
    return f"{lead} {said}." if said else ""


def _verb(count: int, lead: str, one: str, many: str) -> str:
    return plural(count, one, many) if lead == "Of these," else one if lead == "It" else many


def _best(report: models.PendingReport, cause: results.Cause | None) -> str:
    if not report.plan or not report.plan.items:
        return ""
    count, freed = len(report.plan.items), report.plan.items[-1].freed
    best = agree(count, "record of the plan, which frees", f"{count} records of the plan, which together free")
    of = f", of the {report.plan.total} with this cause ({CAUSES[cause]})" if cause else ""
    return f"First{of}: sending or fixing the {best} most, clears {freed}."


def _focus(report: models.PendingReport, explanation: results.Explanation, focus: results.Focus) -> Iterator[str]:
    shown, moment = report.focus, report.as_of
    assert shown is not None
    kind = "Batch " if focus.kind == "batch" and is_plain_id(shown.name) else ""
    yield f"{kind}{shown.name if is_plain_id(shown.name) else 'What is in focus'} {_state(focus)}."
    if focus.paths.total:
        yield f"It waits for {plural(focus.paths.total, 'missing record')}, directly or through others."
    if focus.cycles_total:
        cycles = plural(focus.cycles_total, "cycle")
        if focus.kind == "batch":
            yield f"Resources of it are in or behind {cycles}: these do not clear until references are left out."
        else:
            yield f"It is in or behind {cycles} and does not clear until references are left out."
    if focus.expired_rows and focus.kind != "expired":
        own = plural(focus.expired_rows, "resource of it has", "resources of it have")
        yield f"{own} expired and {agree(focus.expired_rows, 'is', 'are')} lost: resend."
    if focus.waits_for_it:
        yield f"{plural(focus.waits_for_it, 'pending resource waits', 'pending resources wait')} for it."
    if shown.first_lost:
        yield f"The first is lost at {deadline(shown.first_lost, moment)}."
    if focus.ambiguous:
        yield "The name stands for several records: give the definition id instead of the schema name."
    records = explanation.counts.missing_records
    missing = "" if records is None else f" and {plural(records, 'missing record')}"
    pending = report.counts.pending
    be, resources = agree(pending, "is", "are"), plural(pending, "live pending resource")
    yield f"In all there {be} {resources}{missing}."


def _state(focus: results.Focus) -> str:
    rows = plural(focus.rows.total, "live pending resource")
    cause = f": {CAUSES[focus.finding.cause]}, so {ACTIONS[focus.finding.action]}" if focus.finding else ""
    return {
        "pending": "is pending" if focus.rows.total == 1 else f"is pending, with {rows}",
        "missing": f"is missing{cause}",
        "arrived": "is assumed to have arrived",
        "expired": "was pending and has expired: it is lost, resend it",
        "failed": "failed to load, and nothing that was read waits for it",
        "batch": f"has {rows}" if focus.rows.total or not focus.expired_rows else "has no live pending resource left",
        "not_pending": "is not named by any batch that was read",
    }[focus.kind]


def _what_if(what_if: WhatIf) -> str:
    cleared, left = plural(what_if.cleared, "resource"), plural(what_if.still_waiting, "resource")
    if not what_if.assumed_total:
        return f"Nothing waits for the records assumed to arrive: {left} would still wait."
    assumed = agree(what_if.assumed_total, "assumed record", f"{what_if.assumed_total} assumed records")
    return f"If the {assumed} arrived, {cleared} would clear and {left} would still wait."


def _changes(changes: Changes, now: datetime) -> str:
    since = f"Since {clock(changes.since, now)}" if changes.since else "Since the token was made"
    if changes.unchanged:
        return f"{since} no pending resource came, went or waits for something else."
    least = "" if changes.exact else "at least "
    if changes.pending_before is None:
        new = (
            f"at least {plural(changes.new, 'pending resource is', 'pending resources are')} new" if changes.new else ""
        )
        gone = f"at least {plural(changes.gone, 'is', 'are')} gone" if changes.gone else ""
        return f"{since}: {listing((new, gone)) or 'how much has changed cannot be told'}."
    counts = {"new": changes.new, "gone": changes.gone}
    moves = ", ".join(f"{least}{count} {name}" for name, count in counts.items() if count)
    return (
        f"{since}: pending resources {changes.pending_before} -> {changes.pending_now} "
        f"({moves or 'some of them, or what they wait for, are others'}), "
        f"missing records {changes.missing_before} -> {changes.missing_now}."
    )


# --- list_batches and get_batch ------------------------------------------------------------------------------------


def list_verdict(report: models.BatchListReport, found: results.BatchListing, options: RenderOptions) -> str:
    census, read = report.census, coverage_sentence(report.coverage)
    if found.scope == "page":
        of = f" of {found.coverage.total}" if found.coverage.total is not None else ""
        read = f"One page was read: {batches(report.coverage.batches)}{of}. Every count is of this page."
    states, records, silent = "", "", ""
    if census.batches:
        matched = f" {agree(census.batches, 'matches', 'match')}" if report.filter else ""
        counts = ", ".join(f"{count} {name}" for name, count in census.by_status.items())
        states = f"{batches(census.batches)}{matched}: {counts}."
    elif report.filter:
        states = "No batch matches."
    if census.records.get("total"):
        failed, pending = census.records.get("failed", 0), census.records.get("pending", 0)
        hold = agree(census.batches, "It holds", "They hold")
        records = f"{hold} {plural(census.records['total'], 'record')}; {failed} failed, {pending} pending."
        records += _sampled_errors(found.census, failed)
    if census.without_counters:
        have = plural(census.without_counters, "batch has", "batches have")
        silent = (
            f"{have} absent or unreadable counters, so {agree(census.without_counters, 'it is', 'they are')} in no sum."
        )
    return _join([heading(report.as_of, options), read, states, records, silent, filter_sentence(report.filter)])


def _sampled_errors(census: results.Census, failed: int) -> str:
    """Whether the error messages are those of all failed records."""
    named, whole = census.errors_named, census.errors_covered - census.errors_named
    if named >= failed or not census.errors_covered:
        return ""
    others = f"; {whole} {agree(whole, 'is', 'are')} in batches that failed as a whole" if whole else ""
    if not named and whole == failed:
        return f" No failed record is named: {agree(failed, 'it is', 'all are')} in batches that failed as a whole."
    return f" The API lists messages of {named or 'none'} of {plural(failed, 'failed record')}{others}."


def detail_verdict(report: models.BatchDetailReport, detail: results.BatchDetail, options: RenderOptions) -> str:
    soon = _losing(report.within_24_h, report.within_1_h, report.next_expiry, report.as_of)
    lost = f"{plural(report.expired, *LOST)}." if report.expired else ""
    waits = _batch_waits(report, detail.lists_nothing)
    state = [
        _batch_state(report.batch, report.as_of),
        _progress(report.batch),
        _sampled(report.batch, detail.batch.failed_records_named),
        waits,
    ]
    return _join([heading(report.as_of, options), *state, soon, lost, _counter(report, detail)])


def _batch_state(batch: Batch, now: datetime) -> str:
    status = inert(batch.status, 40)
    if batch.status == "processing" and batch.started:
        return f"The batch is {status} since {deadline(batch.started, now)}."
    ended = f", completed {deadline(batch.completed, now)}" if batch.completed else ""
    return f"The batch's status is {status}{ended}."


def _progress(batch: Batch) -> str:
    known = [name for name in COUNTERS if name not in batch.unknown]
    said = ", ".join(f"{getattr(batch, name)} {name}" for name in known)
    total = "" if "records" in batch.unknown else f"{plural(batch.records, 'record')}: "
    unknown = f"Not given or unreadable: {', '.join(batch.unknown)}." if batch.unknown else ""
    return _join([f"{total}{said}." if said else "", unknown])


def _sampled(batch: Batch, named: int) -> str:
    """Whether the errors listed are those of all failed records."""
    failed = batch.failed
    if "failed" in batch.unknown or named == failed:
        return ""
    if batch.error and not named:
        return "It failed as a whole, so no record is named."
    if named < failed:
        others = agree(failed - named, "the other is", "the others are")
        return f"Messages of {named} of {plural(failed, 'failed record')} are listed by the API, {others} unknown."
    return f"Its errors name {plural(named, 'record')}, its counter says {failed} failed."


def _batch_waits(report: models.BatchDetailReport, idle: int) -> str:
    """How many live resources wait for records, and how many are `idle`: pending although they list nothing."""
    waiting = report.pending - idle
    records = plural(report.missing.total, "record")
    waits = f"{agree(waiting, 'waits', 'wait')} for {records} that {agree(waiting, 'it lists', 'they list')} as missing"
    lists = f"{agree(idle, 'lists', 'list')} nothing missing and {agree(idle, 'is', 'are')} still pending"
    resources = plural(report.pending, "live pending resource")
    if waiting and idle:
        return f"{resources}: {waiting} {waits}, {idle} {lists}."
    return f"{resources} {waits if waiting else lists}." if report.pending else ""


def _counter(report: models.BatchDetailReport, detail: results.BatchDetail) -> str:
    listed, counter = detail.batch.listed, report.batch.pending
    if listed is None or "pending" in report.batch.unknown or (listed == counter and not report.unreadable_resources):
        return ""
    said = f"The batch's counter says {counter}"
    return f"{_listed(said, listed, report.expired, report.unreadable_resources)}."
