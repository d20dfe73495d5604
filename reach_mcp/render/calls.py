"""Where the rest of a trimmed list is, and the calls to make next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reach_mcp.analysis.results import BatchListing, Explanation
from reach_mcp.render.budget import MAX_CALLS, size_of
from reach_mcp.render.models.batches import BatchDetailReport, BatchListReport
from reach_mcp.render.models.common import Call, Items
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


Given = Mapping[str, ArgumentValue]
Proposal = tuple[str, str, Given] | tuple[str, str, Given, Iterable[str]]
"""Why, tool, arguments, and which other arguments of the present call the next one repeats."""


def first_calls(proposals: Iterable[Proposal], options: RenderOptions) -> list[Call]:
    """The first calls, each once, with the filters of the present call.

    Left out: calls with an argument that is too long to repeat, or with an id from the tenant that is not plain,
    because a call is not quoted.
    """
    calls: list[Call] = []
    for why, tool, arguments, *same in proposals:
        repeated = REPEATED[tool].union(*same)
        whole = {key: value for key, value in options.arguments.items() if key in repeated} | {**arguments}
        new = all((tool, whole) != (each.tool, each.arguments) for each in calls)
        if new and _is_safe(arguments, options) and size_of(whole) <= MAX_CALL_BYTES:
            calls.append(Call(why=why, tool=tool, arguments=whole))
    return calls[:MAX_CALLS]


def _is_safe(arguments: Given, options: RenderOptions) -> bool:
    texts = {key: value for key, value in arguments.items() if isinstance(value, str)}
    return all(is_plain_id(text) or options.arguments.get(key) == text for key, text in texts.items())


# --- explain_pending_dependencies ----------------------------------------------------------------------------------


def say_where_the_rest_is(report: PendingReport) -> None:
    """Set `more` of every section that is not shown to its end."""
    for view, part in _pageable(report).items():
        if part is not None:
            cause = f", cause={report.cause}" if report.cause and view in ("blockers", "plan") else ""
            part.say_where_the_rest_is("" if report.focus else view + cause)
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


def after_explanation(report: PendingReport, explanation: Explanation) -> Iterator[Proposal]:
    view = explanation.view
    if not report.coverage.complete and report.coverage.why:
        again: Given = {"fresh": True} if view == "summary" else {"view": view, "fresh": True}
        yield "Read again, because this reading is incomplete", EXPLAIN, again, SAME_QUESTION
    if explanation.focus:
        yield from _after_focus(report)
    elif view == "summary":
        yield from _after_summary(report)
    else:
        part = _pageable(report)[view]
        if part is not None and part.more:
            yield "The rest", EXPLAIN, {"view": view, "offset": part.end}, SAME_VIEW
        if report.counts.missing_records and explanation.order != "expiry" and view != "expired":
            yield "What to do first, by deadline", EXPLAIN, {"view": "plan", "order": "expiry"}
        if view != "plan" and report.counts.missing_records:
            yield "What to do first, by how much it frees", EXPLAIN, {"view": "plan"}


def _after_focus(report: PendingReport) -> Iterator[Proposal]:
    assert report.focus is not None
    if report.focus.expired_rows and not (report.resources and report.resources.total):
        yield "All that has expired, to resend", EXPLAIN, {"view": "expired"}
    parts = (report.focus.paths, report.resources, report.focus.expired)
    if ends := [part.end for part in parts if part is not None and part.more]:
        yield "The rest of this focus", EXPLAIN, {"offset": min(ends)}, SAME_VIEW
    if report.focus.batch:
        yield "State and errors of the batch", GET, {"batch_id": report.focus.batch}
    if report.focus.alternatives:
        yield "The record that was perhaps meant", EXPLAIN, {"focus": report.focus.alternatives[0]}
    if report.focus.why and report.focus.why.batch and report.focus.why.cause != "not_seen":
        yield "The batch that shows the cause", GET, {"batch_id": report.focus.why.batch}


def _after_summary(report: PendingReport) -> Iterator[Proposal]:
    causes = {line.cause for line in report.by_cause}
    if report.expiry and report.expiry.within_24_h and report.counts.missing_records:
        yield "What to do first, by deadline", EXPLAIN, {"view": "plan", "order": "expiry"}
    if "failed" in causes and len(causes) > 1:
        yield "All that failed, with errors", EXPLAIN, {"view": "blockers", "cause": "failed"}
    if report.cycles and (report.cycles.more or any(len(c.members) < c.members_total for c in report.cycles.items)):
        yield "All cycles with all members", EXPLAIN, {"view": "cycles"}
    if report.oldest_batch:
        yield "Why the oldest batch waits", EXPLAIN, {"focus": report.oldest_batch.batch}
    if report.plan and report.plan.more:
        yield "More steps, best first", EXPLAIN, {"view": "plan"}, ("cause",)
    if report.blockers and report.blockers.more:
        rest: Given = {"view": "blockers", "offset": report.blockers.end}
        yield "More missing records", EXPLAIN, rest, ("cause",)
    if report.counts.expired:
        yield "Expired records to resend", EXPLAIN, {"view": "expired"}


# --- list_batches and get_batch ------------------------------------------------------------------------------------


def after_list(report: BatchListReport, listing: BatchListing, options: RenderOptions) -> Iterator[Proposal]:
    page = report.batches
    if page.more:
        yield "More of these batches", LIST, {"offset": page.end}, ("cursor", "limit", "scope")
    elif listing.coverage.cursor and listing.coverage.stop:
        yield "The next page", LIST, {"cursor": listing.coverage.cursor}, ("limit", "scope")
        if listing.scope == "page":
            yield "Counts over all batches", LIST, {"scope": "all"}, ("limit",)
    if "include_pending_details" in options.arguments:
        yield "Pending resources one by one", EXPLAIN, {"view": "resources"}
    if report.census.most_failed:
        yield "Errors of the batch with most failed records", GET, {"batch_id": report.census.most_failed[0].batch}
    if report.census.records.get("pending"):
        yield "Why records wait", EXPLAIN, {}


def after_detail(report: BatchDetailReport) -> Iterator[Proposal]:
    own: Given = {"batch_id": report.batch.id}
    rows = report.resources or report.missing
    if rows.more:
        yield "The rest of the list", GET, {**own, "offset": rows.end}, ("include_pending_details", "limit")
    if report.errors.more:
        whole: Given = {**own, "limit": min(report.errors.total, MAX_LIMIT), "response_format": "detailed"}
        yield "More of the errors", GET, whole
    if report.pending:
        yield "What to send for it", EXPLAIN, {"focus": report.batch.id}
    if report.pending and report.resources is None:
        yield "Its pending resources", GET, {**own, "include_pending_details": True}
    if report.expired:
        yield "What to resend", EXPLAIN, {"view": "expired"}
