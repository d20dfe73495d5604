"""What changed since an earlier answer, from the facts in its token.

A token has no list of rows, so the number of new rows and of rows that are gone is known as a lower bound. The bound is
exact where every group of rows (by hash) either kept all its rows or lost them all. Rows are told apart by batch, id
and record; their creation time does not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from math import isfinite, isnan

from reach_mcp.analysis.part import Part
from reach_mcp.analysis.results import Changes, MovedBlocker, Record
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.tokens import BUCKETS, MAX_TOP, SPANS, TokenState

MAX_NAME_CHARS = 60
"""Longest name of a record that a token keeps."""

_MASK = 0xFFFFFFFF


def hash_text(*parts: str) -> int:
    """Return 64 bits that stand for some texts, the same in every process."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest())


@dataclass(frozen=True)
class Measure:
    """What is compared: the live rows selected and the missing records that they wait for, at one time."""

    snapshot: Snapshot
    as_of: float
    rows: Sequence[int]
    """Selected live rows, as indexes into the snapshot's rows."""
    batches: Sequence[int]
    waiting: Sequence[tuple[int, int]]
    """(key, rows that wait for it) of every missing record, in the order of rank."""
    created_after: float | None = None
    created_before: float | None = None

    @classmethod
    def of(cls, part: Part) -> Measure:
        """The selected rows of an analysis."""
        return cls(
            snapshot=part.analysis.snapshot,
            as_of=part.analysis.as_of,
            rows=part.rows,
            batches=part.matched.batches,
            waiting=[(root.key, root.waiting) for root in part.ranked("waiting")],
            created_after=part.filter.created_after,
            created_before=part.filter.created_before,
        )

    @cached_property
    def key_hashes(self) -> list[int]:
        """The hash of every key of the snapshot."""
        return [hash_text(*key) for key in self.snapshot.keys]

    @cached_property
    def row_hashes(self) -> list[int]:
        """The hash of every selected row."""
        snapshot = self.snapshot
        ids = [batch.id for batch in snapshot.batches]
        found = map(snapshot.rows.__getitem__, self.rows)
        return [hash_text(ids[row.batch], row.id, *snapshot.keys[row.key]) for row in found]

    @cached_property
    def keys_by_hash(self) -> dict[int, int]:
        """Keys by the 32 bits of their hash that a token keeps."""
        return {number & _MASK: key for key, number in enumerate(self.key_hashes)}

    def groups(self, until: float | None = None) -> list[_Group]:
        """The rows in each bucket; those created after `until` apart from the others."""
        found = [_Group() for _ in range(BUCKETS)]
        for row, number in zip(self.rows, self.row_hashes, strict=True):
            group = found[number % BUCKETS]
            if until is not None and self.snapshot.rows[row].created > until:
                group.later += 1
            else:
                group.rows += 1
                group.sum = group.sum + (number >> 16) & _MASK
        return found

    @cached_property
    def links(self) -> int:
        """The hash of the rows with what each lists as missing."""
        hashes, rows = self.key_hashes, self.snapshot.rows
        numbers = zip(self.rows, self.row_hashes, strict=True)
        return (
            sum((number | 1) * (1 + sum(hashes[key] for key in rows[row].missing)) for row, number in numbers) & _MASK
        )

    @cached_property
    def missing_hash(self) -> int:
        """The hash of the set of missing records."""
        return sum(self.key_hashes[key] for key, _ in self.waiting) & _MASK

    @cached_property
    def batches_hash(self) -> int:
        """The hash of the set of batches selected."""
        return sum(hash_text(self.snapshot.batches[number].id) for number in self.batches) & _MASK

    def state(self) -> TokenState:
        """Return the facts for a token."""
        rows = [self.snapshot.rows[row] for row in self.rows]
        created = [row.created for row in rows if isfinite(row.created)]
        groups = self.groups()
        top = self.waiting[:MAX_TOP]
        return TokenState(
            as_of=self.as_of,
            created_after=self.created_after,
            created_before=self.created_before,
            complete=self.snapshot.coverage.complete,
            batches=self.batches_hash,
            pending=len(rows),
            unreadable=sum(isnan(row.expires) for row in rows),
            newest=max(created, default=None),
            counts=[group.rows for group in groups],
            sums=b"".join(group.sum.to_bytes(4) for group in groups),
            links=self.links,
            missing=len(self.waiting),
            missing_hash=self.missing_hash,
            within=[sum(row.expires <= self.as_of + span for row in rows) for span in SPANS],
            top=[(self.key_hashes[key] & _MASK, count) for key, count in top],
            names=[_short_name(self.snapshot.record(key)) for key, _ in top],
        )


