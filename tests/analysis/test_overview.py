"""A census over batches, the filters that the API lacks, and errors told by likeness."""

from __future__ import annotations

from collections import Counter
from math import isnan

import pytest

from reach_mcp.analysis.overview import (
    MOST_PENDING,
    BatchRow,
    Census,
    ErrorGroup,
    Filter,
    count_categories,
    group_errors,
    read_batch,
)
from reach_mcp.api.models import RecordErrors
from tests.analysis.graphs import MOMENT
from tests.builders import Failures, Json, batch, pending

FAILED: Failures = {"c1": (["bad"], ["A", "B"]), "c2": (["bad"], ["B"])}


def line(read: Json, *, details: bool = False) -> BatchRow:
    return read_batch(read, details=details)  # type: ignore[arg-type] # wire JSON as a dict


def count(*read: Json, details: bool = False) -> Census:
    census = Census(details)
    for one in read:
        census.add(one)  # type: ignore[arg-type] # wire JSON as a dict
    return census


def groups(failures: Failures, examples: int = 3) -> list[ErrorGroup]:
    return group_errors(batch("b1", failed=failures), examples)  # type: ignore[arg-type] # wire JSON as a dict


def test_batch_is_one_line() -> None:
    """Times become moments, counters whole numbers, and nothing of its records is kept."""
    whole = batch("b1", pending("t/1", "c/1"), failed=FAILED, message="m", successfulRecords=7.0, completed=None)

    found = line(whole, details=True)
    assert isnan(found.completed)
    assert found == BatchRow(
        id="b1",
        status="partial_success",
        type="PARTNER_RESOURCE_JSON_INGEST",
        schema="transactions",
        created=MOMENT - 3600,
        started=MOMENT - 3600,
        completed=found.completed,
        total=10,
        processed=10,
        successful=7,
        failed=2,
        pending=1,
        rate=70.0,
        message="m",
        categories={"B": 2, "A": 1},
        listed=1,
    )


def test_batch_that_says_the_least_is_a_line_too() -> None:
    """Only four fields are required: all others are unknown, not nought."""
    least = {"batchId": "b1", "status": "new", "batchType": "OTHER", "progress": {"totalRecords": None}}
    found = line(least)

    assert (found.schema, found.message, found.categories, found.listed) == ("", "", {}, None)
    assert (found.total, found.processed, found.pending, found.rate) == (None, None, None, None)
    assert all(map(isnan, (found.created, found.started, found.completed)))
    assert line(least, details=True).listed == 0
    assert line(least | {"schemaDefinitionId": "sd_x"}).schema == "sd_x"


def test_categories_are_the_apis_own_summary() -> None:
    """Where it is absent they are counted off the records; commonest first either way."""
    details: dict[str, RecordErrors] = {
        "c1": {"errors": [], "categories": ["A", "B"]},
        "c2": {"errors": [], "categories": ["B"]},
    }

    assert list(count_categories({"summary": {"A": 1.0, "C": 5.0, "B": 5.0}, "details": details}).items()) == [
        ("B", 5),
        ("C", 5),
        ("A", 1),
    ]
    assert list(count_categories({"summary": None, "details": details}).items()) == [("B", 2), ("A", 1)]
    assert count_categories({}) == {}


def test_census_counts_each_batch_as_it_was_last_read() -> None:
    """A batch that finishes while it is read must not stand in two states at once."""
    census = count(
        batch("b1", status="processing", failed=FAILED, successfulRecords=1),
        batch("b2", status="success", successfulRecords=5),
        batch("b1", status="success", failed={"c1": ([], ["A"])}, successfulRecords=3),
        batch("b3", status="failure", failed={"c9": ([], ["A", "C"])}),
    )

    assert list(census.count(lambda row: row.status).items()) == [("success", 2), ("failure", 1)]
    assert census.total(lambda row: row.successful) == 8
    assert census.categories() == {"A": 2, "C": 1}
    assert list(census.rows) == ["b1", "b2", "b3"]


def test_census_takes_what_is_not_said_as_nought() -> None:
    """A sum needs a number; that of no batches is 0."""
    silent = batch("b1")
    del silent["progress"]["failedRecords"]

    assert count(silent).total(lambda row: row.failed) == 0
    assert count().total(lambda row: row.failed) == 0
    assert (count().categories(), count().most_pending()) == ({}, [])


def test_census_knows_whether_rows_were_asked_for() -> None:
    """No rows because none wait is another thing than no rows because none were asked for."""
    assert [count(batch("b1"), details=asked).rows["b1"].listed for asked in (True, False)] == [0, None]


