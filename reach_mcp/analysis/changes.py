"""What changed since an earlier answer, by a token that carries what it needs: the server keeps nothing.

A token holds totals, a sum over row ids that tells "the same rows" from others, when the newest row was stored, how
many rows were to expire within an hour, six hours and a day, and the first blockers of the ranking with how many waited
for each. So the totals and the named blockers are exact. New rows are counted by when they were stored, which may be
earlier than the newest of then: their number, and with it that of rows that are gone, is known as a bound, and so is
how many of these can have expired.

A token stands twice in an answer, in its text and in its structured content, and is all digits behind its version:
tokenizers take three digits together, so that it costs half of what it would in base 64. The numbers in it are as long
as they are: each says its length first.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

from reach_mcp.analysis.expiry import Expiry
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.handles import key_number, shorten

VERSION = "s2"
"""How a token begins. A letter, so that nobody takes it for a number and rounds it."""

NAMED = 6
"""Most blockers that a token names."""

SPANS = (3600, 6 * 3600, 86_400)
"""Seconds within which rows were to expire, as counted in a token."""

_TOKEN = re.compile(rf"({VERSION}[0-9]+)([0-9]{{6}})")
_BITS = 100
"""Bits of a blocker's hash that a token leaves out: it keeps 30, the six letters of a handle."""


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
        question=_sum_question(question),
        as_of=int(now),
        rows_sum=graph.rows_sum % 10**9,
        newest=graph.newest,
        rows=graph.rows,
        roots=len(graph.roots),
        expired=expiry.expired,
        within=(within[0], within[1], within[2]),
        blockers={_beginning(graph, key): count for key, count in waiting[:NAMED]},
    )


def _sum_question(question: str) -> int:
    return zlib.crc32(question.encode()) % 10**6


def _beginning(graph: DependencyGraph, key: int) -> int:
    return key_number(graph.key(key)) >> _BITS


def write_token(snapshot: Snapshot) -> str:
    """The token: some 140 characters, a letter and digits."""
    newest = round(Fraction(snapshot.newest) * 10**6) if isfinite(snapshot.newest) else 0
    age = snapshot.as_of * 10**6 - newest
    numbers = (*divmod(abs(age), 10**6), age < 0, snapshot.rows, snapshot.roots, snapshot.expired, *snapshot.within)
    named = "".join(f"{beginning:010}{_pack(count)}" for beginning, count in snapshot.blockers.items())
    head = f"{VERSION}{snapshot.question:06}{snapshot.as_of:010}{snapshot.rows_sum:09}"
    body = head + "".join(map(_pack, numbers)) + named
    return f"{body}{_check(body):06}"


def _pack(number: int) -> str:
    """A number behind its length; nothing at all is said of zero but that. From nine digits on, the length has two."""
    digits = str(int(number)) if number else ""
    return f"{len(digits)}{digits}" if len(digits) < 9 else f"9{len(digits):02}{digits}"


def _check(body: str) -> int:
    return zlib.crc32(body.encode()) % 10**6


class _Digits:
    """The digits of a token, taken from the left. Raises ValueError where they end too early."""

    def __init__(self, digits: str) -> None:
        self.left = digits

    def take(self, length: int) -> int:
        """A number of so many digits."""
        taken, self.left = self.left[:length], self.left[length:]
        if len(taken) < length:
            raise ValueError("cut")
        return int(taken)

    def unpack(self) -> int:
        """A number that says its length first."""
        length = self.take(1)
        return self.take(self.take(2) if length == 9 else length) if length else 0


def read_token(token: str, *, question: str) -> Snapshot:
    """What a token holds. Raises TokenRefused when it is none of ours, or was given for another question."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise TokenRefused("since is not a token that this server gave.")
    if int(found[2]) != _check(found[1]):
        raise TokenRefused("since is not a token that this server gave, or it was cut.")
    try:
        snapshot = _read(_Digits(found[1].removeprefix(VERSION)))
    except ValueError:
        raise TokenRefused("since is not a token that this server gave.") from None
    if snapshot.question != _sum_question(question):
        raise TokenRefused("since was given for another tenant or other filters.")
    return snapshot


def _read(digits: _Digits) -> Snapshot:
    asked, as_of, rows_sum = digits.take(6), digits.take(10), digits.take(9)
    seconds, parts, later, rows, roots, expired, hour, six_hours, day = (digits.unpack() for _ in range(9))
    age = (seconds * 10**6 + parts) * (-1 if later else 1)
    blockers = {}
    while digits.left:
        beginning = digits.take(10)
        blockers[beginning] = digits.unpack()
    return Snapshot(
        question=asked,
        as_of=as_of,
        rows_sum=rows_sum,
        newest=(as_of * 10**6 - age) / 10**6,
        rows=rows,
        roots=roots,
        expired=expired,
        within=(hour, six_hours, day),
        blockers=blockers,
    )


def compare(graph: DependencyGraph, before: Snapshot, *, new: int, now: float) -> Changes:
    """What changed since a token was given. `new` rows were stored after its newest row."""
    same = before.rows == graph.rows and before.rows_sum == graph.rows_sum % 10**9
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
        place = bisect_left(numbers, (beginning << _BITS, -1))
        found = place < len(numbers) and numbers[place][0] >> _BITS == beginning
        key = numbers[place][1] if found else None
        now = 0 if key is None else graph.count_waiting(key)
        if now == count:
            unchanged += 1
        else:
            moved.append(Moved(handle="b-" + shorten(beginning << _BITS, 6), key=key, before=count, now=now))
    return tuple(moved), unchanged
