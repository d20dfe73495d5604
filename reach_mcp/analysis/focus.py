"""One record or one batch: the paths down to each missing record, and the rows that wait for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from reach_mcp.analysis.analysis import Analysis
from reach_mcp.analysis.cycles import describe_cycle
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.results import BatchSummary, CauseFinding, Cycle, Focus, FocusKind, Path, Record, Section
from reach_mcp.analysis.rows import describe_row, section, soonest_first
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
    """The record or batch in focus: keys, with the live rows that are looked at."""

    kind: FocusKind
    keys: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    expired_rows: int = 0
    record: Record | None = None
    batch: BatchSummary | None = None
    alternatives: tuple[Record, ...] = ()
    ambiguous: bool = False


def focus_on(analysis: Analysis, asked: str, assumed: Iterable[str], limit: int, offset: int) -> Focus:
    """Explain one record or batch, whatever the filter. `limit` and `offset` page the paths; rows come from the first.

    Args:
        assumed: names of records that are assumed to have arrived: one in focus is of kind `arrived`.
    """
    subject = _find_subject(analysis, asked, frozenset(key for name in assumed for key in analysis.keys_of(name)))
    snapshot, cycles = analysis.snapshot, _list_cycles(analysis, subject.rows)
    above = _find_above(analysis, subject.keys) - (set(subject.rows) if subject.batch else set())
    expires = map(analysis.graph.expires.__getitem__, subject.rows or above)
    return Focus(
        kind=subject.kind,
        asked=asked,
        record=subject.record,
        batch=subject.batch,
        rows=section(subject.rows, 0, limit, lambda row: describe_row(snapshot, snapshot.rows[row])),
        expired_rows=subject.expired_rows,
        paths=_list_paths(analysis, subject.rows, limit, offset),
        cycles=tuple(cycles[:MAX_CYCLES]),
        cycles_total=len(cycles),
        waits_for_it=len(above),
        earliest_expiry=min(filter(isfinite, expires), default=None),
        finding=_find_cause(analysis, subject),
        alternatives=subject.alternatives,
        ambiguous=subject.ambiguous,
    )


# --- the subject ---------------------------------------------------------------------------------------------------


def _find_subject(analysis: Analysis, asked: str, assumed: frozenset[int]) -> _Subject:
    found = analysis.lookup.resolve(asked)
    if found.batch is not None:
        return _batch_subject(analysis, found.batch)
    if found.record is not None:
        return _record_subject(analysis, found.record, assumed)
    if found.kind != "ambiguous":
        return _Subject("not_pending", alternatives=found.alternatives)
    subjects = [_record_subject(analysis, record, assumed) for record in found.alternatives]
    chosen = min(subjects, key=lambda one: (_PREFERRED.index(one.kind), one.record and one.record.schema_id))
    others = tuple(record for record in found.alternatives if record != chosen.record)
    return replace(chosen, alternatives=others, ambiguous=True)


def _batch_subject(analysis: Analysis, batch: int) -> _Subject:
    graph, snapshot = analysis.graph, analysis.snapshot
    numbers = [number for number, row in enumerate(paced(snapshot.rows, analysis.check)) if row.batch == batch]
    rows = tuple(soonest_first(snapshot, filter(graph.is_live, numbers)))
    keys = tuple(dict.fromkeys(graph.key_of[row] for row in rows))
    return _Subject("batch", keys, rows, len(numbers) - len(rows), batch=snapshot.batches[batch])


def _record_subject(analysis: Analysis, record: Record, assumed: frozenset[int]) -> _Subject:
    graph, rows = analysis.graph, analysis.snapshot.rows
    key = analysis.snapshot.key_index.get((record.schema_id, record.external_id))
    if key is None:
        return _Subject("failed", record=record)
    own = tuple(soonest_first(analysis.snapshot, graph.rows_of(key)))
    expired = sum(row.key == key and row.expires <= graph.now for row in paced(rows, analysis.check))
    return _Subject(_find_kind(analysis, key, expired, assumed), (key,), own, expired, record)


def _find_kind(analysis: Analysis, key: int, expired: int, assumed: frozenset[int]) -> FocusKind:
    if key in assumed:
        return "arrived"
    if analysis.graph.pending[key]:
        return "pending"
    if analysis.graph.waits_on(key):
        return "missing"
    return "expired" if expired else "not_pending"


def _find_cause(analysis: Analysis, subject: _Subject) -> CauseFinding | None:
    """Why the record itself is not there: where it is missing, expired or failed."""
    if subject.kind == "failed" and subject.record is not None:
        return analysis.causes.find_record(subject.record)
    if subject.kind not in ("missing", "expired"):
        return None
    return analysis.find_causes(subject.keys)[subject.keys[0]]


# --- below and above -----------------------------------------------------------------------------------------------


class _Descent:
    """Shortest paths from the keys of some rows down to every key below. Linear in keys and links."""

    def __init__(self, analysis: Analysis, rows: Iterable[int]) -> None:
        graph, identity = analysis.graph, analysis.snapshot.keys.__getitem__
        own: dict[int, list[int]] = {}
        for row in rows:
            own.setdefault(graph.key_of[row], []).extend(graph.missing[row])
        self.order = sorted(own, key=identity)
        """Every key reached, the nearest first; ties go by identity."""
        self._above = dict.fromkeys(self.order, -1)
        self.depth = dict.fromkeys(self.order, 0)
        """Key to the steps from the nearest start down to it."""
        for key in paced(self.order, analysis.check):  # it grows meanwhile
            below = own[key] if key in own else graph.lower.get(key, ())
            fresh = sorted({lower for lower in below if lower not in self.depth}, key=identity)
            self._above.update(dict.fromkeys(fresh, key))
            self.depth.update(dict.fromkeys(fresh, self.depth[key] + 1))
            self.order += fresh

    def path(self, key: int) -> list[int]:
        """The keys of a shortest path, both ends included: all of them, or the first and last ten."""
        found = [key]
        while (key := self._above[key]) >= 0:
            found.append(key)
        if len(found) > MAX_PATH:
            del found[MAX_PATH // 2 : -MAX_PATH // 2]
        return found[::-1]


def _list_paths(analysis: Analysis, rows: Sequence[int], limit: int, offset: int) -> Section[Path]:
    """A path to each missing record below; those that most rows in focus wait for first."""
    descent, snapshot = _Descent(analysis, rows), analysis.snapshot
    ends = [key for key in descent.order if not analysis.graph.pending[key]]
    counts = _count_waiting(analysis, rows, ends)
    ends.sort(key=lambda key: (-counts[key], snapshot.keys[key]))
    findings = analysis.find_causes(ends[offset : offset + limit])

    def describe(key: int) -> Path:
        return Path(snapshot.records(descent.path(key)), descent.depth[key], findings[key], counts[key])

    return section(ends, offset, limit, describe)


def _count_waiting(analysis: Analysis, rows: Sequence[int], keys: Sequence[int]) -> dict[int, int]:
    """How many of the rows in focus wait for each key."""
    if len(rows) == 1:
        return dict.fromkeys(keys, 1)
    flags = bytearray(len(analysis.snapshot.rows))
    for row in rows:
        flags[row] = 1
    return count_waiting(analysis.graph, flags, checkpoint=analysis.check).counts


def _list_cycles(analysis: Analysis, rows: Sequence[int]) -> list[Cycle]:
    """Every cycle that the rows are in or wait behind, with counts over all rows."""
    graph, stuck = analysis.graph, analysis.stuck
    below = set(stuck.below(rows))
    found = [cycle for cycle in analysis.select(BatchFilter()).cycles if cycle.number in below]
    return [describe_cycle(graph, stuck, cycle) for cycle in found]


def _find_above(analysis: Analysis, keys: Iterable[int]) -> set[int]:
    """The live rows that wait for any of some keys, directly or through others."""
    graph, found = analysis.graph, set[int]()
    order = list(dict.fromkeys(keys))
    seen = set(order)
    for key in paced(order, analysis.check):  # it grows meanwhile
        rows = graph.waits_on(key)
        found.update(rows)
        fresh = {graph.key_of[row] for row in rows} - seen
        seen |= fresh
        order += fresh
    return found
