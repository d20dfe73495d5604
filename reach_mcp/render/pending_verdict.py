"""The first sentences of an answer on pending resources: as of when, how complete, how bad, how urgent."""

from __future__ import annotations

from collections.abc import Iterator

from reach_mcp.analysis import results
from reach_mcp.render import models, parts
from reach_mcp.render.formatting import clock, listing, plural, until
from reach_mcp.render.glossary import ACTIONS, CAUSES, LOST
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.sanitize import is_plain_id


def verdict(report: models.PendingReport, explanation: results.Explanation, options: RenderOptions) -> str:
    sentences = [
        parts.filter_sentence(report.filter),
        parts.heading(report.as_of, options),
        parts.coverage_sentence(report.coverage),
        *(_focus(report, explanation.focus) if explanation.focus else ()),
        *(_what_if(report.what_if) if report.what_if else ()),
        *(_changes(report.changes, report) if report.changes else ()),
        *(_overall(report, explanation) if not explanation.focus else ()),
    ]
    if report.skipped:
        sentences.append(f"Left out for lack of time: {listing(report.skipped)}.")
    return " ".join(filter(None, sentences))


def waits(count: int, what: str = "pending resource") -> str:
    return plural(count, f"{what} waits", f"{what}s wait")


def _overall(report: models.PendingReport, explanation: results.Explanation) -> Iterator[str]:
    yield _waiting(report)
    yield _clearing(report.counts)
    yield from _unlisted(report)
    yield from _losing(report)
    yield _expired(report)
    yield _best(report, explanation)


def _waiting(report: models.PendingReport) -> str:
    counts, scope = report.counts, " that matches the filter" if report.filter else ""
    if not counts.pending:
        return _nothing(report, scope)
    verb = "waits" if counts.pending == 1 else "wait"
    missing = f"{verb} for {plural(counts.missing_records, 'missing record')}"
    if not counts.missing_records:
        missing = f"{verb}, though no record is missing"
    batches = plural(counts.batches, "batch", "batches")
    return f"{plural(counts.pending, 'live pending resource')}{scope} in {batches} {missing}."


def _nothing(report: models.PendingReport, scope: str) -> str:
    if not report.coverage.complete:
        return f"Nothing{scope} was found waiting in the batches read."
    if report.counts.pending_by_counters or report.counts.batches_without_rows or report.counts.expired:
        return f"No live pending resource{scope} is listed."
    return f"Nothing{scope} waits."


def _clearing(counts: models.Counts) -> str:
    """All parts of the sum of pending resources."""
    sizes = (counts.cleared_by_all, counts.stuck, counts.lists_nothing)
    lead = "It" if counts.pending == 1 else "All" if counts.pending in sizes else "Of these,"
    inside = f" ({counts.in_cycles} inside)" if counts.in_cycles and counts.pending > 1 else ""
    pieces = [
        f"{_verb(counts.cleared_by_all, lead, 'clears', 'clear')} once the missing {_records(counts)}",
        f"{_verb(counts.stuck, lead, 'is', 'are')} stuck in or behind {plural(counts.cycles, 'cycle')}{inside} until "
        "references are left out",
        f"{_verb(counts.lists_nothing, lead, 'lists', 'list')} nothing missing and still "
        f"{'waits' if counts.lists_nothing == 1 else 'wait'}",
    ]
    said = listing(piece if size else "" for piece, size in zip(pieces, sizes, strict=True))
    return f"{lead} {said}." if said else ""


def _verb(count: int, lead: str, one: str, many: str) -> str:
    return plural(count, one, many) if lead == "Of these," else one if lead == "It" else many


def _expired(report: models.PendingReport) -> str:
    count = report.counts.expired
    if not count:
        return ""
    lost = plural(count, *LOST)
    return f"{lost}{'' if report.expired else ' (view=expired)'}."


def _records(counts: models.Counts) -> str:
    return "record arrives" if counts.missing_records == 1 else "records arrive"


def _unlisted(report: models.PendingReport) -> Iterator[str]:
    counts = report.counts
    if counts.pending_by_counters:
        listed = counts.pending + counts.expired + counts.unreadable_resources
        extra = [
            f"{counts.expired} of them expired" if counts.expired else "",
            f"{counts.unreadable_resources} unreadable" if counts.unreadable_resources else "",
        ]
        said = f"The batches' counters say {counts.pending_by_counters} pending, the API lists {listed}"
        yield f"{', '.join(filter(None, (said, *extra)))}{'' if report.counters else ' (view=counters)'}."


