"""Parts that several answers share: from analysis results to output models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal, TypeVar

from reach_mcp.analysis import results
from reach_mcp.api.pagination import Coverage
from reach_mcp.render import models
from reach_mcp.render.budget import MAX_CALLS, size_of
from reach_mcp.render.formatting import duration, plural, to_datetime
from reach_mcp.render.glossary import ACTIONS, MATCHED, STOPPED
from reach_mcp.render.options import ArgumentValue, RenderOptions
from reach_mcp.render.sanitize import MAX_ID_CHARS, exact_id, inert, is_plain_id

S = TypeVar("S")
M = TypeVar("M")

MAX_NOTE_CHARS = 400
MAX_MISSES = 5
MAX_CALL_BYTES = 600
BYTES_PER_ITEM = 40
"""Hardly an item takes less, so a limit in bytes bounds the length of every list."""
EPOCH = to_datetime(0.0)
PAGING = frozenset({"offset", "view", "cause", "order", "focus", "assume_arrived", "since", "fresh", "limit"})


def name(record: results.Record) -> str:
    return exact_id(record.name)


def names(records: Iterable[results.Record], longest: int) -> list[str]:
    return [name(record) for _, record in zip(range(longest), records, strict=False)]


def moment(seconds: float) -> models.Time:
    """A time that is always there; one that no calendar has is shown as 1970."""
    found = to_datetime(seconds) or EPOCH
    assert found is not None
    return found


def items(
    model: type[models.Items[M]], section: results.Section[S], build: Callable[[S], M], options: RenderOptions
) -> models.Items[M]:
    """The items of a section, as many as the byte limit can hold at most."""
    most = options.limit_bytes // BYTES_PER_ITEM
    shown = [build(item) for item in section.items[:most]]
    return model(items=shown, total=section.total, offset=section.offset)


def given(value: S | None, build: Callable[[S], M]) -> M | None:
    return None if value is None else build(value)


def coverage(read: Coverage, filtered: results.FilterReport | None, options: RenderOptions) -> models.Coverage:
    """How much was read; batches that a time filter could not judge make it incomplete too."""
    undated = filtered.undated_total if filtered else 0
    return models.Coverage(
        complete=read.complete and not undated,
        batches=read.batches,
        of=read.total if read.total != read.batches else None,
        pages=read.pages if read.pages > 1 and options.detailed else 0,
        age_seconds=options.age_seconds,
        why="; ".join(_reasons(read, undated)),
        cursor=exact_id(read.cursor or "") if read.stop in ("deadline", "error", "page_limit", "one_page") else "",
    )


def _reasons(read: Coverage, undated: int) -> Iterable[str]:
    if undated:
        yield f"{plural(undated, 'batch', 'batches')} without a readable createdAt may match as well"
    if read.stop:
        yield STOPPED[read.stop]
    if read.error is not None:
        yield inert(read.error.message.rstrip("."))
    if read.started_at_cursor:
        yield "it goes on from a cursor, so earlier batches are not counted"
    if read.short:
        yield "the API says that there are more batches than its pages held"
    if read.unreadable_batches:
        yield f"{plural(read.unreadable_batches, 'batch', 'batches')} could not be decoded"
    if read.unreadable_resources:
        yield f"{plural(read.unreadable_resources, 'pending resource')} could not be decoded"


def coverage_notes(read: Coverage) -> list[str]:
    """Facts about the reading that qualify the answer although the reading succeeded."""
    notes = []
    if read.moved or read.repeated:
        notes.append(
            "The list of batches changed while it was read"
            + (f"; {plural(read.repeated, 'batch', 'batches')} came twice, counted once." if read.repeated else ".")
        )
    if read.clock_skew:
        side = "ahead of" if read.clock_skew > 0 else "behind"
        amount = duration(abs(read.clock_skew))
        notes.append(f"The API's clock is {amount} {side} this server's. Deadlines follow the API's clock.")
    unreadable = [*read.unreadable_names[:3], *read.unreadable_resource_names[:3]]
    if unreadable:
        notes.append(f"Could not be decoded, wholly or in part: {', '.join(inert(each, 60) for each in unreadable)}.")
    return notes


def coverage_sentence(read: models.Coverage, what: str = "batch") -> str:
    """`All 400 batches read.`, or how many of how many and why not all."""
    if read.complete:
        return f"All {plural(read.batches, what, 'batches')} read." if read.batches else "There are no batches."
    of = f" of {read.of}" if read.of is not None else ""
    why = f" ({read.why})" if read.why else ""
    return f"Incomplete: {read.batches}{of} batches read{why}. Every count is of those."


def heading(as_of: models.Time, options: RenderOptions) -> str:
    """`Tenant acme, 2026-11-26 00:18 UTC (read 40 s ago).`"""
    who = f"Tenant {inert(options.tenant, MAX_ID_CHARS)}, as of" if options.tenant else "As of"
    age = f" (read {options.age_seconds} s ago)" if options.age_seconds else ""
    return f"{who} {as_of:%Y-%m-%d %H:%M} UTC{age}."


def filter_sentence(left_out: models.LeftOut | None) -> str:
    if left_out is None:
        return ""
    batches, rows = plural(left_out.batches, "batch", "batches"), plural(left_out.resources, "pending resource")
    return f"Filter: {left_out.filter}. It left out {batches} with {rows}."


def left_out(report: results.FilterReport | None) -> models.LeftOut | None:
    if report is None:
        return None
    return models.LeftOut(
        filter=inert(report.description, MAX_NOTE_CHARS),
        batches=report.batches_left_out,
        resources=report.resources_left_out,
        undated=[exact_id(each) for each in report.undated[:5]],
        undated_total=report.undated_total,
    )


def sentences(texts: Iterable[str]) -> list[str]:
    return [inert(text, MAX_NOTE_CHARS) for text in texts]


def holding(holder: results.Holder) -> models.Holding:
    return models.Holding(record=name(holder.record), waiting=holder.waiting)


Evidence = Literal["none", "brief", "full"]
"""`none`: the cause alone. `brief`: no error category where there is a message."""


def missing(record: results.Record, finding: results.CauseFinding, evidence: Evidence = "full") -> models.Missing:
    return models.Missing(record=name(record), **why(finding, evidence).model_dump())


def why(finding: results.CauseFinding, evidence: Evidence = "full") -> models.Why:
    """The cause of one missing record, with its action and evidence where they are asked for."""
    if evidence == "none":
        return models.Why(cause=finding.cause)
    found = models.Why(cause=finding.cause, action=ACTIONS[finding.action]).model_copy(update=_evidence(finding))
    return found.model_copy(update={"category": ""}) if evidence == "brief" and found.error else found


def _evidence(finding: results.CauseFinding) -> dict[str, str | int]:
    if finding.cause in ("failed", "deleted") and finding.failures:
        return _failure(finding, finding.failures[0])
    if finding.cause == "looks_like" and finding.lookalikes:
        like = finding.lookalikes[0]
        how = "; ".join(filter(None, (like.rule, like.difference)))
        return {"like": name(like.record), "how": inert(how), "others": max(finding.lookalikes_total - 1, 0)}
    if finding.cause == "expired":
        return {"how": plural(finding.expired_rows, "expired resource")}
    if finding.cause == "in_progress" and finding.in_progress:
        return {"batch": exact_id(finding.in_progress[0]), "others": len(finding.in_progress) - 1}
    return {}


def _failure(finding: results.CauseFinding, failure: results.Failure) -> dict[str, str | int]:
    return {
        "batch": exact_id(failure.batch_id),
        "category": inert(failure.category, 60),
        "error": inert(failure.message, 100),
        "how": MATCHED[failure.matched_by],
        "others": max(finding.failures_total - 1, 0),
        "later_batches": finding.later_batches,
    }


def resources(
    section: results.Section[results.WaitingResource], *, batch: bool, options: RenderOptions
) -> models.Items[models.Resource]:
    """Pending resources; their batch only where they can be of several."""
    build = partial(_resource, batch=batch, detailed=options.detailed)
    return items(models.Items[models.Resource], section, build, options)


def _resource(row: results.WaitingResource, *, batch: bool, detailed: bool) -> models.Resource:
    shown = min(len(row.misses), MAX_MISSES)
    return models.Resource(
        id=exact_id(row.id) if detailed else "",
        record=name(row.record),
        batch=exact_id(row.batch_id) if batch else "",
        created=to_datetime(row.created_at) if detailed else None,
        expires=to_datetime(row.expires_at),
        misses=names(row.misses, MAX_MISSES),
        misses_total=row.misses_total if row.misses_total > shown else 0,
    )


def call(why: str, tool: str, arguments: models.Arguments, options: RenderOptions) -> models.Call | None:
    """A next call with the filters of this one.

    None where an argument is too long to repeat, or is an id from the tenant that is not plain: a call is not quoted.
    """
    kept = {key: value for key, value in options.arguments.items() if key not in PAGING}
    if tool == "get_batch":
        kept = {key: value for key, value in kept.items() if key in ("tenant_id", "response_format")}
    whole = kept | arguments
    ours = all(_is_safe(value) or options.arguments.get(key) == value for key, value in arguments.items())
    return models.Call(why=why, tool=tool, arguments=whole) if ours and size_of(whole) <= MAX_CALL_BYTES else None


def _is_safe(value: ArgumentValue) -> bool:
    return not isinstance(value, str) or is_plain_id(value)


def first_calls(calls: Iterable[models.Call | None]) -> list[models.Call]:
    """At most three calls, each once."""
    kept: list[models.Call] = []
    for each in calls:
        if each is not None and all(each.arguments != other.arguments or each.tool != other.tool for other in kept):
            kept.append(each)
    return kept[:MAX_CALLS]
