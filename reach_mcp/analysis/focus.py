"""One record or one batch: the paths down to each missing record, and the rows that wait for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

from reach_mcp.analysis.analysis import Analysis
from reach_mcp.analysis.batch_stats import describe_row
from reach_mcp.analysis.cycles import KeyCycle, describe_cycle, find_reachable
from reach_mcp.analysis.expiry import describe_expired
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.results import (
    BatchSummary,
    CauseFinding,
    Focus,
    FocusKind,
    Holder,
    Path,
    Record,
    Section,
)
from reach_mcp.analysis.stop import paced
from reach_mcp.analysis.waiting import count_waiting

MAX_CYCLES = 50
"""Cycles that a focus describes."""

MAX_PATH = 20
"""Records of one path. The middle of a longer one is left out."""

_PREFERRED: tuple[FocusKind, ...] = ("pending", "missing", "arrived", "expired", "failed", "not_pending")
"""Of several records that a name stands for, the first in this order is explained."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """The record or batch in focus."""

    kind: FocusKind
    keys: tuple[int, ...] = ()
    flags: bytearray = field(default_factory=bytearray)
    """One byte per row of the snapshot, 1 where the row is its own; empty where it has none."""
    rows: tuple[int, ...] = ()
    """Its own live rows."""
    record: Record | None = None
    batch: BatchSummary | None = None
    alternatives: tuple[Record, ...] = ()
    ambiguous: bool = False


def focus_on(analysis: Analysis, asked: str, assumed: Iterable[str], limit: int, offset: int) -> Focus:
    """Explain one record or batch, whatever the filter. `limit` and `offset` page every list but that of cycles.

    Args:
        assumed: names of records that are assumed to have arrived: one in focus is of kind `arrived`.
    """
    subject = _find_subject(analysis, asked, frozenset(key for name in assumed for key in analysis.keys_of(name)))
    graph, snapshot, cycles = analysis.graph, analysis.snapshot, _find_cycles(analysis, subject.rows)
    above = _find_above(analysis, subject.keys) - (set(subject.rows) if subject.batch else set())
    flags = subject.flags or bytearray(len(snapshot.rows))
    rows = analysis.sort_by_expiry(above) if subject.kind == "missing" else subject.rows
    expired = describe_expired(graph, flags, offset=offset, limit=limit).records
    paths = _list_paths(analysis, subject.rows, flags, limit, offset)
    holders = paths.map(lambda path: Holder(path.records[-1], path.waiting))
    return Focus(
        kind=subject.kind,
        asked=asked,
        record=subject.record,
        batch=subject.batch,
        rows=Section.of(rows, offset, limit).map(lambda row: describe_row(snapshot, snapshot.rows[row])),
        expired_rows=expired.total,
        paths=paths,
        cycles=() if offset else tuple(describe_cycle(graph, analysis.stuck, one) for one in cycles[:MAX_CYCLES]),
        cycles_total=len(cycles),
        waits_for_it=len(above),
        earliest_expiry=min(filter(isfinite, map(graph.expires.__getitem__, rows or above)), default=None),
        finding=_find_cause(analysis, subject),
        alternatives=subject.alternatives,
        ambiguous=subject.ambiguous,
        expired=expired,
        missing=holders if subject.batch else Section((), 0),
    )


def _find_subject(analysis: Analysis, asked: str, assumed: frozenset[int]) -> _Subject:
    found = analysis.lookup.resolve(asked)
    if found.batch is not None:
        flags = bytearray(row.batch == found.batch for row in paced(analysis.snapshot.rows, analysis.check))
        for number, batches in analysis.snapshot.repeats.also_in.items():
            flags[number] |= found.batch in batches
        rows = _list_live(analysis, flags)
        keys = tuple(dict.fromkeys(analysis.graph.key_of[row] for row in rows))
        return _Subject("batch", keys, flags, rows, batch=analysis.snapshot.batches[found.batch])
    if not found.records:
        return _Subject("not_pending", alternatives=found.near_misses)
    subjects = [_record_subject(analysis, record, assumed) for record in found.records]
    chosen = min(subjects, key=lambda one: (_PREFERRED.index(one.kind), one.record and one.record.schema_id))
    others = tuple(record for record in found.records if record != chosen.record)
    return replace(chosen, alternatives=others, ambiguous=bool(others))


def _record_subject(analysis: Analysis, record: Record, assumed: frozenset[int]) -> _Subject:
    key = analysis.snapshot.key_index.get((record.schema_id, record.external_id))
    if key is None:
        return _Subject("failed", record=record)
    flags = bytearray(row.key == key for row in paced(analysis.snapshot.rows, analysis.check))
    kind: FocusKind = "expired" if any(flags) else "not_pending"
    if key in assumed:
        kind = "arrived"
    elif analysis.graph.pending[key]:
        kind = "pending"
    elif analysis.graph.waits_on(key):
        kind = "missing"
    return _Subject(kind, (key,), flags, _list_live(analysis, flags), record)


def _list_live(analysis: Analysis, flags: bytearray) -> tuple[int, ...]:
    return tuple(analysis.sort_by_expiry(analysis.graph.selected(flags)))


def _find_cause(analysis: Analysis, subject: _Subject) -> CauseFinding | None:
    """Why the record itself is not there: where it is missing, expired or failed."""
    if subject.kind == "failed" and subject.record is not None:
        return analysis.causes.find_record(subject.record)
    if subject.kind not in ("missing", "expired"):
        return None
    return analysis.find_causes(subject.keys)[subject.keys[0]]


# --- below and above -----------------------------------------------------------------------------------------------


def _descend(analysis: Analysis, rows: Iterable[int]) -> dict[int, int]:
    """Every key below some rows, and their own, to the key above it on a shortest path; -1 for their own.

    The nearest come first; ties go by identity.
    """
    graph, identity = analysis.graph, analysis.snapshot.keys.__getitem__
    own: dict[int, list[int]] = {}
    for row in rows:
        own.setdefault(graph.key_of[row], []).extend(graph.missing[row])
    order = sorted(own, key=identity)
    above = dict.fromkeys(order, -1)
    for key in paced(order, analysis.check):  # it grows meanwhile
        below = own[key] if key in own else graph.lower.get(key, ())
        fresh = sorted({lower for lower in below if lower not in above}, key=identity)
        above.update(dict.fromkeys(fresh, key))
        order += fresh
    return above


def _list_paths(analysis: Analysis, rows: Sequence[int], flags: bytearray, limit: int, offset: int) -> Section[Path]:
    """A path to each missing record below; those that most rows in focus wait for first."""
    above, snapshot = _descend(analysis, rows), analysis.snapshot
    ends = [key for key in above if not analysis.graph.pending[key]]
    counts = count_waiting(analysis.graph, flags, checkpoint=analysis.check).counts if ends else {}
    ends.sort(key=lambda key: (-counts[key], snapshot.keys[key]))
    page = Section.of(ends, offset, limit)
    findings = analysis.find_causes(page.items)

    def describe(end: int) -> Path:
        path = [end]
        while (key := above[path[-1]]) >= 0:
            path.append(key)
        steps = len(path) - 1
        if len(path) > MAX_PATH:
            del path[MAX_PATH // 2 : -MAX_PATH // 2]
        return Path(snapshot.records(path[::-1]), steps, findings[end], counts[end])

    return page.map(describe)


def _find_cycles(analysis: Analysis, rows: Sequence[int]) -> list[KeyCycle]:
    """Every cycle that the rows are in or wait behind."""
    below = set(analysis.stuck.below(rows))
    return [cycle for cycle in analysis.select(BatchFilter()).cycles if cycle.number in below]


def _find_above(analysis: Analysis, keys: Iterable[int]) -> set[int]:
    """The live rows that wait for any of some keys, directly or through others."""
    graph = analysis.graph
    above = find_reachable(keys, lambda key: map(graph.key_of.__getitem__, graph.waits_on(key)), analysis.check)
    return {row for key in above for row in graph.waits_on(key)}
