"""How much was read and when: as the field of an answer, as notes and as the first sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reach_mcp.analysis import results
from reach_mcp.api.pagination import Coverage
from reach_mcp.render.formatting import agree, batches, exact_duration, plural
from reach_mcp.render.glossary import STOPPED
from reach_mcp.render.models import common
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.sanitize import MAX_ID_CHARS, inert


def build_coverage(read: Coverage, left_out: results.FilterReport | None, options: RenderOptions) -> common.Coverage:
    """How much was read; batches that a time filter could not judge make it incomplete too."""
    undated = left_out.undated_total if left_out else 0
    return common.Coverage(
        complete=read.complete and not undated,
        batches=read.batches,
        of=read.total if read.total != read.batches else None,
        age_seconds=options.age_seconds,
        why="; ".join(_reasons(read, undated)),
        cursor=(read.cursor or "") if read.stop in ("deadline", "error", "page_limit", "one_page") else "",
    )


def _reasons(read: Coverage, undated: int) -> Iterator[str]:
    if undated:
        yield f"{batches(undated)} without a readable createdAt may match as well"
    if read.stop:
        yield STOPPED[read.stop]
    if read.error is not None:
        yield inert(read.error.message.rstrip("."))
    if read.started_at_cursor:
        yield "it goes on from a cursor, so earlier batches are not counted"
    if read.short:
        yield "the API says that there are more batches than its pages held"
    if read.unreadable_batches:
        yield f"{batches(read.unreadable_batches)} could not be decoded"
    if read.unreadable_resources:
        yield f"{plural(read.unreadable_resources, 'pending resource')} could not be decoded"


def coverage_notes(read: Coverage) -> Iterator[str]:
    """Facts about the reading that qualify the answer although the reading succeeded."""
    if read.moved or read.repeated:
        twice = f"; {batches(read.repeated)} came twice, counted once" if read.repeated else ""
        yield f"The list of batches changed while it was read{twice}."
    if read.clock_skew:
        yield clock_note(read.clock_skew)
    unreadable = [*read.unreadable_names[:3], *read.unreadable_resource_names[:3]]
    if unreadable:
        yield f"Could not be decoded, wholly or in part: {', '.join(inert(each, 60) for each in unreadable)}."


def clock_note(skew: float) -> str:
    """Says that the API's clock is some seconds ahead of ours, or behind it."""
    side = "ahead of" if skew > 0 else "behind"
    return f"The API's clock is {exact_duration(abs(skew))} {side} this server's. Deadlines follow the API's clock."


def filter_sentence(left_out: common.LeftOut | None) -> str:
    if left_out is None:
        return ""
    resources = "" if left_out.resources is None else f" and {plural(left_out.resources, 'pending resource')}"
    return f"Filter: {left_out.filter}. It left out {batches(left_out.batches)}{resources}."


def heading(as_of: datetime, options: RenderOptions) -> str:
    """`Tenant acme, as of 2026-11-26 00:18 UTC (read 40 s ago).`"""
    who = f"Tenant {inert(options.tenant, MAX_ID_CHARS)}, as of" if options.tenant else "As of"
    age = f" (read {options.age_seconds} s ago)" if options.age_seconds else ""
    return f"{who} {as_of:%Y-%m-%d %H:%M} UTC{age}."


def coverage_sentence(read: common.Coverage) -> str:
    """`All 400 batches read.`, or how many of how many and why not all."""
    if read.complete:
        return f"All {batches(read.batches)} read." if read.batches else "There are no batches."
    part = batches(read.batches) if read.of is None else f"{read.batches} of {batches(read.of)}"
    why = f" ({read.why})" if read.why else ""
    return f"Incomplete: {part} read{why}. Every count is of {agree(read.batches, 'that one', 'those')}."
