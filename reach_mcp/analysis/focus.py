"""One record or one batch: what it waits for, down to each missing record, and what waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from reach_mcp.analysis.analysis import Analysis
from reach_mcp.analysis.cycles import describe_cycle
from reach_mcp.analysis.descent import Descent, rows_above
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.lookup import Resolution
from reach_mcp.analysis.results import (
    BatchSummary,
    CauseFinding,
    Cycle,
    Focus,
    FocusKind,
    Path,
    Record,
    Section,
)
from reach_mcp.analysis.rows import describe_row, section, soonest_first
from reach_mcp.analysis.waiting import count_waiting

MAX_CYCLES = 50
"""Cycles that a focus describes."""


@dataclass(frozen=True)
class _Subject:
    """What is in focus: keys with the live rows that are looked at."""

    kind: FocusKind
    keys: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    expired_rows: int = 0
    record: Record | None = None
    batch: BatchSummary | None = None
    alternatives: tuple[Record, ...] = ()
    ambiguous: bool = False


def focus_on(analysis: Analysis, asked: str, *, limit: int, offset: int = 0, assumed: Iterable[str] = ()) -> Focus:
    """Explain one record or batch, whatever the filter. `limit` and `offset` page the paths; rows come from the first.

    Args:
        assumed: names of records that are assumed to have arrived: one in focus is of kind `arrived`.
    """
    subject = _find_subject(analysis, asked, frozenset(key for name in assumed for key in analysis.keys_of(name)))
    graph, snapshot = analysis.graph, analysis.snapshot
    descent = _descend(analysis, subject)
    above = rows_above(graph, subject.keys) - (set(subject.rows) if subject.batch else set())
    cycles = _list_cycles(analysis, subject.rows)
    return Focus(
        kind=subject.kind,
        asked=asked,
        record=subject.record,
        batch=subject.batch,
        rows=section(subject.rows, 0, limit, lambda row: describe_row(snapshot, snapshot.rows[row])),
        expired_rows=subject.expired_rows,
        paths=_list_paths(analysis, subject, descent, limit, offset),
        cycles=tuple(cycles[:MAX_CYCLES]),
        cycles_total=len(cycles),
        waits_for_it=len(above),
        earliest_expiry=_earliest(analysis, subject.rows or above),
        finding=_find_cause(analysis, subject),
        alternatives=subject.alternatives,
        ambiguous=subject.ambiguous,
    )


# --- the subject ---------------------------------------------------------------------------------------------------


def _find_subject(analysis: Analysis, asked: str, assumed: frozenset[int]) -> _Subject:
    found = analysis.lookup.resolve(asked)
    if found.batch is not None:
        return _batch_subject(analysis, found.batch)
    if found.kind == "ambiguous":
        return _ambiguous_subject(analysis, found, assumed)
    if found.record is None:
        return _Subject("not_pending", alternatives=found.alternatives)
    return _record_subject(analysis, found.record, assumed)


def _batch_subject(analysis: Analysis, batch: int) -> _Subject:
    graph, snapshot = analysis.graph, analysis.snapshot
    numbers = [number for number, row in enumerate(snapshot.rows) if row.batch == batch]
    rows = tuple(soonest_first(snapshot, filter(graph.is_live, numbers)))
    keys = tuple(dict.fromkeys(graph.key_of[row] for row in rows))
    return _Subject("batch", keys, rows, len(numbers) - len(rows), batch=snapshot.batches[batch])


def _ambiguous_subject(analysis: Analysis, found: Resolution, assumed: frozenset[int]) -> _Subject:
    """The first of the records meant that waits, else that is missing, else the first; the others are alternatives."""
    subjects = [_record_subject(analysis, record, assumed) for record in found.alternatives]
    chosen = min(subjects, key=lambda one: (_PREFERRED.index(one.kind), one.record and one.record.schema_id))
    others = tuple(one.record for one in subjects if one is not chosen and one.record)
    return replace(chosen, alternatives=others, ambiguous=True)


_PREFERRED: tuple[FocusKind, ...] = ("pending", "missing", "arrived", "expired", "failed", "not_pending", "batch")


def _record_subject(analysis: Analysis, record: Record, assumed: frozenset[int]) -> _Subject:
    graph, rows = analysis.graph, analysis.snapshot.rows
    key = analysis.snapshot.key_index.get((record.schema_id, record.external_id))
    if key is None:
        return _Subject("failed", record=record)
    own = tuple(soonest_first(analysis.snapshot, graph.rows_of(key)))
    expired = sum(row.key == key and row.expires <= graph.now for row in rows)
    return _Subject(_kind(analysis, key, expired, assumed), (key,), own, expired, record)


def _kind(analysis: Analysis, key: int, expired: int, assumed: frozenset[int]) -> FocusKind:
    graph = analysis.graph
    if key in assumed:
        return "arrived"
    if graph.pending[key]:
        return "pending"
    if graph.waits_on(key):
        return "missing"
    return "expired" if expired else "not_pending"


def _find_cause(analysis: Analysis, subject: _Subject) -> CauseFinding | None:
    """Why the record itself is not there: where it is missing, expired or failed."""
    if subject.kind == "failed" and subject.record is not None:
        return analysis.causes.find_record(subject.record)
    if subject.kind not in ("missing", "expired"):
        return None
    return analysis.find_causes(subject.keys)[subject.keys[0]]


def _earliest(analysis: Analysis, rows: Iterable[int]) -> float | None:
    return min(filter(isfinite, (analysis.graph.expires[row] for row in rows)), default=None)


# --- paths and cycles ----------------------------------------------------------------------------------------------


def _descend(analysis: Analysis, subject: _Subject) -> Descent:
    """The walk down from the rows in focus."""
    graph = analysis.graph
    own: dict[int, list[int]] = {}
    for row in subject.rows:
        own.setdefault(graph.key_of[row], []).extend(graph.missing[row])

    def lists(key: int) -> Sequence[int]:
        return list(dict.fromkeys(own[key])) if key in own else graph.lower.get(key, ())

    return Descent(graph, own, lists, checkpoint=analysis.checkpoint)


def _list_paths(analysis: Analysis, subject: _Subject, descent: Descent, limit: int, offset: int) -> Section[Path]:
    """A path to each missing record below; those that most rows in focus wait for first."""
    pending, snapshot = analysis.graph.pending, analysis.snapshot
    ends = [key for key in descent.order if not pending[key]]
    counts = _count_waiting(analysis, subject.rows, ends)
    ends.sort(key=lambda key: (-counts[key], snapshot.keys[key]))
    findings = analysis.find_causes(ends[offset : offset + limit])

    def describe(key: int) -> Path:
        return Path(snapshot.records(descent.path(key)), descent.steps(key), findings[key], counts[key])

    return section(ends, offset, limit, describe)


def _count_waiting(analysis: Analysis, rows: Sequence[int], keys: Sequence[int]) -> dict[int, int]:
    """How many of the rows in focus wait for each key."""
    if len(rows) == 1:
        return dict.fromkeys(keys, 1)
    flags = bytearray(len(analysis.snapshot.rows))
    for row in rows:
        flags[row] = 1
    return count_waiting(analysis.graph, flags, checkpoint=analysis.checkpoint).counts


def _list_cycles(analysis: Analysis, rows: Sequence[int]) -> list[Cycle]:
    """Every cycle that the rows are in or wait behind, with counts over all rows."""
    below = set(analysis.stuck.below(rows))
    graph, stuck = analysis.graph, analysis.stuck
    found = [cycle for cycle in analysis.part(BatchFilter()).cycles if cycle.number in below]
    return [describe_cycle(graph, stuck, cycle) for cycle in found]
