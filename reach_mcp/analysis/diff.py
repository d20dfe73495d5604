"""The changes since an earlier answer, from the facts in its token.

A token has no list of rows, so the number of new rows and of rows that are gone is known as a lower bound. The bound is
exact where no row of then is gone, or all are. Rows are told apart by batch, id and record; their creation time does
not change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from math import isfinite

from reach_mcp.analysis.analysis import SelectedRows
from reach_mcp.analysis.results import Changes, MovedBlocker, Record
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.stop import paced
from reach_mcp.analysis.tokens import SPANS, TokenState

MAX_TOP = 6
"""Missing records that a token keeps, where their names fit, with the number of rows that wait for each."""

_MASK = 0xFFFF_FFFF_FFFF_FFFF


def measure(selected: SelectedRows) -> TokenState:
    """The facts for a token: the selected live rows, and the missing records that they wait for."""
    analysis, ranked = selected.analysis, selected.ranked("waiting")
    snapshot = analysis.snapshot
    rows = [snapshot.rows[row] for row in selected.rows]
    soonest = sorted(row.expires if isfinite(row.expires) else 0.0 for row in rows)
    row_hash, content = _hash_rows(selected, selected.rows)
    waiting = (
        _hash("\0".join((*snapshot.keys[root.key], str(root.waiting)))) for root in paced(ranked, analysis.check)
    )
    named = [(snapshot.record(root.key), root.waiting) for root in ranked[:MAX_TOP]]
    return TokenState(
        as_of=analysis.as_of,
        created_after=selected.filter.created_after,
        created_before=selected.filter.created_before,
        complete=snapshot.coverage.complete,
        pending=len(rows),
        rows=row_hash,
        content=(content + sum(waiting)) & _MASK,
        newest=max((row.created for row in rows if isfinite(row.created)), default=None),
        within=[bisect_right(soonest, analysis.as_of + span) for span in SPANS],
        missing=len(ranked),
        top=[(record.schema, record.external_id, count) for record, count in named],
    )


def compare(before: TokenState, now: TokenState, selected: SelectedRows) -> Changes:
    """Compare the facts of a token with the present. Both have to be of the same filter.

    A filter on the status selects other batches as these change theirs, so that only equal rows can be told.
    """
    whole = before.complete and now.complete
    same = before.content == now.content
    comparable = same or not (selected.filter.status or "").strip()
    new, gone, exact = _count_changes(before, selected) if comparable else (0, 0, False)
    return Changes(
        since=before.as_of,
        pending_before=before.pending,
        pending_now=now.pending,
        new_at_least=new if before.complete else 0,
        gone_at_least=gone if now.complete else 0,
        expired_at_most=0 if exact and not gone else _count_expiring(before, now.as_of),
        exact=whole and exact,
        missing_before=before.missing,
        missing_now=now.missing,
        moved=tuple(_find_moved(before, selected)) if whole and comparable else (),
        unchanged=whole and same,
        note=" ".join(_explain_limits(before, now, comparable=comparable)),
    )


def _hash(text: str) -> int:
    """64 bits that stand for a text, the same in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _hash_rows(selected: SelectedRows, numbers: Iterable[int]) -> tuple[int, int]:
    """The hash of some rows, and that of the rows with the records that each lists."""
    snapshot = selected.analysis.snapshot
    names = ["\0".join(key) for key in snapshot.keys]
    rows = content = 0
    for row in paced(map(snapshot.rows.__getitem__, numbers), selected.analysis.check):
        identity = "\0".join((snapshot.batches[row.batch].id, row.id, names[row.key]))
        rows += _hash(identity)
        content += _hash("\0".join([identity, *sorted([names[key] for key in row.missing])]))
    return rows & _MASK, content & _MASK


def _count_changes(before: TokenState, selected: SelectedRows) -> tuple[int, int, bool]:
    """Rows that are new and rows that are gone, at least, and whether both are exact."""
    rows, newest = selected.analysis.snapshot.rows, before.newest
    kept = [row for row in selected.rows if newest is None or not rows[row].created > newest]
    later = len(selected.rows) - len(kept)
    if len(kept) == before.pending and _hash_rows(selected, kept)[0] == before.rows:
        return later, 0, True
    new = max(later, len(selected.rows) - before.pending)
    return new, before.pending + new - len(selected.rows), not before.pending or not kept


def _count_expiring(before: TokenState, now: float) -> int:
    """How many of the rows of then can have expired, at most."""
    counts = zip(SPANS, before.within, strict=True)
    return next((count for span, count in counts if now <= before.as_of + span), before.pending)


def _find_moved(before: TokenState, selected: SelectedRows) -> Iterator[MovedBlocker]:
    """Missing records of the token for which another number of rows waits now; new ones where all were named then."""
    snapshot = selected.analysis.snapshot
    waiting = {root.key: root.waiting for root in selected.ranked("waiting")}
    named = set()
    for schema, external_id, count in before.top:
        record = _find_record(snapshot, schema, external_id)
        key = snapshot.key_index.get((record.schema_id, external_id), -1)
        named.add(key)
        if waiting.get(key, 0) != count:
            yield MovedBlocker(record, count, waiting.get(key, 0))
    if before.missing == len(before.top):
        fresh = [key for key in waiting if key not in named]
        yield from (MovedBlocker(snapshot.record(key), 0, waiting[key]) for key in fresh[:MAX_TOP])


def _find_record(snapshot: Snapshot, schema: str, external_id: str) -> Record:
    """The record that a token names; one that is read, where the name of its schema has become ambiguous."""
    found = [Record(schema, external_id, schema_id) for schema_id in snapshot.names.definitions(schema) or [schema]]
    return next((one for one in found if (one.schema_id, external_id) in snapshot.key_index), found[0])


def _explain_limits(before: TokenState, now: TokenState, *, comparable: bool) -> Iterator[str]:
    if not before.complete:
        yield (
            "The earlier reading was incomplete: pending resources and missing records that it did not reach "
            "cannot be told from new ones."
        )
    if not now.complete:
        yield (
            "This reading is incomplete: only what was read is compared, and nothing can be said of the rest, "
            "so none counts as gone."
        )
    if not comparable:
        yield (
            "The filter selects batches by their present status, which changes: "
            "pending resources of the two times cannot be compared."
        )
