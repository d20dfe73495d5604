"""Counted nouns, times and tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reach_mcp.render.formatting import (
    deadline,
    duration,
    exact_duration,
    listing,
    table,
    to_datetime,
)

NOW = datetime(2026, 11, 26, 3, 34, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 26, 4, 12, tzinfo=UTC), "04:12 (in 38 min)"),
        (datetime(2026, 11, 27, 4, 12, tzinfo=UTC), "11-27 04:12 (in 24 h)"),
        (datetime(2028, 11, 26, 4, 12, tzinfo=UTC), "2028-11-26 04:12 (in 731 days)"),
        (datetime(2026, 11, 26, 3, 33, 30, tzinfo=UTC), "03:33 (under 1 min ago)"),
        (None, ""),
    ],
)
def test_a_deadline_has_its_date_and_year_where_they_are_not_those_of_now(moment: datetime | None, text: str) -> None:
    assert deadline(moment, NOW) == text


@pytest.mark.parametrize("seconds", [None, float("nan"), float("inf"), 1e300, -1e300])
def test_times_that_no_calendar_has_are_left_out(seconds: float | None) -> None:
    assert to_datetime(seconds) is None


def test_an_exact_duration_names_two_units_from_two_hours_on() -> None:
    assert [exact_duration(seconds) for seconds in (61, 3_000, 7_260, 12_600, 86_400, 180_000, 172_800)] == [
        "61 s",
        "50 min",
        "2 h 1 min",
        "3 h 30 min",
        "24 h",
        "2 days 2 h",
        "2 days",
    ]


def test_durations_are_rounded_down() -> None:
    assert [duration(seconds) for seconds in (59, 3_599, 7_199, 7_200, 172_799, 172_800)] == [
        "under 1 min",
        "59 min",
        "119 min",
        "2 h",
        "47 h",
        "2 days",
    ]


def test_a_table_drops_columns_that_are_empty_in_all_rows() -> None:
    assert table(("a", "b", "c"), [(1, "", None), ("", "", 0)]) == ["a | c", "1", " | 0"]
    assert table(("a",), []) == []


def test_lists_read_as_sentences() -> None:
    assert [listing(parts) for parts in (["a"], ["a", "b"], ["a", "", "b", "c"], [])] == [
        "a",
        "a and b",
        "a, b and c",
        "",
    ]
