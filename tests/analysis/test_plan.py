"""What to send first."""

from __future__ import annotations

from itertools import islice

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


def test_the_record_that_frees_most_comes_first() -> None:
    graph = draw(*_rows(2, "a", "x"), *_rows(3, "b", "y"), "z: a b")
    assert _steps(graph) == [("b", 3), ("a", 3)]


def test_two_records_that_rows_need_together_beat_a_single_one() -> None:
    lines = [*_rows(10, "a b", "x"), *_rows(6, "c", "y")]
    assert _steps(draw(*lines), first=1)[0] == ("c", 6)
    assert dict(_steps(draw(*lines), first=2)[:2]).keys() == {"a", "b"}
    assert sum(gain for _, gain in _steps(draw(*lines), first=3)[:3]) == 16


def test_a_record_is_found_through_links() -> None:
    graph = draw("o: a", *_rows(4, "o b", "x"), *_rows(3, "c", "y"))
    assert _steps(graph, first=2)[:2] == [("a", 1), ("b", 4)]


def test_of_several_rows_of_one_record_one_is_enough() -> None:
    graph = draw("o: a", "o: b c", *_rows(5, "o", "x"), *_rows(2, "b", "y"))
    assert _steps(graph, first=1)[0] == ("a", 6)
    assert _steps(graph, first=2)[:2] == [("a", 6), ("b", 2)]


def test_each_way_to_clear_a_record_of_several_rows_counts() -> None:
    lines = ["o: a", "o: b", "o: a b", "p: c", "p: d", *_rows(9, "o p", "x"), *_rows(2, "b", "y"), *_rows(3, "d", "z")]
    assert _steps(draw(*lines), first=2)[:2] == [("d", 4), ("b", 12)]


def test_a_row_that_two_records_free_counts_for_the_first_alone() -> None:
    graph = draw("o: a", "o: b", *_rows(3, "o", "x"), "y: a")
    assert _steps(graph, first=0) == [("a", 5), ("b", 1)]


def test_an_alternative_through_a_later_link_counts() -> None:
    graph = draw("o: a", "o: p", "p: b", *_rows(3, "o", "x"), *_rows(2, "b c", "z"))
    assert _steps(graph, first=2)[:2] == [("b", 5), ("c", 2)]


def test_beyond_the_first_records_each_step_has_the_highest_gain() -> None:
    lines = [line for size in range(1, 15) for line in _rows(size, f"m{size:02}", f"x{size}_")]
    assert [gain for _, gain in _steps(draw(*lines))] == list(range(14, 0, -1))


def test_where_no_record_clears_a_row_alone_the_rows_that_need_fewest_are_completed() -> None:
    graph = draw("w: a b c d", "x: e f g h i j k l", "y: e f g h i j k l", "z: n", "n: o p q r")
    gains = dict(_steps(graph, first=0))
    assert sorted(gains.values()) == [0] * 13 + [1, 2, 2]
    order = [name for name, _ in _steps(graph, first=0)]
    assert set(order[:4]) in ({"a", "b", "c", "d"}, {"o", "p", "q", "r"})


def test_a_row_below_which_links_meet_is_completed_once() -> None:
    graph = draw("x: l1 l2", "l1: m p1 p2", "l2: m p3 p4", "m: a b c")
    assert sum(gain for _, gain in _steps(graph, first=0)) == 4


def test_only_candidates_are_sent() -> None:
    graph = draw("w: a b", "x: link c", "link: d", "u: link e", "v: v c", "y: c", "t: u c")
    ranked = [root for root in rank(graph, count_waiting(graph)) if names(graph, [root.key]) in "b c e"]
    steps = [(names(graph, [step.key]), step.gain) for step in plan(graph, ranked, first=0)]
    assert steps[0] == ("c", 1)
    assert sorted(steps[1:]) == [("b", 0), ("e", 0)]


def test_what_many_rows_list_is_a_candidate_however_many_records_are_waited_for_more() -> None:
    hub = "hub: " + " ".join(f"m{number}" for number in range(300))
    assert _steps(draw(hub, *_rows(50, "hub", "x"), *_rows(20, "BIG", "y")), first=1)[0] == ("BIG", 20)


def test_urgency_sends_first_what_is_lost_soonest() -> None:
    big = [pending(f"s:x{number}", "orders:BIG", expires=2.0) for number in range(400)]
    small = [pending(f"s:y{number}", f"locations:l{number % 5}", expires=9.0) for number in range(6)]
    graph = graph_of([batch("b1", *small, *big)])
    assert _steps(graph, order="expiry") == [("BIG", 400), ("l0", 2), ("l1", 1), ("l2", 1), ("l3", 1), ("l4", 1)]


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


def test_many_candidates_are_looked_at_where_all_are_alike() -> None:
    lines = [f"x{number}: root{number} other{number}" for number in range(200)]
    assert [gain for _, gain in islice(_steps(draw(*lines, *_rows(3, "pair1 pair2", "z")), first=2), 2)] == [0, 3]
