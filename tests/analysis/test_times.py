"""Times: strings without a documented format, which foreign systems fill in."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest

from reach_mcp.analysis.times import parse_time, rfc3339


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:30:00Z",
        "2026-11-23T12:30:00.000Z",
        "2026-11-23T12:30:00+00:00",
        "2026-11-23T14:30:00+02:00",
        "2026-11-23T07:00:00-05:30",
        "2026-11-23 12:30:00Z",
        "20261123T123000Z",
    ],
)
def test_time_with_a_zone_is_read(text: str) -> None:
    """The page promises a string; any way of writing the moment that ISO 8601 knows is that moment."""
    assert parse_time(text) == 1795437000.0


@pytest.mark.parametrize(
    "text", [None, "", "soon", "2026-11-23T12:30:00", "2026-11-23", "1795437000", "2026-13-01T00:00:00Z", "Z"]
)
def test_time_without_a_zone_is_not_guessed(text: str | None) -> None:
    """Half a day off is worse than unknown when records are deleted at that time."""
    assert isnan(parse_time(text))


def test_time_is_written_in_utc_to_the_second() -> None:
    """Whatever zone it came in, and cut, not rounded: nothing is said to last longer than it does."""
    assert rfc3339(parse_time("2026-11-23T14:30:00.999+02:00")) == "2026-11-23T12:30:00Z"
    assert rfc3339(0) == "1970-01-01T00:00:00Z"


def test_year_one_is_written_with_four_digits() -> None:
    """Some systems write an absent time as the first moment of year 1: it must stay a time that can be read."""
    assert rfc3339(parse_time("0001-01-01T00:00:00Z")) == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "seconds",
    [nan, inf, -inf, 1e20, parse_time("0001-01-01T00:00:00+14:00"), parse_time("9999-12-31T23:59:59-14:00")],
)
def test_what_is_no_moment_in_utc_is_written_as_nothing(seconds: float) -> None:
    """A zone can carry a time out of the calendar: one odd row must not cost the whole answer."""
    assert rfc3339(seconds) == ""
