"""Times as the API sends them."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest

from reach_mcp.analysis.times import or_none, parse_time, parse_times

NOON = 1795694400.0


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-26T12:00:00Z", "2026-11-26t12:00:00z", "2026-11-26T12:00:00.000000Z", "2026-11-26T14:00:00+02:00",
        " 2026-11-26 12:00:00+00:00\n", "20261126T120000Z",
    ],
)  # fmt: skip
def test_a_time_with_a_zone_is_read(text: str) -> None:
    assert parse_time(text) == NOON


@pytest.mark.parametrize(
    "text", [None, "", "soon", "2026-11-26", "2026-11-26T12:00:00", "2026-13-26T12:00:00Z", "1795608000"]
)
def test_a_time_without_zone_or_form_is_unreadable(text: str | None) -> None:
    assert isnan(parse_time(text))


def test_the_first_and_last_years_are_read_whatever_their_zone() -> None:
    assert parse_time("0001-01-01T00:00:00+23:00") < 0 < parse_time("9999-12-31T23:59:59-23:00")


def test_unreadable_times_do_not_hide_the_others() -> None:
    assert parse_times(["2026-11-26T12:00:00Z"] * 2) == [NOON, NOON]
    first, second, third = parse_times(["2026-11-26T12:00:00Z", "2026-11-26T12:00:00", "2026-11-26T12:00:00Z"])
    assert (first, third) == (NOON, NOON)
    assert isnan(second)


def test_results_have_none_for_no_time() -> None:
    assert [or_none(time) for time in (NOON, nan, inf)] == [NOON, None, None]
