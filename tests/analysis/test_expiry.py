"""What is deleted when."""

from __future__ import annotations

from datetime import timedelta
from math import inf

import pytest

from reach_mcp.analysis.expiry import Expiry, Hour, find_next, sum_expiry
from tests.analysis.graphs import MOMENT, build_graph
from tests.builders import NOW, Json, Time, pending

MILLISECOND = timedelta(milliseconds=1)


def row(key: str, expires: Time) -> Json:
    return pending(key, "c/1", expires=expires)


@pytest.mark.parametrize(
    ("expires", "where"),
    [
        pytest.param(NOW - MILLISECOND, "expired", id="just past"),
        pytest.param(NOW, "within_hour", id="this very moment"),
        pytest.param(NOW + timedelta(hours=1) - MILLISECOND, "within_hour", id="end of the hour"),
        pytest.param(NOW + timedelta(hours=1), "within_day", id="next hour"),
        pytest.param(NOW + timedelta(hours=24) - MILLISECOND, "within_day", id="end of the day"),
        pytest.param(NOW + timedelta(hours=24), "later", id="next day"),
        pytest.param("2026-11-23T12:30:00", "unreadable", id="no zone"),
        pytest.param("soon", "unreadable", id="no time"),
    ],
)
@pytest.mark.parametrize("beside", [[], [row("o/1", "soon")]], ids=["alone", "beside an unreadable one"])
def test_each_row_is_in_one_place(expires: Time, where: str, beside: list[Json]) -> None:
    """An hour begins with its first moment and ends before the next; what can't be read is in none."""
    found = sum_expiry(build_graph(row("t/1", expires)), MOMENT)
    counts = {place: getattr(found, place) for place in ("expired", "within_hour", "within_day", "later", "unreadable")}
    expected = dict.fromkeys(counts, 0) | {where: 1}
    expected["within_day"] += expected["within_hour"]

    assert counts == expected
    both = sum_expiry(build_graph(row("t/1", expires), *beside), MOMENT)
    assert (getattr(both, where), both.unreadable) == (
        1 + (where == "unreadable") * len(beside),
        found.unreadable + len(beside),
    )


def test_hours_are_told_apart_by_schema_most_first() -> None:
    """Who can save only one upload's records has to see which hour and which schema loses most."""
    graph = build_graph(
        row("b/1", 2.5), row("a/1", 2.1), row("z/1", 2.2), row("z/2", 2.9), row("t/1", 0.2), row("t/2", 30.0)
    )
    found = sum_expiry(graph, MOMENT)

    assert found == Expiry(
        expired=0,
        within_hour=1,
        within_day=5,
        later=1,
        unreadable=0,
        hours=(Hour(MOMENT, 1, {"t": 1}), Hour(MOMENT + 7200, 4, {"z": 2, "a": 1, "b": 1})),
        earliest=MOMENT + 720,
    )
    assert list(found.hours[1].schemas) == ["z", "a", "b"]


def test_schemas_of_one_name_are_one() -> None:
    """Names are for people: two definitions called alike are one line."""
    graph = build_graph(row("old/1", 1.5) | {"schemaName": "orders"}, row("new/1", 1.5) | {"schemaName": "orders"})

    assert sum_expiry(graph, MOMENT).hours == (Hour(MOMENT + 3600, 2, {"orders": 2}),)


def test_next_expiry_is_not_a_past_one() -> None:
    """`earliest` is a deadline: what is over is none."""
    assert sum_expiry(build_graph(row("t/1", -1.0), row("t/2", 3.0)), MOMENT).earliest == MOMENT + 3 * 3600
    assert sum_expiry(build_graph(row("t/1", -1.0), row("t/2", "soon")), MOMENT).earliest == inf


def test_next_expiry_can_be_that_of_some_rows() -> None:
    """A blocker's own deadline is that of the rows which wait for it."""
    graph = build_graph(row("t/1", 0.5), row("t/2", 1.5), row("t/3", -1.5))

    assert find_next(graph.expires[1:], MOMENT) == MOMENT + 1.5 * 3600
    assert find_next(graph.expires[2:], MOMENT) == find_next(graph.expires[:0], MOMENT) == inf
