"""The graph: what counts as one key, one row, one reading."""

from __future__ import annotations

from math import inf

import numpy as np

from tests.analysis.graphs import MOMENT, build_graph, name, names, number, read, read_with_ids, row_names
from tests.builders import batch, pending


def test_identity_is_schema_and_external_id() -> None:
    """Customer 1 and location 1 are two things: freeing one does nothing for the other."""
    graph = build_graph(pending("transactions/1", "customers/1"), pending("orders/1", "locations/1"))

    assert sorted(names(graph, graph.roots)) == ["customers/1", "locations/1"]
    assert row_names(graph, graph.waiting([number(graph, "customers/1")])) == ["transactions/1"]
    assert (graph.rows, graph.keys) == (2, 4)


def test_row_that_lists_a_key_twice_waits_for_it_once() -> None:
    """Two fields of a record may refer to one customer. One arrival clears it."""
    graph = build_graph(pending("t/1", "c/1", "c/2", "c/1"))

    assert names(graph, graph.missing(0)) == ["c/1", "c/2"]
    assert graph.direct[number(graph, "c/1")] == 1


def test_batch_that_is_read_again_is_replaced_whole() -> None:
    """Batches move between pages while a walk runs. What cleared between the readings must not wait for ever."""
    graph = read(
        batch("b1", pending("t/1", "c/1"), pending("t/2", "c/2")),
        batch("b2", pending("t/3", "c/3")),
        batch("b1", pending("t/2", "c/4"), pendingRecords=5),
    )

    assert row_names(graph, range(graph.rows)) == ["t/2", "t/3"]
    assert sorted(names(graph, graph.roots)) == ["c/3", "c/4"]
    assert graph.repeats == 1
    assert [(facts.id, facts.counter) for facts in graph.facts] == [("b1", None), ("b2", 1), ("b1", 5)]


def test_row_that_turns_up_again_counts_once_as_it_last_stood() -> None:
    """The unit is a row by its id, wherever it is listed."""
    graph, ids = read_with_ids(
        [
            batch("b1", pending("t/1", "c/1", id="r1"), pending("t/2", "c/1", id="r2")),
            batch("b2", pending("t/1", "c/2", "c/3", id="r1")),
        ]
    )

    assert [(ids[row], names(graph, graph.missing(row))) for row in range(graph.rows)] == [
        ("r2", ["c/1"]),
        ("r1", ["c/2", "c/3"]),
    ]
    assert graph.batches_of(range(2)) == ["b1", "b2"]
    assert graph.repeats == 0


def test_row_that_turns_up_again_in_its_own_batch_counts_once() -> None:
    """Even one answer may hold a row twice."""
    graph = build_graph(pending("t/1", "c/1", id="r1"), pending("t/1", "c/2", id="r1"))

    assert (graph.rows, names(graph, graph.roots)) == (1, ["c/2"])


def test_key_of_replaced_rows_alone_is_not_found() -> None:
    """Nobody waits for it any more: a focus on it has to say so, and it is no id that was seen."""
    graph = read(batch("b1", pending("t/1", "c/1")), batch("b1", pending("t/1", "c/2")))

    assert graph.find("c", "1") is None
    assert graph.find("c", "2") == number(graph, "c/2")
    assert list(graph.externals("sd_c")) == ["2"]


def test_time_that_can_not_be_read_is_that_of_the_last_reading() -> None:
    """A row whose later reading bears a good time has one; it must not be counted as unknown as well."""
    graph = read(
        batch("b1", pending("t/1", "c/1", id="r1", expires="soon"), pending("t/2", "c/1", id="r2", expires="late")),
        batch("b2", pending("t/1", "c/1", id="r1", expires=1.0), pending("t/3", "c/1", id="r3", expires="")),
    )

    assert graph.unreadable_times == {"r2": "late", "r3": ""}
    assert graph.earliest(np.arange(graph.rows, dtype=np.int32)) == MOMENT + 3600


def test_earliest_expiry_of_rows_without_one_is_never() -> None:
    """Unknown sorts behind every known time."""
    graph = build_graph(pending("t/1", "c/1", expires="soon"))

    assert graph.earliest(np.zeros(1, np.int32)) == inf
    assert graph.earliest(np.zeros(0, np.int32)) == inf
    assert build_graph().earliest(np.zeros(0, np.int32)) == inf


