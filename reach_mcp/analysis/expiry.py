"""What is deleted when, if nothing arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan

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
    chosen = range(graph.rows) if rows is None else list(rows)
    moments = graph.expires if rows is None else [graph.expires[row] for row in chosen]
    if graph.unreadable_times:
        places = [_place(moment - now) for moment in moments]
    else:
        places = [min(int((moment - now) // HOUR), HOURS) if moment >= now else -1 for moment in moments]
    schemas = map(graph.schema_of.__getitem__, map(graph.row_key.__getitem__, chosen))
    counts = Counter(zip(places, schemas, strict=True))
    earliest = min((moment for moment in moments if moment >= now), default=float("inf"))
    by_place: dict[int, Counter[str]] = {}
    for (place, schema), count in counts.items():
        definition = graph.schemas[schema]
        by_place.setdefault(place, Counter())[graph.schema_names.get(definition, definition)] += count
    sums = {place: sum(names.values()) for place, names in by_place.items()}
    return Expiry(
        expired=sums.get(-1, 0),
        within_hour=sums.get(0, 0),
        within_day=sum(count for place, count in sums.items() if 0 <= place < HOURS),
        later=sums.get(HOURS, 0),
        unreadable=sums.get(HOURS + 1, 0),
        hours=tuple(
            Hour(now + place * HOUR, sums[place], _most_first(by_place[place]))
            for place in sorted(sums)
            if 0 <= place < HOURS
        ),
        earliest=earliest,
    )


def _most_first(names: Counter[str]) -> dict[str, int]:
    return dict(sorted(names.items(), key=lambda item: (-item[1], item[0])))


def _place(left: float) -> int:
    """Which hour from now it is: -1 is past, HOURS later than these, one more unknown."""
    if isnan(left):
        return HOURS + 1
    return min(int(left // HOUR), HOURS) if left >= 0 else -1
