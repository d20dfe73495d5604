"""Clock hours, holders, and what has expired."""

from __future__ import annotations

from reach_mcp.analysis.expiry import describe_expired, describe_expiry, group_by_hour
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.results import Expiry
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.waiting import BLOCK_ROWS, count_by_group
from tests.analysis.graphs import graph_of, ids
from tests.builders import NOW_SECONDS, batch, pending


def _expiry(graph: DependencyGraph, *, offset: int = 0, limit: int = 24) -> Expiry:
    hours = group_by_hour(graph)
    holders = count_by_group(graph, hours).holders
    return describe_expiry(graph, Clearance(graph), hours, holders, offset=offset, limit=limit)


def test_rows_are_counted_by_clock_hour() -> None:
    times = (0.5, 0.9, 1.0, 5.0, 23.99, 24.0, 30.0, "soon")
    expiry = _expiry(graph_of([batch("b1", *(pending(f"s:{time}", "s:root", expires=time) for time in times))]))
    assert (expiry.within_hour, expiry.within_day, expiry.later, expiry.unreadable) == (2, 5, 2, 1)
    assert expiry.next_at == NOW_SECONDS + 1800
    assert [(hour.start - NOW_SECONDS) / 3600 for hour in expiry.hours.items] == [0, 1, 5, 23, 24, 30]
    assert [hour.rows for hour in expiry.hours.items] == [2, 1, 1, 1, 1, 1]


def test_within_the_hour_is_not_the_clock_hour() -> None:
    snapshot = graph_of(
        [batch("b1", *(pending(f"s:{time}", "s:root", expires=time) for time in (0.6, 1.4, 1.6)))]
    ).snapshot
    assert _expiry(DependencyGraph(snapshot, NOW_SECONDS + 1800)).within_hour == 2


def test_an_hour_is_held_by_what_most_of_its_rows_wait_for_through_others() -> None:
    rows = [pending(f"s:x{number}", "s:P", f"s:own{number}", expires=2.0) for number in range(100)]
    graph = graph_of([batch("b1", pending("s:P", "s:HUB", expires=9.0), pending("s:c", "s:c", expires=2.0), *rows)])
    hour, later = _expiry(graph).hours.items
    assert [(holder.record.external_id, holder.waiting) for holder in hour.holders] == [
        ("HUB", 100),
        ("own0", 1),
        ("own1", 1),
    ]
    assert (hour.holders_total, hour.rows, hour.stuck) == (101, 101, 1)
    assert (later.holders_total, later.rows) == (1, 1)


def test_the_rows_of_one_hour_are_counted_across_blocks() -> None:
    times = [2.0] * 5 + [3.0 + 0.9 * number / BLOCK_ROWS for number in range(BLOCK_ROWS)] + [4.5] * 3
    links = [pending(f"s:{link}", f"s:{link.upper()}", expires=99.0) for link in ("a", "b")]
    rows = [pending(f"s:x{number}", f"s:{'ab'[number % 2]}", expires=time) for number, time in enumerate(times)]
    hours = _expiry(graph_of([batch("b1", *links, *rows)])).hours.items
    assert [[(one.record.external_id, one.waiting) for one in hour.holders] for hour in hours] == [
        [("A", 3), ("B", 2)],
        [("A", BLOCK_ROWS // 2), ("B", BLOCK_ROWS // 2)],
        [("B", 2), ("A", 1)],
        [("A", 1), ("B", 1)],
    ]


def test_hours_are_paged() -> None:
    graph = graph_of([batch("b1", *(pending(f"s:x{hour}", "s:a", expires=hour + 0.5) for hour in range(5)))])
    page = _expiry(graph, offset=3, limit=1).hours
    assert ([hour.start for hour in page.items], page.total, page.offset) == ([NOW_SECONDS + 3 * 3600], 5, 3)
    assert _expiry(graph, offset=9).hours.items == ()


def test_without_rows_nothing_expires_next() -> None:
    assert _expiry(graph_of([])).next_at is None


def test_expired_rows_are_listed_by_batch_and_schema() -> None:
    one = batch("b1", pending("s:a", "s:m", expires=-1.0), pending("t:b", "s:m", expires=0.0), pending("s:c", "s:a"))
    two = batch(
        "b2",
        *(pending(f"s:d{hour}", "s:m", "s:n", expires=-float(hour)) for hour in (2, 3)),
        pending("s:d2", "s:m", id="new"),
    )
    graph = graph_of([one, two])
    expired = describe_expired(graph)
    assert (expired.total, expired.batches_total) == (4, 3)
    assert expired.batches == (("b2", "s", 2), ("b1", "s", 1), ("b1", "t", 1))
    assert ids(one.record for one in expired.records.items) == "d3 d2 a b"
    assert [one.pending_again for one in expired.records.items] == [False, True, False, False]
    assert ids(expired.records.items[0].misses) == "m n"
    assert expired.records.items[0].expired_at == NOW_SECONDS - 3 * 3600


def test_expired_rows_are_paged_and_filtered() -> None:
    graph = graph_of([batch("b1", *(pending(f"s:x{number}", "s:m", expires=-1.0 - number) for number in range(5)))])
    page = describe_expired(graph, bytearray([1, 1, 1, 1, 0]), offset=2, limit=1)
    assert (ids(one.record for one in page.records.items), page.total, page.records.total) == ("x1", 4, 4)
