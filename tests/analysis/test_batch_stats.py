"""Batches in a line, counts over many, error groups, one batch in full."""

from collections.abc import Iterator
from typing import Any

import pytest

from reach_mcp.analysis.batch_stats import census, describe_batch, group_errors, summarize_batch
from reach_mcp.analysis.results import ErrorGroup
from reach_mcp.api.models import Batch, MissingDependency
from tests.analysis.asking import analyse, some
from tests.builders import INGEST, NOW_SECONDS, PATCH, Json, batch, decode, pending

HOUR = 3600


def wire(batch_id: str = "b1", *rows: Json, **fields: Any) -> Batch:
    return decode(batch(batch_id, *rows, **fields))


def test_a_batch_is_described_in_one_line() -> None:
    summary = summarize_batch(
        wire(
            "b1", pending("transactions:t1", "customers:c1"), failed=["x"], created=-3.0, started=-2.0, completed=None
        ),
        with_details=True,
    )
    assert (summary.id, summary.status, summary.type, summary.schema) == (
        "b1",
        "partial_success",
        INGEST,
        "transactions",
    )
    assert (summary.total, summary.pending, summary.failed, summary.successful) == (2, 1, 1, 0)
    assert (summary.created, summary.started) == (NOW_SECONDS - 3 * HOUR, NOW_SECONDS - 2 * HOUR)
    assert summary.completed is None
    assert (summary.listed, summary.failed_records_named) == (1, 1)


@pytest.mark.parametrize(("schema", "schema_id", "shown"), [(None, "sd_1", "sd_1"), (None, None, ""), ("a", "sd", "a")])
def test_the_schema_of_a_batch_is_its_name_or_definition_id(
    schema: str | None, schema_id: str | None, shown: str
) -> None:
    assert summarize_batch(wire(schema=schema, schema_id=schema_id), with_details=True).schema == shown


def test_categories_are_counted_from_the_details_where_the_summary_is_absent() -> None:
    one = wire(failed={"a": (["x", "y"], ["V", "V"]), "b": (["x"], ["R"]), "c": (["x"], ["V"])})
    assert dict(summarize_batch(one, with_details=True).categories) == {"V": 3, "R": 1}
    some(one.errors).summary = None
    assert summarize_batch(one, with_details=True).categories == (("V", 2), ("R", 1))


def test_a_census_counts_and_adds_up() -> None:
    batches = [
        wire("b1", pending("transactions:t1", "customers:c1"), failed=["x", "y"], created=-3.0),
        wire("b2", status="failure", type=PATCH, schema="customers", failed=["z"], created=-1.0, successfulRecords=4),
        wire("b3", created=None, pendingRecords=None),
        wire("b4", status="processing", created="yesterday"),
    ]
    counted = census([summarize_batch(one, with_details=True) for one in batches])
    assert counted.batches == 4
    assert counted.by_status == (("partial_success", 2), ("failure", 1), ("processing", 1))
    assert counted.by_type == ((INGEST, 3), (PATCH, 1))
    assert counted.by_schema == (("transactions", 3), ("customers", 1))
    assert dict(counted.records) == {"total": 8, "processed": 8, "successful": 4, "pending": 1, "failed": 3}
    assert counted.categories == (("VALIDATION", 3),)
    assert [one.id for one in counted.most_pending] == ["b1"]
    assert [one.id for one in counted.most_failed] == ["b1", "b2"]
    assert some(counted.latest).id == "b2"
    assert counted.without_counters == 1


def test_a_census_names_at_most_five_batches_and_the_largest_first() -> None:
    batches = [
        summarize_batch(wire(f"b{n}", pendingRecords=n, failedRecords=9 - n), with_details=False) for n in range(9)
    ]
    counted = census(batches)
    assert [one.id for one in counted.most_pending] == ["b8", "b7", "b6", "b5", "b4"]
    assert [one.id for one in counted.most_failed] == ["b0", "b1", "b2", "b3", "b4"]


def group_one(one: Batch) -> tuple[ErrorGroup, ...]:
    return describe_batch(one, NOW_SECONDS, limit=9).error_groups.items


def test_a_record_with_two_texts_of_one_shape_counts_once() -> None:
    (group,) = group_one(wire(failed={"a": (["Bad value 12", "Bad value 13"], ["V"])}))
    assert (group.records, group.message, group.examples) == (1, "Bad value …", ("a",))
    assert group.variants == (("Bad value 12", 1), ("Bad value 13", 1))


def test_messages_that_differ_in_a_name_keep_their_own_counts() -> None:
    email, location = "Required field 'email' is missing", "Required field 'locationId' is missing"
    failed = {f"r{n}": ([email], ["V"]) for n in range(4)} | {"s": ([location], ["V"])}
    (group,) = group_one(wire(failed=failed))
    assert (group.message, group.records) == ("Required field … is missing", 5)
    assert group.variants == ((email, 4), (location, 1))
    assert group.examples == ("r0", "r1", "r2")


def test_equal_messages_are_told_whole() -> None:
    (group,) = group_one(wire(failed={"a": (["Don't send row 7"], ["V"]), "b": (["Don't send row 7"], ["V"])}))
    assert (group.message, group.records, group.variants) == ("Don't send row 7", 2, ())


