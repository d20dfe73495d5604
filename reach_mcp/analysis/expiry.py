"""What is deleted when, if nothing arrives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf

import numpy as np

from reach_mcp.analysis.graph import DependencyGraph, Moments, Numbers

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


def find_hours(graph: DependencyGraph, now: float) -> Numbers:
    """For each row the hour from now in which it is deleted, from 0; PAST, LATER or UNREADABLE."""
    hours = np.clip((graph.expires - now) // HOUR, PAST, LATER)
    return np.nan_to_num(hours, nan=UNREADABLE).astype(np.int32)


def sum_expiry(graph: DependencyGraph, now: float, hour_of: Numbers | None = None) -> Expiry:
    """Count rows by the hour of their deletion. `within_day` includes `within_hour`."""
    hour_of = find_hours(graph, now) if hour_of is None else hour_of
    schemas = graph.schema_of[graph.row_key].astype(np.int64)
    codes, counts = np.unique(schemas << 8 | (hour_of - PAST), return_counts=True)
    by_hour: dict[int, Counter[str]] = {}
    for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
        definition = graph.schemas[code >> 8]
        by_hour.setdefault((code & 255) + PAST, Counter())[graph.schema_names.get(definition, definition)] += count
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
        earliest=find_next(graph.expires, now),
    )


def find_next(moments: Moments, now: float) -> float:
    """The next of some expiries that is not past, in Unix seconds; infinite when there is none."""
    return float(moments[moments >= now].min(initial=inf))


def _most_first(names: Counter[str]) -> dict[str, int]:
    return dict(sorted(names.items(), key=lambda item: (-item[1], item[0])))