def test_batches_that_hold_most_pending_records_come_first() -> None:
    """Ten at most, those that hold none left out."""
    batches = [batch(f"b{place:02}", pendingRecords=place // 2) for place in range(2 * MOST_PENDING + 2)]
    found = count(*batches).most_pending()

    assert [(row.id, row.pending) for row in found[:3]] == [("b20", 10), ("b21", 10), ("b18", 9)]
    assert len(found) == MOST_PENDING
    assert [row.id for row in count(*batches[:4]).most_pending()] == ["b02", "b03"]


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (Filter(), True),
        (Filter(status="partial_success"), True),
        (Filter(status="success"), False),
        (Filter(schema="TRANSactions"), True),
        (Filter(schema="sd_transactions"), True),
        (Filter(schema="SD_transactions"), False),
        (Filter(schema="orders"), False),
        (Filter(after=MOMENT - 3600), True),
        (Filter(after=MOMENT - 3599), False),
        (Filter(before=MOMENT - 3600), False),
        (Filter(before=MOMENT - 3599), True),
        (Filter(status="partial_success", schema="transactions", after=0.0, before=MOMENT), True),
        (Filter(status="partial_success", schema="orders", after=0.0), False),
    ],
)
def test_filter_passes_what_it_names(wanted: Filter, passes: bool) -> None:
    """The API filters none of these itself; the beginning of a span is in it, the end is not."""
    assert wanted.matches(batch("b1")) is passes  # type: ignore[arg-type] # wire JSON as a dict
    assert wanted.is_set is (wanted != Filter())


def test_batch_that_can_not_be_dated_passes_no_filter_of_time() -> None:
    """It may be of any day. Without a filter of time it passes, and so does one without a schema."""
    undated = batch("b1", created="yesterday", schema=None)

    assert Filter(status="partial_success").matches(undated)  # type: ignore[arg-type] # wire JSON as a dict
    assert not Filter(after=0.0).matches(undated)  # type: ignore[arg-type] # wire JSON as a dict
    assert not Filter(before=MOMENT).matches(undated)  # type: ignore[arg-type] # wire JSON as a dict
    assert not Filter(schema="transactions").matches(undated)  # type: ignore[arg-type] # wire JSON as a dict


def test_errors_that_read_alike_are_one_group() -> None:
    """A thousand records with one mistake are one line: numbers, ids and quoted parts differ, the mistake does not."""
    failures: Failures = {
        "c1": (["row 12: 'Ann Lee' is no email"], ["BAD"]),
        "c2": (["row 7: 'bo' is no email"], ["BAD"]),
        "c3": (["amount is missing"], ["MISSING"]),
        "c4": (["row 1234: 'x' is no email"], ["BAD"]),
    }

    assert groups(failures, examples=2) == [
        ErrorGroup("BAD", "row 12: 'Ann Lee' is no email", 3, ("c1", "c2")),
        ErrorGroup("MISSING", "amount is missing", 1, ("c3",)),
    ]


def test_errors_of_two_categories_are_two_groups() -> None:
    """The category is the API's own sorting. Equal counts stand by category, then by text."""
    failures: Failures = {"c1": (["b", "a", "c"], ["Z", "A"]), "c2": (["b"], []), "c3": ([], ["A"]), "c4": ([], [])}

    assert [(one.category, one.text, one.examples) for one in groups(failures)] == [
        ("", "", ("c4",)),
        ("", "b", ("c2",)),
        ("A", "", ("c3",)),
        ("A", "a", ("c1",)),
        ("A", "c", ("c1",)),
        ("Z", "b", ("c1",)),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("email is missing", "phone is missing", id="another field"),
        pytest.param("customer's email isn't valid", "customer's phone isn't valid", id="apostrophes are no quotes"),
        pytest.param("code e12 is unknown", "unknown is code e12", id="another order"),
    ],
)
def test_errors_that_read_otherwise_stay_apart(one: str, other: str) -> None:
    """Two mistakes told as one leave one of them unmended."""
    assert Counter(group.text for group in groups({"c1": ([one], ["A"]), "c2": ([other], ["A"])})) == {one: 1, other: 1}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('value "a b" is too long', 'value "" is too long'),
        ("field `name` is unknown", "field `mail` is unknown"),
        ("at 2026-11-23T12:00:00Z it failed", "at 2026-11-24 it failed"),
        ("cust_12 was not found", "7 was not found"),
    ],
)
def test_what_varies_makes_no_difference(one: str, other: str) -> None:
    """Quoted parts of any length, and words with a digit in them."""
    assert [group.count for group in groups({"c1": ([one], ["A"]), "c2": ([other], ["A"])})] == [2]


def test_batch_without_details_has_no_groups() -> None:
    """`errors`, and `details` within, are optional."""
    assert group_errors(batch("b1")) == []  # type: ignore[arg-type] # wire JSON as a dict
    assert group_errors(batch("b1", message="all of it")) == []  # type: ignore[arg-type] # wire JSON as a dict


@pytest.mark.parametrize("text", ["a-" * 500_000, '"' * 500_001, "'a " * 300_000, "x" * 1_000_000])
def test_long_text_is_read_once(text: str) -> None:
    """Error texts are foreign: one that is made to be slow must not stop the server (a quadratic one takes hours)."""
    assert [group.text for group in groups({"c1": ([text], ["A"])})] == [text]


def test_counter_beyond_what_json_holds_exactly_is_capped() -> None:
    """A number of three hundred digits would fill an answer, and be wrong in all but the first sixteen."""
    assert line(batch("b1", totalRecords=1e300)).total == 2**53
    assert line(batch("b1", totalRecords=-1e300)).total == -(2**53)