def _losing(report: models.PendingReport) -> Iterator[str]:
    expiry = report.expiry
    if expiry and expiry.within_24_h:
        soon = f" ({expiry.within_1_h} of them within 1 h)" if expiry.within_1_h else ""
        yield f"{plural(expiry.within_24_h, 'expires', 'expire')} within 24 h{soon}{_first(report)}."
    elif expiry and expiry.first:
        yield f"None expires within 24 h{_first(report)}."


def _first(report: models.PendingReport) -> str:
    first = report.expiry.first if report.expiry else None
    return f", the first at {clock(first, report.as_of)} ({until(first, report.as_of)})" if first else ""


def _best(report: models.PendingReport, explanation: results.Explanation) -> str:
    if not report.plan or explanation.view != "summary" or not report.plan.items:
        return ""
    count, freed = len(report.plan.items), report.plan.items[-1].freed
    if count == 1:
        return f"Sending the one record below that frees most clears {freed}."
    return f"Sending the {count} records below that free most together clears {freed}."


def _focus(report: models.PendingReport, focus: results.Focus) -> Iterator[str]:
    shown, moment = report.focus, report.as_of
    assert shown is not None
    named = shown.record or shown.batch or shown.asked
    kind = "Batch " if focus.kind == "batch" and is_plain_id(named) else ""
    yield f"{kind}{named if is_plain_id(named) else 'What is in focus'} {_state(focus)}."
    if focus.paths.total:
        yield f"It waits for {plural(focus.paths.total, 'missing record')}, directly or through others."
    if focus.cycles_total:
        cycles = plural(focus.cycles_total, "cycle")
        yield f"It is in or behind {cycles} and does not clear until references are left out."
    if focus.expired_rows and focus.kind != "expired":
        own = plural(focus.expired_rows, "resource of it has", "resources of it have")
        yield f"{own} expired and {'is' if focus.expired_rows == 1 else 'are'} lost: resend."
    if focus.waits_for_it:
        yield f"{waits(focus.waits_for_it)} for it."
    if shown.first_lost:
        yield f"The first is lost at {clock(shown.first_lost, moment)} ({until(shown.first_lost, moment)})."
    if focus.ambiguous:
        yield "The name stands for several records: give the definition id instead of the schema name."
    pending, missing = report.counts.pending, report.counts.missing_records
    yield f"In all there are {plural(pending, 'live pending resource')} and {plural(missing, 'missing record')}."


def _state(focus: results.Focus) -> str:
    rows = plural(focus.rows.total, "live pending resource")
    cause = f": {CAUSES[focus.finding.cause]}, so {ACTIONS[focus.finding.action]}" if focus.finding else ""
    return {
        "pending": "is pending" if focus.rows.total == 1 else f"is pending, with {rows}",
        "missing": f"is missing{cause}",
        "expired": "was pending and has expired: it is lost, resend it",
        "failed": "failed to load, and nothing that was read waits for it",
        "batch": f"has {rows}",
        "not_pending": "is not named by any batch that was read",
    }[focus.kind]


def _what_if(what_if: models.WhatIf) -> Iterator[str]:
    assumed = "assumed record" if what_if.assumed_total == 1 else f"{what_if.assumed_total} assumed records"
    cleared, left = plural(what_if.cleared, "resource"), plural(what_if.still_waiting, "resource")
    yield f"If the {assumed} arrived, {cleared} would clear and {left} would still wait."


def _changes(changes: models.Changes, report: models.PendingReport) -> Iterator[str]:
    since = f"Since {clock(changes.since, report.as_of)}" if changes.since else "Since the token was made"
    if changes.unchanged:
        yield f"{since} nothing has changed."
        return
    least = "" if changes.exact else "at least "
    yield (
        f"{since}: pending resources {changes.pending_before} -> {changes.pending_now} ({least}{changes.new} new, "
        f"{least}{changes.gone} gone), missing records {changes.missing_before} -> {changes.missing_now}."
    )
