"""Small pieces of answers: counted nouns, times and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from reach_mcp.analysis.times import to_utc

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def agree(count: int, one: str, many: str) -> str:
    """The form of a verb or pronoun that agrees with a count: `waits` of 1, `wait` of others."""
    return one if count == 1 else many


def plural(count: int, one: str, many: str = "") -> str:
    """`1 record`, `2 records`; `many` where an s is not enough: `1 resource waits`, `2 resources wait`."""
    return f"{count} {agree(count, one, many or one + 's')}"


def batches(count: int) -> str:
    return plural(count, "batch", "batches")


def to_datetime(seconds: float | None) -> datetime | None:
    """A Unix time in UTC; None where there is none, or none that a calendar has."""
    if seconds is None:
        return None
    try:
        return to_utc(seconds)
    except (ValueError, OverflowError):
        return None


def iso_minute(moment: datetime) -> str:
    """`2026-11-26T04:12Z`"""
    return f"{moment.isoformat()[:16]}Z"


def clock(moment: datetime | None, now: datetime) -> str:
    """The time, with the date where it is not today's and the year where it is not this one."""
    if moment is None:
        return ""
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return f"{moment:%m-%d %H:%M}" if moment.year == now.year else f"{moment:%Y-%m-%d %H:%M}"


def until(moment: datetime, now: datetime) -> str:
    """`in 38 min`, `3 h ago`"""
    seconds = (moment - now).total_seconds()
    amount = duration(abs(seconds))
    return f"in {amount}" if seconds >= 0 else f"{amount} ago"


def deadline(moment: datetime | None, now: datetime) -> str:
    """`04:12 (in 38 min)`; empty where there is none."""
    return f"{clock(moment, now)} ({until(moment, now)})" if moment else ""


def duration(seconds: float) -> str:
    """Rounded down: a deadline is never shown later than it is."""
    if seconds < MINUTE:
        return "under 1 min"
    if seconds < 2 * HOUR:
        return f"{int(seconds // MINUTE)} min"
    if seconds < 2 * DAY:
        return f"{int(seconds // HOUR)} h"
    return f"{int(seconds // DAY)} days"


def exact_duration(seconds: float) -> str:
    """`90 s`, `45 min`, `3 h 30 min`, `2 days 4 h`: within 2 % of the duration."""
    if seconds < 2 * MINUTE:
        return f"{int(seconds)} s"
    if seconds < 2 * HOUR:
        return duration(seconds)
    unit, name = (HOUR, "h") if seconds >= 2 * DAY else (MINUTE, "min")
    rest = int(seconds % (DAY if name == "h" else HOUR) // unit)
    return duration(seconds) + (f" {rest} {name}" if rest else "")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A header and one line a row; columns that are empty for all rows are left out."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    kept = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    lines = (" | ".join(row[index] for index in kept) for row in [list(columns), *cells])
    return [line.rstrip(" |") for line in lines] if cells else []


def listing(parts: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`"""
    words = [part for part in parts if part]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def tally(pairs: Iterable[tuple[str, int]]) -> str:
    """`380 success, 20 failure`"""
    return ", ".join(f"{count} {name}" for name, count in pairs)