def test_groups_are_of_one_category_and_the_largest_comes_first() -> None:
    failed = {
        "a": (["no such id", "late"], ["REFERENCE", "TIME"]),
        "b": (["late", "late again"], ["TIME"]),
        "c": ([], ["TIME"]),
        "d": (["no such id"], []),
    }
    groups = group_one(wire(failed=failed))
    assert [(group.category, group.message, group.records) for group in groups] == [
        ("TIME", "late", 2),
        ("", "no such id", 1),
        ("REFERENCE", "no such id", 1),
        ("TIME", "", 1),
        ("TIME", "late again", 1),
    ]


def test_a_batch_without_errors_has_no_groups() -> None:
    assert group_one(wire()) == ()
    (group,) = group_one(wire(message="The file is empty", failedRecords=9))
    assert (group.records, group.whole_batch, group.examples) == (9, True, ("b1",))


def test_errors_of_whole_batches_are_grouped_with_those_of_records() -> None:
    batches = [
        wire("b1", status="failure", message="Line 7 is cut", failedRecords=60),
        wire("b2", status="failure", message="Line 12 is cut", failedRecords=None, totalRecords=30),
        wire("b3", message="Line 7 is cut", failed=["x"], failedRecords=5),
        wire("b4", failed=["y", "z"], failedRecords=9),
    ]
    details = [("orders", one.errors.details or {}) for one in batches if one.errors]
    summaries = [summarize_batch(one, with_details=False) for one in batches]
    whole, records = group_errors(details, summaries)
    assert (whole.whole_batch, whole.records, whole.batches, whole.category) == (True, 94, 3, "")
    assert (whole.message, whole.variants) == ("Line … is cut", (("Line 7 is cut", 2), ("Line 12 is cut", 1)))
    assert whole.examples == ("b1", "b3", "b2")
    assert (records.whole_batch, records.records, records.batches) == (False, 3, 0)
    counted = census(summaries)
    assert (dict(counted.records)["failed"], counted.errors_covered, counted.errors_named) == (74, 67, 3)


def test_a_census_tells_live_pending_resources_from_expired_ones() -> None:
    dead, alive = pending("o:1", "c:1", expires=-1.0), pending("o:2", "c:1", expires="never")
    batches = analyse(
        batch("b1", dead, created=-9.0),
        batch("b2", dead | {"id": "r"}, alive, created=-3.0),
        batch("b3", alive | {"id": "s"}),
    ).snapshot.batches
    assert [(one.live, one.expired) for one in batches] == [(0, 1), (1, 1), (1, 0)]
    counted = census(batches)
    assert (counted.oldest_live and counted.oldest_live.id, counted.all_expired) == ("b2", 1)
    unread = census([summarize_batch(wire(), with_details=False)])
    assert (unread.oldest_live, unread.all_expired) == (None, 0)


def test_a_batch_in_full_counts_live_rows_and_names_missing_records() -> None:
    one = wire(
        "b1",
        pending("transactions:t1", "customers:c1", expires=0.5),
        pending("transactions:t2", "customers:c1", "customers:c2", expires=20.0),
        pending("transactions:t3", "customers:c1", expires="never"),
        pending("transactions:t4", "customers:c9", expires=-1.0),
        failed=["x"],
    )
    detail = describe_batch(one, NOW_SECONDS, limit=9)
    assert (detail.pending, detail.expired, detail.within_hour, detail.within_day) == (3, 1, 1, 2)
    assert detail.next_expiry == NOW_SECONDS + HOUR / 2
    assert [(holder.record.name, holder.waiting) for holder in detail.missing.items] == [
        ("customers:c1", 3),
        ("customers:c2", 1),
    ]
    assert (detail.error_groups.total, detail.resources) == (1, None)


def test_rows_of_a_batch_are_paged() -> None:
    one = wire("b1", *(pending(f"transactions:t{n}", *(f"customers:c{m}" for m in range(30))) for n in range(5)))
    detail = describe_batch(one, NOW_SECONDS, limit=2, offset=3, with_resources=True)
    assert ([row.record.name for row in some(detail.resources).items], some(detail.resources).total) == (
        ["transactions:t3", "transactions:t4"],
        5,
    )
    assert (len(some(detail.resources).items[0].misses), some(detail.resources).items[0].misses_total) == (20, 30)
    assert [holder.record.external_id for holder in detail.missing.items] == ["c0", "c1"]
    assert [
        holder.record.external_id for holder in describe_batch(one, NOW_SECONDS, limit=1, offset=2).missing.items
    ] == ["c10"]


def test_a_batch_is_described_in_one_pass_over_its_missing_records() -> None:
    passes = 0

    class Counted(list[MissingDependency]):
        def __iter__(self) -> Iterator[MissingDependency]:
            nonlocal passes
            passes += 1
            return super().__iter__()

    one = wire("b1", pending("orders:o1", "customers:c1", "customers:c2"))
    assert one.pending_resources
    one.pending_resources[0].missing_dependencies = Counted(one.pending_resources[0].missing_dependencies)

    assert describe_batch(one, NOW_SECONDS, limit=9, with_resources=True).missing.total == 2
    assert passes == 1