def test_links_are_pending_and_waited_for() -> None:
    """t/1 -> o/1 -> [c/1], o/1 twice: only o/1 is a link, and two rows bear it."""
    graph = build_graph(pending("t/1", "o/1"), pending("o/1", "c/1"), pending("o/1", "c/2", id="again"))

    assert names(graph, np.flatnonzero(graph.is_link)) == ["o/1"]
    assert [row_names(graph, graph.bearers(number(graph, key))) for key in ("t/1", "o/1", "c/1")] == [
        ["t/1"],
        ["o/1", "o/1"],
        [],
    ]


def test_waiting_goes_round_a_circle_once() -> None:
    """t/1 -> c/1 -> c/2 -> c/1: what waits for a member waits for all of them, the member's own row too."""
    graph = build_graph(pending("t/1", "c/1"), pending("c/1", "c/2"), pending("c/2", "c/1"))

    assert row_names(graph, graph.waiting([number(graph, "c/2")])) == ["c/1", "c/2", "t/1"]
    assert row_names(graph, graph.waiting([number(graph, "t/1")])) == []
    assert row_names(graph, graph.waiting([])) == []


def test_schema_is_found_by_id_and_by_name_in_any_case() -> None:
    """People write Customers; the API's page looks names up without regard to case too."""
    graph = build_graph(pending("customers/1", "locations/1"), pending("odd/1", "odd/2", names=False))
    customer = number(graph, "customers/1")

    assert [graph.find(schema, "1") for schema in ("customers", "CUSTOMERS", "sd_customers")] == [customer] * 3
    assert [graph.find(schema, "1") for schema in ("sd_odd", "SD_ODD")] == [number(graph, "odd/1")] * 2
    assert [graph.find(*key) for key in (("customers", "2"), ("nothing", "1"), ("SD_CUSTOMERS", "1"))] == [None] * 3
    assert graph.definitions("locations") == ["sd_locations"]
    assert list(graph.externals("sd_nothing")) == []


def test_key_is_found_in_whichever_schema_of_a_name_has_it() -> None:
    """Names are for people and need not be unique."""
    one = pending("old/1", "c/1") | {"schemaName": "orders"}
    other = pending("new/2", "c/1") | {"schemaName": "Orders"}
    graph = build_graph(one, other)

    assert graph.definitions("orders") == ["sd_old", "sd_new"]
    assert [graph.find("orders", external) for external in ("1", "2", "3")] == [
        number(graph, "old/1"),
        number(graph, "new/2"),
        None,
    ]


def test_schema_without_a_name_is_called_by_its_id() -> None:
    """The name is optional everywhere; wherever it stands, all keys of the schema bear it."""
    graph = build_graph(pending("t/1", "c/1", names=False), pending("t/2", "t/1"))

    assert graph.schema(number(graph, "t/1")) == "t"
    assert graph.schema(number(graph, "c/1")) == "sd_c"
    assert name(graph, number(graph, "c/1")) == "c/1"


def test_newest_row_is_the_last_to_be_stored() -> None:
    """It tells new rows from old ones when somebody asks again; a time that can't be read tells nothing."""
    graph = build_graph(
        pending("t/1", "c/1", created=-2.0), pending("t/2", "c/1", created=-1.0), pending("t/3", "c/1", created="now")
    )

    assert graph.newest == MOMENT - 3600
    assert build_graph().newest == -inf


def test_batch_without_rows_is_no_node() -> None:
    """`pendingResources` may be absent, null or empty."""
    absent, null = batch("b1"), batch("b2") | {"pendingResources": None}
    del absent["pendingResources"]
    graph = read(absent, null, batch("b3"))

    assert (graph.rows, graph.keys, graph.roots, len(graph.facts)) == (0, 0, [], 3)


def test_counter_may_be_absent() -> None:
    """What the API doesn't say can't disagree with anything."""
    silent = batch("b1", pending("t/1", "c/1"))
    del silent["progress"]["pendingRecords"]

    assert [facts.counter for facts in read(silent, batch("b2", pendingRecords=2.0)).facts] == [None, 2]


def test_key_listed_twice_beside_a_row_that_lists_nothing_is_waited_for_once() -> None:
    """As many keys as rows, and yet one of them twice."""
    graph = build_graph(pending("t/1"), pending("t/2", "c/1", "c/1"))

    assert graph.direct[number(graph, "c/1")] == 1
