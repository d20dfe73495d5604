"""How much was read, as the field of an answer and as notes."""

from __future__ import annotations

from collections.abc import Iterator

from reach_mcp.analysis import results
from reach_mcp.api.pagination import Coverage
from reach_mcp.render.formatting import batches, exact_duration, plural
from reach_mcp.render.glossary import STOPPED
from reach_mcp.render.models import common
from reach_mcp.render.options import RenderOptions
from reach_mcp.render.sanitize import inert


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
