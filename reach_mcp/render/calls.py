"""Where the rest of a trimmed list is, and the calls to make next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reach_mcp.analysis.results import BatchListing, Explanation
from reach_mcp.render.budget import MAX_CALLS, size_of
from reach_mcp.render.models.batches import BatchDetailReport, BatchListReport
from reach_mcp.render.models.common import Arguments, Call, Items
from reach_mcp.render.models.pending import PendingReport
from reach_mcp.render.options import ArgumentValue, RenderOptions
from reach_mcp.render.sanitize import is_plain_id

EXPLAIN, LIST, GET = "explain_pending_dependencies", "list_batches", "get_batch"
MAX_CALL_BYTES = 600
MAX_LIMIT = 1_000

_EVERYWHERE = {"tenant_id", "response_format"}
_FILTERS = {*_EVERYWHERE, "status", "batch_type", "schema", "created_after", "created_before"}
_OF_THE_LIST = {"sort_by", "sort_direction", "include_pending_details", "only_batches_with_pending_resources"}
REPEATED = {EXPLAIN: _FILTERS, LIST: _FILTERS | _OF_THE_LIST, GET: _EVERYWHERE}
"""Arguments that a next call takes over from the present one."""
SAME_VIEW = ("cause", "order", "focus", "assume_arrived", "limit")
SAME_QUESTION = (*SAME_VIEW, "view", "offset", "since")


def call(why: str, tool: str, arguments: Arguments, options: RenderOptions, same: Iterable[str] = ()) -> Call | None:
    """A next call with the filters of this one, and with those of its arguments that are named `same`.

    None where an argument is too long to repeat, or is an id from the tenant that is not plain: a call is not quoted.
    """
    given = options.arguments
    kept = {key: value for key, value in given.items() if key in REPEATED[tool] or key in same}
    whole = kept | arguments
    ours = all(_is_safe(value) or given.get(key) == value for key, value in arguments.items())
    return Call(why=why, tool=tool, arguments=whole) if ours and size_of(whole) <= MAX_CALL_BYTES else None


def _is_safe(value: ArgumentValue) -> bool:
    return not isinstance(value, str) or is_plain_id(value)


def first_calls(calls: Iterable[Call | None]) -> list[Call]:
    """At most three calls, each once."""
    kept: list[Call] = []
    for each in calls:
        if each is not None and all((each.tool, each.arguments) != (one.tool, one.arguments) for one in kept):
            kept.append(each)
    return kept[:MAX_CALLS]


# --- explain_pending_dependencies ----------------------------------------------------------------------------------


def say_where_the_rest_is(report: PendingReport) -> None:
    """Set `more` of every section that is not shown to its end."""
    for view, part in _pageable(report).items():
        if part is not None:
            part.say_where_the_rest_is("" if report.focus else view)
    for part in (report.focus.expired, report.focus.missing) if report.focus else ():
        if part is not None:
            part.say_where_the_rest_is()
    if report.expired and report.expired.batches.end < report.expired.batches.total:
        report.expired.batches.more = "view=expired"


def _pageable(report: PendingReport) -> dict[str, Items[Any] | None]:
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


def after_explanation(report: PendingReport, explanation: Explanation, options: RenderOptions) -> Iterator[Call | None]:
    view = explanation.view
    if not report.coverage.complete and report.coverage.why:
        shown: Arguments = {} if view == "summary" else {"view": view}
        whole = {**shown, "fresh": True}
        yield call("Read again, because this reading is incomplete", EXPLAIN, whole, options, SAME_QUESTION)
    if explanation.focus:
        yield from _after_focus(report, options)
    elif view == "summary":
        yield from _after_summary(report, options)
    else:
        part = _pageable(report)[view]
        if part is not None and part.more:
            yield call("The rest", EXPLAIN, {"view": view, "offset": part.end}, options, SAME_VIEW)
        if report.counts.missing_records and explanation.order != "expiry" and view != "expired":
            yield call("What to do first, by deadline", EXPLAIN, {"view": "plan", "order": "expiry"}, options)
        if view != "plan" and report.counts.missing_records:
            yield call("What to do first, by how much it frees", EXPLAIN, {"view": "plan"}, options)


def _after_focus(report: PendingReport, options: RenderOptions) -> Iterator[Call | None]:
    assert report.focus is not None
    if report.focus.expired_rows and not (report.resources and report.resources.total):
        yield call("All that has expired, to resend", EXPLAIN, {"view": "expired"}, options)
    for part in (report.focus.paths, report.resources, report.focus.expired):
        if part is not None and part.more:
            yield call("The rest of this focus", EXPLAIN, {"offset": part.end}, options, SAME_VIEW)
    if report.focus.batch:
        yield call("State and errors of the batch", GET, {"batch_id": report.focus.batch}, options)
    if report.focus.alternatives:
        yield call("The record that was perhaps meant", EXPLAIN, {"focus": report.focus.alternatives[0]}, options)
    if report.focus.why and report.focus.why.batch and report.focus.why.cause != "not_seen":
        yield call("The batch that shows the cause", GET, {"batch_id": report.focus.why.batch}, options)


def _after_summary(report: PendingReport, options: RenderOptions) -> Iterator[Call | None]:
    causes = {line.cause for line in report.by_cause}
    if report.expiry and report.expiry.within_24_h and report.counts.missing_records:
        yield call("What to do first, by deadline", EXPLAIN, {"view": "plan", "order": "expiry"}, options)
    if "failed" in causes and len(causes) > 1:
        yield call("All that failed, with errors", EXPLAIN, {"view": "blockers", "cause": "failed"}, options)
    if report.cycles and (report.cycles.more or any(len(c.members) < c.members_total for c in report.cycles.items)):
        yield call("All cycles with all members", EXPLAIN, {"view": "cycles"}, options)
    if report.oldest_batch:
        yield call("Why the oldest batch waits", EXPLAIN, {"focus": report.oldest_batch.batch}, options)
    if report.plan and report.plan.more:
        yield call("More steps, best first", EXPLAIN, {"view": "plan"}, options)
    if report.blockers and report.blockers.more:
        yield call("More missing records", EXPLAIN, {"view": "blockers", "offset": report.blockers.end}, options)
    if report.counts.expired:
        yield call("Expired records to resend", EXPLAIN, {"view": "expired"}, options)


# --- list_batches and get_batch ------------------------------------------------------------------------------------


def after_list(report: BatchListReport, listing: BatchListing, options: RenderOptions) -> Iterator[Call | None]:
    page = report.batches
    if page.more:
        yield call("More of these batches", LIST, {"offset": page.end}, options, ("cursor", "limit", "scope"))
    elif listing.coverage.cursor and listing.coverage.stop:
        cursor: Arguments = {"cursor": listing.coverage.cursor}
        yield call("The next page", LIST, cursor, options, ("limit", "scope"))
        if listing.scope == "page":
            yield call("Counts over all batches", LIST, {"scope": "all"}, options, ("limit",))
    if "include_pending_details" in options.arguments:
        yield call("Pending resources one by one", EXPLAIN, {"view": "resources"}, options)
    if report.census.most_failed:
        batch_id = report.census.most_failed[0].batch
        yield call("Errors of the batch with most failed records", GET, {"batch_id": batch_id}, options)
    if report.census.records.get("pending"):
        yield call("Why records wait", EXPLAIN, {}, options)


def after_detail(report: BatchDetailReport, options: RenderOptions) -> Iterator[Call | None]:
    batch_id = report.batch.id
    own: Arguments = {"batch_id": batch_id}
    rows = report.resources or report.missing
    if rows.more:
        page: Arguments = {**own, "offset": rows.end}
        yield call("The rest of the list", GET, page, options, ("include_pending_details", "limit"))
    if report.errors.more:
        whole: Arguments = {**own, "limit": min(report.errors.total, MAX_LIMIT), "response_format": "detailed"}
        yield call("More of the errors", GET, whole, options)
    if report.pending:
        yield call("What to send for it", EXPLAIN, {"focus": batch_id}, options)
    if report.pending and report.resources is None:
        yield call("Its pending resources", GET, {**own, "include_pending_details": True}, options)
    if report.expired:
        yield call("What to resend", EXPLAIN, {"view": "expired"}, options)
