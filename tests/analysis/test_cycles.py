"""Cycles: all members, and the references to leave out."""

from __future__ import annotations

import pytest

from reach_mcp.analysis.cycles import StuckGraph, choose_references, describe_cycle, order_walk
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.results import Cycle
from reach_mcp.analysis.simulation import Clearance
from tests.analysis.graphs import draw, graph_of, ids, names
from tests.builders import NOW_SECONDS, batch, pending


def _stuck(graph: DependencyGraph) -> StuckGraph:
    return StuckGraph(graph, Clearance(graph))


def _describe(graph: DependencyGraph, **arguments: int) -> list[Cycle]:
    stuck = _stuck(graph)
    return [describe_cycle(graph, stuck, cycle, **arguments) for cycle in stuck.rank()]


def _left_out(cycle: Cycle) -> list[str]:
    return [f"{source.external_id}>{target.external_id}" for source, target in cycle.leave_out]


def test_a_cycle_is_walked_around_and_opens_at_one_reference() -> None:
    (cycle,) = _describe(draw("b: c", "a: b", "c: a root", "behind: a", "further: behind", "free: root"))
    assert ids(cycle.members.items) == "a b c"
    assert (cycle.rows, cycle.behind, cycle.missing, cycle.members.total) == (3, 2, 1, 3)
    assert len(cycle.leave_out) == 1


def test_a_record_can_wait_for_itself() -> None:
    (cycle,) = _describe(draw("a: a"))
    assert (ids(cycle.members.items), _left_out(cycle)) == ("a", ["a>a"])


def test_a_record_that_clears_by_another_row_is_in_no_cycle() -> None:
    assert _describe(draw("a: b", "b: a", "b: root")) == []


def test_a_cycle_shows_part_of_its_members_and_says_how_many_there_are() -> None:
    (cycle,) = _describe(draw("a: b", "b: c", "c: a"), members=2)
    assert (ids(cycle.members.items), cycle.members.total) == ("a b", 3)


def test_cycles_with_most_rows_come_first_and_others_rows_stand_behind() -> None:
    graph = draw("a: a", "x: y", "y: x", "z: x", "both: a x")
    assert [(names(graph, cycle.members), cycle.rows, cycle.behind) for cycle in _stuck(graph).rank()] == [
        ("x y", 2, 2),
        ("a", 1, 1),
    ]


def test_a_record_behind_three_cycles_stands_behind_all() -> None:
    graph = draw("a: a", "b: b", "c: c", "mid: b c", "x: a mid", "free: root")
    stuck = _stuck(graph)
    assert [names(graph, stuck.cycles[number]) for number in stuck.below([4])] == ["a", "b", "c"]
    assert stuck.below([5]) == []
    assert [names(graph, stuck.cycles[number]) for number in stuck.below([0])] == ["a"]


def test_a_filter_keeps_cycles_that_hold_selected_rows() -> None:
    graph = draw("a: a", "b: b", "x: b")
    (cycle,) = _stuck(graph).rank(bytearray([0, 0, 1]))
    assert (names(graph, cycle.members), cycle.rows, cycle.behind) == ("b", 0, 1)


def test_the_earliest_expiry_is_of_members_and_of_rows_behind() -> None:
    rows = [pending("s:a", "s:a", expires=5.0), pending("s:x", "s:a", expires=2.0), pending("s:b", "s:b", expires="?")]
    cycles = {ids(cycle.members.items): cycle for cycle in _describe(graph_of([batch("b1", *rows)]))}
    assert cycles["a"].earliest_expiry == NOW_SECONDS + 2 * 3600
    assert cycles["b"].earliest_expiry is None


@pytest.mark.parametrize(
    ("references", "walk"),
    [
        ({1: [3, 2], 2: [1], 3: [2]}, [1, 3, 2]),
        ({1: [2, 3], 2: [1], 3: [2]}, [1, 3, 2]),
        ({1: [2], 2: [1, 3], 3: [2]}, None),
    ],
)
def test_a_walk_around_is_found_where_there_is_one(references: dict[int, list[int]], walk: list[int] | None) -> None:
    assert order_walk(references) == walk


def test_a_search_for_a_walk_ends() -> None:
    size = 40
    references = {node: [other for other in range(size) if other != node] for node in range(size - 1)}
    references[size - 1] = [size - 1]
    assert order_walk(references) is None


def test_cycles_that_share_a_member_have_no_walk() -> None:
    (cycle,) = _describe(draw("hub: a b", "a: hub", "b: hub"))
    assert not cycle.one_walk
    assert ids(cycle.members.items) == "a b hub"


def test_long_cycles_and_long_two_way_chains_are_cheap_to_open() -> None:
    size = 3000
    assert len(choose_references({node: [(node + 1) % size] for node in range(size)})) == 1
    two_way = {node: [other for other in (node - 1, node + 1) if 0 <= other < size] for node in range(size)}
    assert len(choose_references(two_way)) == size - 1