def _short_name(record: Record) -> tuple[str, str]:
    return (record.schema, record.external_id) if len(record.name) <= MAX_NAME_CHARS else ("", "")


@dataclass
class _Group:
    rows: int = 0
    sum: int = 0
    later: int = 0


@dataclass(frozen=True, slots=True)
class _Bound:
    """Bounds of one bucket."""

    new: int
    gone: int
    gone_at_most: int
    exact: bool


def _bound(before: int, total: int, group: _Group) -> _Bound:
    """Compare one bucket: `before` rows with the hash sum `total`, and the rows of now."""
    if group.rows == before and group.sum == total:
        return _Bound(group.later, 0, 0, True)
    new = max(group.later, group.rows + group.later - before)
    gone = before + new - group.rows - group.later
    return _Bound(new, gone, before, not before or not group.rows)


def compare(before: TokenState, now: Measure, *, status: str = "") -> Changes:
    """Compare the facts of a token with the present. Both have to be of the same filter.

    `status` is the status that the filter asks for. Batches change theirs, so that rows can be compared only while the
    filter selects the same batches.
    """
    complete = now.snapshot.coverage.complete
    comparable = not status or before.batches == now.batches_hash
    bounds = _bound_all(before, now)
    new = sum(bound.new for bound in bounds) if before.complete and comparable else 0
    gone = sum(bound.gone for bound in bounds) if complete and comparable else 0
    whole = complete and before.complete and comparable
    exact = whole and all(bound.exact for bound in bounds)
    moved = _find_moved(before, now) if whole else ()
    missing_same = (before.missing, before.missing_hash) == (len(now.waiting), now.missing_hash)
    return Changes(
        since=before.as_of,
        pending_before=before.pending,
        pending_now=len(now.rows),
        new_at_least=new,
        gone_at_least=gone,
        expired_at_most=min(sum(bound.gone_at_most for bound in bounds), _expired_by(before, now.as_of)),
        exact=exact,
        missing_before=before.missing,
        missing_now=len(now.waiting),
        moved=moved,
        unchanged=exact and not new and not gone and not moved and missing_same and before.links == now.links,
        note=_explain_limits(before, now, status, comparable=comparable),
    )


def _bound_all(before: TokenState, now: Measure) -> list[_Bound]:
    sums = [int.from_bytes(before.sums[start : start + 4]) for start in range(0, 4 * BUCKETS, 4)]
    return list(map(_bound, before.counts, sums, now.groups(before.newest)))


def _expired_by(before: TokenState, now: float) -> int:
    """How many of the rows of then can have expired, at most."""
    for span, count in zip(SPANS, before.within, strict=True):
        if now <= before.as_of + span:
            return count + before.unreadable
    return before.pending


def _find_moved(before: TokenState, now: Measure) -> tuple[MovedBlocker, ...]:
    """Missing records of the token for which another number of rows waits now; new ones where all were named then."""
    waiting = dict(now.waiting)
    found = []
    for position, (number, count) in enumerate(before.top):
        key = now.keys_by_hash.get(number)
        present = 0 if key is None else waiting.get(key, 0)
        if present != count:
            found.append(MovedBlocker(_name(before, position, key, now.snapshot), count, present))
    if before.missing == len(before.top):
        named = {number for number, _ in before.top}
        fresh = [(key, count) for key, count in now.waiting if now.key_hashes[key] & _MASK not in named]
        found += [MovedBlocker(now.snapshot.record(key), 0, count) for key, count in fresh[:MAX_TOP]]
    return tuple(found)


def _name(before: TokenState, position: int, key: int | None, snapshot: Snapshot) -> Record | None:
    if key is not None:
        return snapshot.record(key)
    schema, external_id = before.names[position] if position < len(before.names) else ("", "")
    if not external_id:
        return None
    return Record(schema, external_id, next(iter(snapshot.names.definitions(schema)), schema))


def _explain_limits(before: TokenState, now: Measure, status: str, *, comparable: bool) -> str:
    return " ".join(_limits(before, now, status, comparable=comparable))


def _limits(before: TokenState, now: Measure, status: str, *, comparable: bool) -> Iterable[str]:
    if not before.complete:
        yield (
            "The earlier reading was incomplete: pending resources and missing records that it did not reach "
            "cannot be told from new ones."
        )
    if not now.snapshot.coverage.complete:
        yield (
            "This reading is incomplete: only what was read is compared, and nothing can be said of the rest, "
            "so none counts as gone."
        )
    if not comparable:
        yield (
            f"The filter status {status} selects other batches now than then, "
            "so pending resources of the two times cannot be compared."
        )
