"""One reading: rows over interned keys, repeats, schema names."""

from __future__ import annotations

import pytest

from reach_mcp.analysis.keys import KeyIndex
from reach_mcp.analysis.results import Record
from reach_mcp.analysis.schema_names import SchemaNames
from reach_mcp.analysis.snapshot import Snapshot, SnapshotBuilder
from tests.analysis.graphs import read
from tests.builders import Json, batch, decode, pending


def _rows(snapshot: Snapshot) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """(batch, id, external id, external ids that it lists) of every row."""
    name = [external_id for _, external_id in snapshot.keys]
    return [
        (snapshot.batches[row.batch].id, row.id, name[row.key], tuple(name[key] for key in row.missing))
        for row in snapshot.rows
    ]


def test_rows_have_their_batch_their_key_and_what_they_list_once_in_order() -> None:
    row = pending("orders:o1", "customers:c2", "customers:c1", "customers:c2", expires=1.0, created=-1.0)
    snapshot = read(batch("b1"), batch("b2", row))
    assert _rows(snapshot) == [("b2", "pr_orders_o1", "o1", ("c2", "c1"))]
    assert snapshot.rows[0].expires - snapshot.rows[0].created == 2 * 3600
    assert snapshot.record(snapshot.rows[0].key) == Record("orders", "o1", "sd_orders")
    assert [record.name for record in snapshot.records(snapshot.rows[0].missing)] == ["customers:c2", "customers:c1"]


def test_a_batch_read_again_replaces_its_earlier_reading() -> None:
    first = batch("b1", pending("orders:old", "customers:gone"), failed=["x"])
    again = batch("b1", pending("orders:new", "customers:c1"), pending("orders:o2", "customers:c1"))
    snapshot = read(first, batch("b2", pending("orders:o3", "orders:new")), again)
    assert [one.id for one in snapshot.batches] == ["b1", "b2"]
    assert [row[2:] for row in _rows(snapshot)] == [("new", ("c1",)), ("o2", ("c1",)), ("o3", ("new",))]
    assert ("sd_customers", "gone") not in snapshot.key_index
    assert snapshot.error_details == []
    assert [snapshot.key_index[key] for key in snapshot.keys] == list(range(len(snapshot.keys)))


def test_a_builder_counts_the_rows_of_the_last_readings() -> None:
    builder = SnapshotBuilder()
    for body in (
        batch("b1", pending("orders:o1"), pending("orders:o2")),
        batch("b2", pending("orders:o3")),
        batch("b1"),
    ):
        builder.add(decode(body))
    assert builder.rows == 1


def test_error_details_name_their_batch() -> None:
    snapshot = read(batch("b1"), batch("b2", failed=["x"]), batch("b3"))
    assert [(number, list(details)) for number, details in snapshot.error_details] == [(1, ["x"])]


SAME = pending("orders:o1", "customers:c1", id="r")


@pytest.mark.parametrize(
    ("rows", "kept", "duplicates"),
    [
        ([SAME, SAME], 1, 2),
        ([SAME, pending("orders:o2", "customers:c1", id="r")], 2, 2),
        ([SAME, pending("orders:o1", "customers:c2", id="r")], 2, 2),
        ([SAME, pending("orders:o1", "customers:c1", id="r", expires=7.0)], 2, 2),
        ([SAME, pending("orders:o1", "customers:c1", id="")], 2, 0),
        ([pending("orders:o1", "customers:c1", id=""), pending("orders:o2", "customers:c1", id="")], 2, 2),
        ([pending("orders:o1", "customers:c1", id="")] * 2, 2, 2),
        ([pending("orders:o1", "customers:c1", id="r", expires="soon")] * 2, 1, 2),
    ],
)
def test_a_row_counts_once_and_different_rows_of_one_id_are_kept(rows: list[Json], kept: int, duplicates: int) -> None:
    snapshot = read(batch("b1", rows[0]), batch("b2", rows[1]))
    assert (len(snapshot.rows), snapshot.repeats.listed) == (kept, duplicates)
    assert snapshot.repeats.batches == ((0, 1) if duplicates else ())
    assert snapshot.batches_of(0) == ((0, 1) if kept == 1 else (0,))


def test_a_row_that_several_batches_list_is_among_the_rows_of_each() -> None:
    lost = pending("orders:o9", "customers:c1", id="s", expires=-1.0)
    snapshot = read(batch("b1", SAME, SAME, lost), batch("b2", SAME, lost), batch("b3", SAME, SAME))
    assert [(one.listed, one.live, one.expired) for one in snapshot.batches] == [(3, 1, 1), (2, 1, 1), (2, 1, 0)]
    assert (snapshot.repeats.listed, snapshot.batches_of(0), snapshot.batches_of(1)) == (7, (0, 1, 2), (0, 1))


def test_rows_whose_expiry_is_unreadable_are_named() -> None:
    rows = [
        pending("orders:o1", id="r1", expires="soon"),
        pending("orders:o2", id="", expires=""),
        pending("orders:o3"),
    ]
    assert read(batch("b1", *rows)).unreadable_times == ("r1", "orders:o2")


def test_keys_are_numbered_in_the_order_in_which_they_come_up() -> None:
    index = KeyIndex.of([("a", "1"), ("b", "1"), ("a", "2")])
    index.freeze()
    assert list(index) == [("a", "1"), ("b", "1"), ("a", "2")]
    assert (index[("a", "2")], index.get(("a", "3")), ("c", "1") in index, len(index)) == (2, None, False, 3)
    with pytest.raises(KeyError):
        index[("a", "3")]


def test_a_schema_is_shown_by_its_name_where_that_name_is_its_own() -> None:
    names = SchemaNames(
        [("sd_1", "orders"), ("sd_2", "Orders"), ("sd_3", "customers"), ("sd_4", None), ("sd_5", "sd_4")]
    )
    assert [names.display(one) for one in names.schema_ids] == ["sd_1", "sd_2", "customers", "sd_4", "sd_5"]
    assert sorted(map(names.display, names.schema_ids)) == ["customers", "sd_1", "sd_2", "sd_4", "sd_5"]
    assert names.definitions("ORDERS") == ["sd_1", "sd_2"]
    assert names.definitions("sd_4") == ["sd_4"]
    assert (names.names("sd_3"), names.names("sd_4"), names.definitions("else")) == (["customers"], [], [])


def test_names_are_learned_from_batches_rows_and_dependencies() -> None:
    snapshot = read(batch("b1", pending("orders:o1", "customers:c1"), schema="locations"), batch("b2", schema=None))
    assert set(map(snapshot.names.display, snapshot.names.schema_ids)) == {"customers", "locations", "orders"}
