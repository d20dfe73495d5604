"""What to send first."""

from __future__ import annotations

import pytest

from reach_mcp.analysis.blockers import rank
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.plan import plan
from reach_mcp.analysis.results import Order
from reach_mcp.analysis.waiting import count_waiting
from tests.analysis.graphs import draw, graph_of, names
from tests.builders import batch, pending


def _steps(graph: DependencyGraph, first: int = 5, order: Order = "waiting") -> list[tuple[str, int]]:
    steps = plan(graph, rank(graph, count_waiting(graph)), first=first, order=order)
    return [(names(graph, [step.key]), step.gain) for step in steps]


def _rows(count: int, missing: str, tag: str) -> list[str]:
    return [f"{tag}{number}: {missing}" for number in range(count)]


HUB = "hub: " + " ".join(f"m{number}" for number in range(300))
SIZES = [line for size in range(1, 15) for line in _rows(size, f"m{size:02}", f"x{size}_")]
ALIKE = [f"x{number}: root{number} other{number}" for number in range(200)]
TOGETHER = [*_rows(10, "a b", "x"), *_rows(6, "c", "y")]
SEVERAL_ROWS = ["o: a", "o: b c", *_rows(5, "o", "x"), *_rows(2, "b", "y")]
TWO_LINKS = ["o: a", "o: b", "o: a b", "p: c", "p: d", *_rows(9, "o p", "x"), *_rows(2, "b", "y"), *_rows(3, "d", "z")]

PLANS: dict[str, tuple[list[str], int, list[tuple[str, int]]]] = {
    "most first": ([*_rows(2, "a", "x"), *_rows(3, "b", "y"), "z: a b"], 5, [("b", 3), ("a", 3)]),
    "one alone": (TOGETHER, 1, [("c", 6)]),
    "two that rows need together beat a single one": (TOGETHER, 2, [("a", 0), ("b", 10)]),
    "through a link": (["o: a", *_rows(4, "o b", "x"), *_rows(3, "c", "y")], 2, [("a", 1), ("b", 4)]),
    "one of several rows is enough": (SEVERAL_ROWS, 2, [("a", 6), ("b", 2)]),
    "each way to clear a record counts": (TWO_LINKS, 2, [("d", 4), ("b", 12)]),
    "two free it, the first counts": (["o: a", "o: b", *_rows(3, "o", "x"), "y: a"], 0, [("a", 5), ("b", 1)]),
    "by a later link": (["o: a", "o: p", "p: b", *_rows(3, "o", "x"), *_rows(2, "b c", "z")], 2, [("b", 5), ("c", 2)]),
    "beyond the first, the highest gain": (SIZES, 5, [(f"m{size:02}", size) for size in range(14, 0, -1)]),
    "a candidate among 300": ([HUB, *_rows(50, "hub", "x"), *_rows(20, "BIG", "y")], 1, [("BIG", 20)]),
    "many alike": ([*ALIKE, *_rows(3, "pair1 pair2", "z")], 2, [("pair1", 0), ("pair2", 3)]),
}


@pytest.mark.parametrize(("lines", "first", "expected"), PLANS.values(), ids=PLANS)
def test_a_plan_frees_most_with_its_first_records(
    lines: list[str], first: int, expected: list[tuple[str, int]]
) -> None:
    assert _steps(draw(*lines), first=first)[: len(expected)] == expected


def test_where_no_record_clears_a_row_alone_the_rows_that_need_fewest_are_completed() -> None:
    graph = draw("w: a b c d", "x: e f g h i j k l", "y: e f g h i j k l", "z: n", "n: o p q r")
    steps = _steps(graph, first=0)
    assert sorted(gain for _, gain in steps) == [0] * 13 + [1, 2, 2]
    assert {name for name, _ in steps[:4]} in ({"a", "b", "c", "d"}, {"o", "p", "q", "r"})


def test_a_row_below_which_links_meet_is_completed_once() -> None:
    graph = draw("x: l1 l2", "l1: m p1 p2", "l2: m p3 p4", "m: a b c")
    assert sum(gain for _, gain in _steps(graph, first=0)) == 4


def test_only_candidates_are_sent() -> None:
    graph = draw("w: a b", "x: link c", "link: d", "u: link e", "v: v c", "y: c", "t: u c")
    ranked = [root for root in rank(graph, count_waiting(graph)) if names(graph, [root.key]) in "b c e"]
    steps = [(names(graph, [step.key]), step.gain) for step in plan(graph, ranked, first=0)]
    assert steps[0] == ("c", 1)
    assert sorted(steps[1:]) == [("b", 0), ("e", 0)]


def test_urgency_sends_first_what_is_lost_soonest() -> None:
    big = [pending(f"s:x{number}", "orders:BIG", expires=2.0) for number in range(400)]
    small = [pending(f"s:y{number}", f"locations:l{number % 5}", expires=9.0) for number in range(6)]
    graph = graph_of([batch("b1", *small, *big)])
    assert _steps(graph, order="expiry") == [("BIG", 400), ("l0", 2), ("l1", 1), ("l2", 1), ("l3", 1), ("l4", 1)]
    graph = graph_of([batch("b1", *big, pending("s:z", "s:soon", expires=1.0))])
    assert _steps(graph, order="expiry") == [("soon", 1), ("BIG", 400)]


def test_urgency_goes_by_rank_within_one_minute() -> None:
    big = [pending(f"s:x{number}", "orders:BIG", expires=2.01) for number in range(3)]
    soon = [pending("s:y", "orders:small", expires=2.0), pending("s:z", "orders:undated", expires="soon")]
    graph = graph_of([batch("b1", *soon, *big)])
    assert _steps(graph, order="expiry") == [("BIG", 3), ("small", 1), ("undated", 1)]


def test_nothing_expired_is_promised() -> None:
    graph = graph_of([batch("b1", *(pending(f"s:x{number}", "s:a", expires=-1.0) for number in range(34)))])
    assert _steps(graph) == []


def test_a_record_whose_only_row_has_expired_can_be_sent() -> None:
    graph = graph_of([batch("b1", pending("s:a", "s:b", expires=-1.0), pending("s:x", "s:a"))])
    assert _steps(graph) == [("a", 1)]


def test_the_whole_plan_of_a_long_chain_is_cheap() -> None:
    graph = draw(*(f"k{number}: k{number + 1} m{number}" for number in range(3000)))
    steps = _steps(graph)
    assert sum(gain for _, gain in steps) == 3000
    assert steps[0] == ("k3000", 0) or steps[1] == ("m2999", 1)
