"""The `since` token, a bounded, authenticated record of one answer, and the changes since. The server keeps nothing.

A token has no list of rows, so the number of new rows and of rows that are gone is known as a lower bound. The bound is
exact where no row of then is gone, or all are. Rows are told apart by batch, id and record; their creation time does
not change.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, TypeAlias

import msgspec

from reach_mcp.analysis.errors import QuestionError
from reach_mcp.analysis.results import Changes, MovedBlocker, Record
from reach_mcp.analysis.selected_rows import SelectedRows
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.stop import paced

VERSION = "s4"
MAX_TOKEN_CHARS = 300
SPANS = (3600.0, 6 * 3600.0, 24 * 3600.0, 72 * 3600.0, 168 * 3600.0)
"""Seconds after the token's time by which expiring rows are counted."""

MAX_TOP = 6
"""Missing records that a token keeps, where their names fit, with the number of rows that wait for each."""

_TAG_BYTES = 9

Time: TypeAlias = Annotated[float, msgspec.Meta(ge=0, lt=253_402_300_800.0)]
"""Unix seconds before the year 10000: no other time can be shown."""


class TokenState(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The facts that a token carries. Hashes are sums modulo 2**64, so the order of rows does not matter."""

    as_of: Time
    created_after: Time | None
    created_before: Time | None
    complete: bool
    """Whether everything was read."""
    pending: int
    rows: int
    """Hash of the rows selected."""
    content: int
    """Hash of the rows with the records that each lists, and of the missing records with the rows that wait."""
    newest: float | None
    """Latest readable creation time of a row."""
    within: Annotated[list[int], msgspec.Meta(min_length=len(SPANS), max_length=len(SPANS))]
    """Rows that can expire within each of `SPANS`; those with an unreadable expiry among them."""
    missing: int
    top: list[tuple[str, str, int]]
    """(schema, external id, rows that wait for it): the first missing records by rank, as many as fit."""


@dataclass(frozen=True, slots=True)
class TokenBinding:
    """Ties a token to the tenant it is of.

    With a key, which all replicas have to share, a token cannot be forged. Without one it is bound to tenant and filter
    by a plain hash: a forged token can only make its own comparison wrong.
    """

    tenant: str = ""
    key: bytes = b""

    def tag(self, payload: bytes, question: str) -> bytes:
        """Return the hash that binds a payload to tenant and question."""
        texts = [text.encode("utf-8", "surrogatepass") for text in (VERSION, self.tenant, question)]
        message = msgspec.msgpack.encode((*texts, payload))
        digest = hmac.digest(self.key, message, "sha256") if self.key else hashlib.sha256(message).digest()
        return digest[:_TAG_BYTES]


def write_token(state: TokenState, binding: TokenBinding, question: str) -> str:
    """Return a token of at most `MAX_TOKEN_CHARS` characters; missing records that do not fit are left out."""
    payload = msgspec.msgpack.encode(state)
    token = VERSION + urlsafe_b64encode(binding.tag(payload, question) + payload).decode().rstrip("=")
    if len(token) > MAX_TOKEN_CHARS:
        return write_token(msgspec.structs.replace(state, top=state.top[:-1]), binding, question)
    return token


def read_token(token: str, binding: TokenBinding, question: str) -> TokenState:
    """Return the facts in a token.

    Raises:
        QuestionError: it is no token, was cut or altered, or was made for another tenant or filter.
    """
    text = token.removeprefix(VERSION)
    try:
        body = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        tag, payload = body[:_TAG_BYTES], body[_TAG_BYTES:]
        if token != text and hmac.compare_digest(tag, binding.tag(payload, question)):
            return msgspec.msgpack.decode(payload, type=TokenState)
    except ValueError:  # binascii.Error and msgspec's errors are ValueErrors
        pass
    raise QuestionError(
        "`since` is no token of this server, was cut or altered, or was made for another tenant or other filters.",
        'Call again with since="start" for a new token.',
    )


# --- comparison ----------------------------------------------------------------------------------------------------

_MASK = 0xFFFF_FFFF_FFFF_FFFF

_LIMITS = (
    "The earlier reading was incomplete: what it did not reach cannot be told from new pending resources and records.",
    "This reading is incomplete: only what was read is compared, and nothing can be said of the rest: none is gone.",
    "The filter selects batches by their present status, which changes: the pending resources can't be compared.",
)
"""Why not all can be compared."""


def measure(selected: SelectedRows) -> TokenState:
    """The facts for a token: the selected live rows, and the missing records that they wait for."""
    analysis, ranked = selected.analysis, selected.ranked("waiting")
    snapshot = analysis.snapshot
    rows = [snapshot.rows[row] for row in selected.rows]
    soonest = sorted(row.expires if isfinite(row.expires) else 0.0 for row in rows)
    row_hash, content = _hash_rows(selected, selected.rows)
    paced_roots = paced(ranked, analysis.check)
    waiting = sum(_hash("\0".join((*snapshot.keys[root.key], str(root.waiting)))) for root in paced_roots)
    named = [(snapshot.record(root.key), root.waiting) for root in ranked[:MAX_TOP]]
    return TokenState(
        as_of=analysis.as_of,
        created_after=selected.filter.created_after,
        created_before=selected.filter.created_before,
        complete=snapshot.coverage.complete,
        pending=len(rows),
        rows=row_hash,
        content=(content + waiting) & _MASK,
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
    limits = before.complete, now.complete, comparable
    is_comparable = all(limits)
    return Changes(
        since=before.as_of,
        pending_before=before.pending if is_comparable else None,
        pending_now=now.pending if is_comparable else None,
        new_at_least=new if before.complete else 0,
        gone_at_least=gone if now.complete else 0,
        expired_at_most=0 if exact and not gone else _count_expiring(before, now.as_of),
        exact=whole and exact,
        missing_before=before.missing if is_comparable else None,
        missing_now=now.missing if is_comparable else None,
        moved=tuple(_find_moved(before, selected)) if is_comparable else (),
        unchanged=whole and same,
        note=" ".join(text for text, holds in zip(_LIMITS, limits, strict=True) if not holds),
    )


def _hash(text: str) -> int:
    """64 bits that stand for a text, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


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
