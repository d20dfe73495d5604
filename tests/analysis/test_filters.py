"""Filters restrict the report and never the graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reach_mcp.analysis.errors import QuestionError
from reach_mcp.analysis.filters import BatchFilter
from tests.analysis.asking import HOUR, analyse, ask, names, put, some
from tests.builders import DELETE, NOW_SECONDS, PATCH, Json, Ref, batch, pending

ORDERS = batch(
    "A", *(pending(f"orders:o{n}", "customers:c1") for n in range(3)), schema="orders", created=-1.0, status="failure"
)
CUSTOMERS = batch("B", pending("customers:c1", "locations:l1"), schema="customers", type=PATCH, created=-30.0)


@pytest.mark.parametrize(
    "conditions",
    [
        {"schema": "orders"},
        {"schema": " ORDERS "},
        {"schema": "sd_orders"},
        {"status": "Failure"},
        {"batch_type": "partner_resource_json_ingest"},
        {"created_after": NOW_SECONDS - 24 * HOUR},
        {"schema": "orders", "status": "failure", "created_before": NOW_SECONDS, "only_pending": True},
    ],
)
def test_the_graph_has_all_rows_whatever_the_filter(conditions: dict[str, Any]) -> None:
    answer = ask(ORDERS, CUSTOMERS, **conditions)
    (blocker,) = some(answer.blockers).items
    assert (blocker.record.name, blocker.waiting, blocker.direct, blocker.frees) == ("locations:l1", 3, 0, 3)
    assert (answer.counts.pending, answer.counts.batches, answer.counts.missing_records) == (3, 1, 1)
    assert (some(answer.filter).batches_matched, some(answer.filter).batches_left_out) == (1, 1)
    assert (some(answer.filter).resources_matched, some(answer.filter).resources_left_out) == (3, 1)


def test_blank_conditions_count_as_absent() -> None:
    answer = ask(ORDERS, CUSTOMERS, schema="  ", status="", batch_type=None)
    assert (answer.filter, answer.counts.pending) == (None, 4)


def test_a_filter_is_described_in_words() -> None:
    described = BatchFilter("failure", DELETE, "orders", NOW_SECONDS - HOUR, NOW_SECONDS, only_pending=True).describe()
    assert described == (
        f"status failure, batch type {DELETE}, schema orders, created after 2026-11-23 11:00Z, "
        "created before 2026-11-23 12:00Z, with pending resources"
    )


def test_a_filter_that_nothing_meets_says_what_it_left_out() -> None:
    answer = ask(ORDERS, CUSTOMERS, batch_type=DELETE)
    assert (some(answer.filter).batches_matched, some(answer.filter).batches_left_out) == (0, 2)
    assert (some(answer.filter).resources_matched, some(answer.filter).resources_left_out) == (0, 4)
    assert answer.counts.pending == 0


def test_an_unknown_schema_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(QuestionError) as refused:
        ask(ORDERS, CUSTOMERS, schema="customer")
    assert "Did you mean customers?" in refused.value.advice
    assert "customers, locations, orders" in refused.value.advice


@pytest.mark.parametrize("created", [None, "2026-11-23T08:00:00", "yesterday"])
def test_batches_without_a_readable_time_are_counted_and_named(created: str | None) -> None:
    unclear = batch("U", pending("orders:u", "customers:c9"), schema="orders", created=created)
    answer = ask(ORDERS, unclear, created_after=NOW_SECONDS - 24 * HOUR)
    assert (some(answer.filter).undated, some(answer.filter).undated_total) == (("U",), 1)
    assert answer.counts.pending == 3
    assert ask(ORDERS, unclear, schema="orders").filter.undated == ()  # type: ignore[union-attr]


def test_the_bound_after_is_included_and_the_bound_before_is_not() -> None:
    moment = NOW_SECONDS - HOUR
    assert ask(ORDERS, created_after=moment).counts.pending == 3
    assert ask(ORDERS, created_before=moment).counts.pending == 0


def test_the_name_of_a_schema_is_known_from_any_batch_or_row() -> None:
    unnamed = batch("N", pending(Ref("sd_orders", "o9"), "customers:c1"), schema=None, schema_id="sd_orders")
    answer = ask(ORDERS, unnamed, schema="orders")
    assert (answer.counts.pending, answer.counts.batches) == (4, 2)
    snapshot = analyse(ORDERS, unnamed).snapshot
    assert [snapshot.batches[number].schema for number in BatchFilter(schema="orders").apply(snapshot).batches] == [
        "orders",
        "orders",
    ]


def test_of_a_batch_without_a_schema_rows_are_selected_by_their_own() -> None:
    rows = [pending("orders:o9", "customers:c1"), pending("refunds:r1", "customers:c1")]
    answer = ask(ORDERS, batch("M", *rows, schema=None), schema="orders", view="resources")
    assert names(one.record for one in some(answer.resources).items) == [
        "orders:o0",
        "orders:o1",
        "orders:o2",
        "orders:o9",
    ]
    assert (some(answer.filter).batches_matched, some(answer.filter).resources_left_out) == (2, 1)


def test_lists_are_filtered_by_the_schema_of_the_batch_and_explanations_by_that_of_each_row() -> None:
    rows = [pending("orders:o9", "customers:c1"), pending("refunds:r1", "customers:c1"), pending("refunds:r2", "o:1")]
    mixed, nameless = batch("M", *rows, schema="refunds"), batch("X", schema="orders", schema_id=None)
    analysis = analyse(ORDERS, mixed, nameless, CUSTOMERS)
    snapshot = analysis.snapshot
    matched = BatchFilter(schema="Orders").apply(snapshot)
    assert [snapshot.batches[number].id for number in matched.batches] == ["A", "X"]
    assert (some(matched.report).batches_left_out, some(matched.report).resources_left_out) == (2, 4)
    assert BatchFilter().apply(snapshot).report is None
    answer = put(analysis, schema="Orders", view="resources")
    assert names(one.record for one in some(answer.resources).items)[-1] == "orders:o9"
    assert (some(answer.filter).batches_matched, some(answer.filter).resources_left_out) == (3, 3)
    counts = answer.counts
    assert (counts.pending, counts.batches, counts.counters_pending, counts.repeated) == (4, 2, 4, 0)
    refunds = put(analysis, schema="refunds").counts
    assert (refunds.pending, refunds.batches, refunds.counters_pending) == (2, 1, 2)


def test_a_row_whose_schema_has_no_name_counts_as_of_its_batch() -> None:
    row = pending(Ref("sd_x", "x1"), "customers:c1")
    analysis = analyse(
        batch("A", row, schema="orders", schema_id=None), batch("B", row | {"id": "b"}, schema="refunds")
    )
    assert put(analysis, schema="orders").counts.pending == 1
    assert put(analysis, schema="sd_x").counts.pending == 2


def test_only_batches_with_pending_resources_are_selected_by_counter_or_by_rows() -> None:
    empty, counted = batch("E"), batch("C", pendingRecords=7)
    silent: Json = batch("S", pending("orders:o9", "customers:c1"), pendingRecords=0)
    matched = BatchFilter(only_pending=True).apply(analyse(empty, counted, silent).snapshot)
    assert matched.batches == (1, 2)


def test_expired_rows_are_not_among_those_left_out() -> None:
    old = batch("O", pending("orders:o9", "customers:c1", expires=-1.0), schema="orders")
    answer = ask(old, CUSTOMERS, schema="customers")
    assert some(answer.filter).resources_left_out == 0
    assert answer.counts.expired == 0
    assert ask(old, CUSTOMERS, schema="orders").counts.expired == 1


def test_resources_left_out_are_unknown_where_none_were_read() -> None:
    snapshot = replace(analyse(ORDERS, CUSTOMERS).snapshot, with_details=False)
    report = some(BatchFilter(schema="orders").apply(snapshot).report)
    assert (report.resources_left_out, report.resources_matched) == (None, None)
