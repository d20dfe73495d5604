"""Small pieces of text that all renderers share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from reach_mcp.render.clean import Fence


def ago(moment: str, as_of: str) -> str:
    """An RFC 3339 time relative to another: `38 min ago`, `now` or `in 2 h`."""
    seconds = (datetime.fromisoformat(moment) - datetime.fromisoformat(as_of)).total_seconds()
    size = abs(seconds)
    if not size:
        return "now"
    if size < 90:
        amount = f"{size:.0f} s"
    elif size < 90 * 60:
        amount = f"{size / 60:.0f} min"
    elif size < 36 * 3600:
        amount = f"{size / 3600:.0f} h"
    else:
        amount = f"{size / 86400:.0f} days"
    return f"{amount} ago" if seconds < 0 else f"in {amount}"


def when(moment: str, as_of: str) -> str:
    """A time with its distance, without the year that `as_of` bears: `11-23 12:38Z (in 38 min)`."""
    return f"{moment[5:10]} {moment[11:16]}Z ({ago(moment, as_of)})" if moment else "unknown"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def counts(numbers: Mapping[str, int], name: Any = str, more: int = 0, one: str = "kind", many: str = "") -> str:
    """`101 success, 38 partial_success, and 2 more`, or `9 kinds` where none of them is shown."""
    return listed((f"{count} {name(key)}" for key, count in numbers.items()), more, one, many)


def listed(some: Iterable[str], more: int, one: str, many: str = "") -> str:
    """`a, b, and 2 more`, or `9 records` where none of them is shown."""
    shown = ", ".join(some)
    if not shown:
        return plural(more, one, many) if more else ""
    return f"{shown}, and {more} more" if more else shown


def places(shown: int, of: int, offset: int) -> str:
    """Which places of a list are shown: `1-5 of 44`, or `none of 44`."""
    return f"{offset + 1}-{offset + shown} of {of}" if shown else f"none of {of}"


def join(parts: Iterable[str], by: str = "; ") -> str:
    """The parts that say something."""
    return by.join(part for part in parts if part)


def record(schema: str, external: str, fence: Fence) -> str:
    """A record's name for people: schema, then id."""
    return f"{fence(schema, 60)} {fence(external, 80)}"


def coverage_line(coverage: Mapping[str, Any], fence: Fence) -> str:
    """What was read of what there is, and what that means for the counts."""
    of = coverage.get("of")
    read = f"{coverage['batches']} of {of}" if of is not None else f"{coverage['batches']}"
    line = f"Read {read} batches in {plural(coverage['pages'], 'page')}"
    if "age_s" in coverage:
        line += f" {coverage['age_s']} s ago (fresh=true reads anew)"
    if coverage["complete"]:
        note = f" ({coverage['note']})" if "note" in coverage else ""
        return f"{line}: complete{note}."
    named = ", ".join(fence(name, 60) for name in coverage.get("malformed", ()))
    which = f", such as {named}" if named else ""
    return f"{line}: NOT complete, all counts are of what was read. Reason: {coverage['note']}{which}."
