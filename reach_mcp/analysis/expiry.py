"""What is deleted when, if nothing arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from reach_mcp.analysis.graph import DependencyGraph

HOUR = 3600.0
HOURS = 24


@dataclass(frozen=True)
class Hour:
    """Rows deleted from `start` (Unix seconds) on for one hour, by schema."""

    start: float
    rows: int
    schemas: dict[str, int]


@dataclass(frozen=True)
class Expiry:
    """How many rows have expired but are still listed, expire within the hour, within the day, later, or who knows."""

    expired: int
    within_hour: int
    within_day: int
    later: int
    unreadable: int
    hours: tuple[Hour, ...]
    earliest: float
    """The next expiry that is not past, in Unix seconds; infinite when there is none."""


def sum_expiry(graph: DependencyGraph, now: float, rows: Iterable[int] | None = None) -> Expiry:
    """Sort rows (all, unless given) by the hour of their expiry. `within_day` includes `within_hour`."""
    counts: Counter[tuple[int, int]] = Counter()
    expires, schema_of, row_key = graph.expires, graph.schema_of, graph.row_key
    earliest = float("inf")
    for row in range(graph.rows) if rows is None else rows:
        moment = expires[row]
        left = moment - now
        if left >= 0:
            place = min(int(left // HOUR), HOURS)
            earliest = min(earliest, moment)
        else:
            place = -1 if left < 0 else HOURS + 1
        counts[place, schema_of[row_key[row]]] += 1
    by_place: dict[int, dict[str, int]] = {}
    for (place, schema), count in sorted(counts.items(), key=lambda item: -item[1]):
        definition = graph.schemas[schema]
        names = by_place.setdefault(place, {})
        name = graph.schema_names.get(definition, definition)
        names[name] = names.get(name, 0) + count
    sums = {place: sum(names.values()) for place, names in by_place.items()}
    return Expiry(
        expired=sums.get(-1, 0),
        within_hour=sums.get(0, 0),
        within_day=sum(count for place, count in sums.items() if 0 <= place < HOURS),
        later=sums.get(HOURS, 0),
        unreadable=sums.get(HOURS + 1, 0),
        hours=tuple(
            Hour(now + place * HOUR, sums[place], by_place[place]) for place in sorted(sums) if 0 <= place < HOURS
        ),
        earliest=earliest,
    )
