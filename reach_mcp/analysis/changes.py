"""What changed since an earlier answer, by a token that carries what it needs: the server keeps nothing.

A token holds totals, a sum over row ids that tells "the same rows" from others, when the newest row was stored, how
many rows were to expire within an hour, six hours and a day, and the first blockers of the ranking with how many waited
for each. So the totals and the named blockers are exact. New rows are counted by when they were stored, which may be
earlier than the newest of then: their number, and with it that of rows that are gone, is known as a bound, and so is
how many of these can have expired.
"""

from __future__ import annotations

import base64
import struct
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from operator import methodcaller

from reach_mcp.analysis.expiry import Expiry
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.handles import key_number, shorten

VERSION = 1
NAMED = 6
"""Most blockers that a token names."""

SPANS = (3600, 6 * 3600, 86_400)
"""Seconds within which rows were to expire, as counted in a token."""

_HEAD = struct.Struct(">BIIIdIIIIII")
_BLOCKER = struct.Struct(">II")
_CHECK = struct.Struct(">I")


class TokenRefused(ValueError):
    """Not a token of ours, cut short, of another version, or of another question."""


@dataclass(frozen=True)
class Snapshot:
    """What a token holds. Times are Unix seconds; `blockers` maps the beginning of a blocker's hash to `waiting`."""

    question: int
    as_of: int
    rows_sum: int
    newest: float
    rows: int
    roots: int
    expired: int
    within: tuple[int, int, int]
    blockers: dict[int, int]


@dataclass(frozen=True)
class Moved:
    """A blocker that the token names: how many waited for it then and now; 0 now means that it blocks no more."""

    handle: str
    key: int | None
    before: int
    now: int


@dataclass(frozen=True)
class Changes:
    """The difference between then and now, in rows.

    At least `new` rows were not listed then, and at least `gone` are not now; no more than `expired_at_most` of these
    can have expired. `others` root blockers were not named by the token: of them only the number is known.
    """

    since: int
    same: bool
    before: int
    now: int
    new: int
    gone: int
    expired_at_most: int
    roots_before: int
    roots_now: int
    moved: tuple[Moved, ...]
    unchanged: int


def take_snapshot(
    graph: DependencyGraph, *, question: str, now: float, waiting: Sequence[tuple[int, int]], expiry: Expiry
) -> Snapshot:
    """What a token about this graph holds. `waiting` are the first blockers of the ranking with their counts."""
    within = [sum(hour.rows for hour in expiry.hours if hour.start < now + span) for span in SPANS]
    return Snapshot(
        question=zlib.crc32(question.encode()),
        as_of=int(now),
        rows_sum=_sum_rows(graph),
        newest=graph.newest,
        rows=graph.rows,
        roots=len(graph.roots),
        expired=expiry.expired,
        within=(within[0], within[1], within[2]),
        blockers={_beginning(graph, key): count for key, count in waiting[:NAMED]},
    )


def _sum_rows(graph: DependencyGraph) -> int:
    return sum(map(zlib.crc32, map(methodcaller("encode", "utf-8", "surrogatepass"), graph.row_ids))) % 2**32


def _beginning(graph: DependencyGraph, key: int) -> int:
    return key_number(graph.key(key)) >> 98


def write_token(snapshot: Snapshot) -> str:
    """The token: url-safe, some 130 characters."""
    newest = snapshot.newest if isfinite(snapshot.newest) else 0.0
    body = _HEAD.pack(
        VERSION,
        snapshot.question,
        snapshot.as_of,
        snapshot.rows_sum,
        newest,
        snapshot.rows,
        snapshot.roots,
        snapshot.expired,
        *snapshot.within,
    ) + b"".join(_BLOCKER.pack(*pair) for pair in snapshot.blockers.items())
    return base64.urlsafe_b64encode(body + _CHECK.pack(zlib.crc32(body))).decode().rstrip("=")


def read_token(token: str, *, question: str) -> Snapshot:
    """What a token holds. Raises TokenRefused when it is none of ours, or was given for another question."""
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise TokenRefused("since is not a token that this server gave.") from None
    body, check = packed[:-4], packed[-4:]
    rest = len(body) - _HEAD.size
    if rest < 0 or rest % _BLOCKER.size or check != _CHECK.pack(zlib.crc32(body)) or body[0] != VERSION:
        raise TokenRefused("since is not a token that this server gave, or it was cut.")
    _, asked, as_of, rows_sum, newest, rows, roots, expired, *within = _HEAD.unpack_from(body)
    if asked != zlib.crc32(question.encode()):
        raise TokenRefused("since was given for another tenant or other filters.")
    return Snapshot(
        question=asked,
        as_of=as_of,
        rows_sum=rows_sum,
        newest=newest,
        rows=rows,
        roots=roots,
        expired=expired,
        within=(within[0], within[1], within[2]),
        blockers=dict(_BLOCKER.iter_unpack(body[_HEAD.size :])),
    )


def compare(graph: DependencyGraph, before: Snapshot, *, new: int, now: float) -> Changes:
    """What changed since a token was given. `new` rows were stored after its newest row."""
    same = before.rows == graph.rows and before.rows_sum == _sum_rows(graph)
    gone = max(0, before.rows + new - graph.rows)
    moved, unchanged = _move(graph, before)
    return Changes(
        since=before.as_of,
        same=same,
        before=before.rows,
        now=graph.rows,
        new=new,
        gone=gone,
        expired_at_most=min(before.rows, _could_expire(before, now)),
        roots_before=before.roots,
        roots_now=len(graph.roots),
        moved=moved,
        unchanged=unchanged,
    )


def _could_expire(before: Snapshot, now: float) -> int:
    """How many rows of then were to expire by now: those of the least span that covers the time since."""
    for span, count in zip(SPANS, before.within, strict=True):
        if now - before.as_of <= span:
            return before.expired + count
    return before.rows


def _move(graph: DependencyGraph, before: Snapshot) -> tuple[tuple[Moved, ...], int]:
    numbers = sorted((key_number(graph.key(root)), root) for root in graph.roots)
    moved, unchanged = [], 0
    for beginning, count in before.blockers.items():
        place = bisect_left(numbers, (beginning << 98, -1))
        found = place < len(numbers) and numbers[place][0] >> 98 == beginning
        key = numbers[place][1] if found else None
        now = 0 if key is None else len(graph.waiting([key]))
        if now == count:
            unchanged += 1
        else:
            moved.append(Moved(handle="b-" + shorten(beginning << 98, 6), key=key, before=count, now=now))
    return tuple(moved), unchanged
