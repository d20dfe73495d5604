"""What is deleted when, if nothing arrives."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isnan

from reach_mcp.analysis.graph import DependencyGraph

HOUR = 3600.0
HOURS = 24
PAST, LATER, UNREADABLE = -1, HOURS, HOURS + 1
"""What stands for an hour where a row is deleted in none of the next day's."""


@dataclass(frozen=True)
class Hour:
    """Rows deleted from `start` (Unix seconds) on for one hour, by schema, and how many wait for some root blockers."""

    start: float
    rows: int
    schemas: dict[str, int]
    held_by: tuple[tuple[int, int], ...] = ()


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


def find_hours(graph: DependencyGraph, now: float) -> array[int]:
    """For each row the hour from now in which it is deleted, from 0; PAST, LATER or UNREADABLE."""
    moments = graph.expires
    if graph.unreadable_times:
        return array("b", [_find_hour(moment - now) for moment in moments])
    return array("b", [min(int((moment - now) // HOUR), LATER) if moment >= now else PAST for moment in moments])


def _find_hour(left: float) -> int:
    if isnan(left):
        return UNREADABLE
    return min(int(left // HOUR), LATER) if left >= 0 else PAST


def sum_expiry(graph: DependencyGraph, now: float, hour_of: array[int] | None = None) -> Expiry:
    """Count rows by the hour of their deletion. `within_day` includes `within_hour`."""
    schemas = map(graph.schema_of.__getitem__, graph.row_key)
    counts = Counter(zip(hour_of or find_hours(graph, now), schemas, strict=True))
    by_hour: dict[int, Counter[str]] = {}
    for (hour, schema), count in counts.items():
        definition = graph.schemas[schema]
        by_hour.setdefault(hour, Counter())[graph.schema_names.get(definition, definition)] += count
    sums = {hour: names.total() for hour, names in by_hour.items()}
    return Expiry(
        expired=sums.get(PAST, 0),
        within_hour=sums.get(0, 0),
        within_day=sum(count for hour, count in sums.items() if 0 <= hour < HOURS),
        later=sums.get(LATER, 0),
        unreadable=sums.get(UNREADABLE, 0),
        hours=tuple(
            Hour(now + hour * HOUR, sums[hour], _most_first(by_hour[hour]))
            for hour in sorted(sums)
            if 0 <= hour < HOURS
        ),
        earliest=find_next(graph, now, range(graph.rows)),
    )


def find_next(graph: DependencyGraph, now: float, rows: Iterable[int]) -> float:
    """The next expiry among rows that is not past, in Unix seconds; infinite when there is none."""
    return min((moment for moment in map(graph.expires.__getitem__, rows) if moment >= now), default=inf)


def _most_first(names: Counter[str]) -> dict[str, int]:
    return dict(sorted(names.items(), key=lambda item: (-item[1], item[0])))
