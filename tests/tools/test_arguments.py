"""Times as people write them, and what is wrong with those that can't be read."""

from __future__ import annotations

from math import inf

import pytest

from reach_mcp.analysis.overview import Filter
from reach_mcp.api.errors import InvalidArgument
from reach_mcp.tools.arguments import build_filter, given
from tests.builders import NOW
from tests.tools.harness import EXPLAIN, LIST, refused, serve

HERE = NOW.timestamp()


def after(text: str) -> float:
    return build_filter(status=None, schema=None, created_after=text, created_before=None, now=HERE).after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", HERE - 86_400),
        (" 7d ", HERE - 604_800),
        ("90min", HERE - 5400),
        ("90 m", HERE - 5400),
        ("2w", HERE - 1_209_600),
        ("2026-11-23", HERE - 43_200),
        ("2026-11-23T13:00:00+02:00", HERE - 3600),
        ("2026-11-23T11:00:00Z", HERE - 3600),
    ],
)
def test_time_is_an_age_a_date_or_a_moment_with_its_zone(text: str, seconds: float) -> None:
    assert after(text) == seconds


def test_no_filter_is_none() -> None:
    found = build_filter(status=None, schema=None, created_after=None, created_before=None, now=HERE)

    assert found == Filter(None, None, -inf, inf)
    assert not found.is_set


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("yesterday", "created_after can't be read as a time."),
        ("2026-11-23T11:00:00", "created_after bears no time zone."),
        ("20261123T11", "created_after bears no time zone."),
        ("-3d", "created_after can't be read as a time."),
        ("9999999d", "created_after can't be read as a time."),
        ("2026-13-01", "created_after can't be read as a time."),
    ],
)
def test_time_that_cannot_be_read_says_what_would_be_right(text: str, advice: str) -> None:
    """A zone is never guessed: eight hours more or less decide what failed today."""
    with pytest.raises(InvalidArgument, match=advice):
        after(text)


@pytest.mark.anyio
@pytest.mark.parametrize("tool", [LIST, EXPLAIN])
async def test_times_in_the_wrong_order_match_nothing_and_are_refused(tool: str) -> None:
    text = await refused(serve(), tool, created_after="1h", created_before="2h")

    assert text == "created_after must be earlier than created_before."


def test_next_call_repeats_what_was_given_and_nothing_else() -> None:
    arguments = {"app": object(), "limit": None, "offset": 0, "sort_by": "createdAt", "schema": "s", "details": False}

    assert given(arguments) == {"schema": "s"}
    assert given(arguments, details=True) == {"schema": "s", "details": False}
