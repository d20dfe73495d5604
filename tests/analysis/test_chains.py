"""Chains down to root blockers, and circles that never clear."""

from __future__ import annotations

from math import inf

import pytest

from reach_mcp.analysis.chains import CIRCLES, Circle, deepest_chains, find_structure, trace_chain
from reach_mcp.analysis.graph import DependencyGraph
from tests.analysis.graphs import MOMENT, build_graph, count_steps, names, number, row_names
from tests.builders import Json, pending


def chain(graph: DependencyGraph, key: str) -> tuple[list[str], int]:
    """The chain of the first row of a key, and its depth."""
    found = trace_chain(graph, find_structure(graph), graph.bearers(number(graph, key))[0])
    return names(graph, found.keys), found.depth


def deepest(graph: DependencyGraph, count: int = 3) -> list[list[str]]:
    return [names(graph, found.keys) for found in deepest_chains(graph, find_structure(graph), count)]


def circles(graph: DependencyGraph) -> list[tuple[list[str], int, int]]:
    """The path around each circle, with rows in it and behind it."""
    return [(names(graph, one.path), one.rows, one.behind) for one in find_structure(graph).circles]


def test_chain_follows_the_dependency_that_arrives_last() -> None:
    r"""
    t/1 -> o/1 -> c/1 -> [l/1]
       \-> [l/2]
    Who sends l/2 alone waits on; the chain shows what really takes long.
    """
    graph = build_graph(pending("t/1", "l/2", "o/1"), pending("o/1", "c/1"), pending("c/1", "l/1"))

    assert chain(graph, "t/1") == (["t/1", "o/1", "c/1", "l/1"], 3)
    assert chain(graph, "c/1") == (["c/1", "l/1"], 1)
    assert find_structure(graph).depths == {1: 1, 2: 1, 3: 1}


def test_chain_takes_the_least_of_what_arrives_together() -> None:
    """t/1 -> [c/1], [c/2]: by identity, so that two answers name the same one."""
    assert chain(build_graph(pending("t/1", "c/2", "c/1")), "t/1") == (["t/1", "c/1"], 1)


def test_chain_goes_through_the_row_of_a_key_that_clears_first() -> None:
    r"""
    t/1 -> o/1 -> [c/1]
           o/1 -> o/2 -> [c/2]    (o/1 waits in two batches)
    A key has arrived as soon as one of its rows clears.
    """
    graph = build_graph(
        pending("t/1", "o/1"),
        pending("o/1", "o/2", id="slow"),
        pending("o/1", "c/1", id="quick"),
        pending("o/2", "c/2"),
    )

    assert chain(graph, "t/1") == (["t/1", "o/1", "c/1"], 2)
    assert chain(graph, "o/1") == (["o/1", "o/2", "c/2"], 2)


def test_chain_may_go_past_a_row_that_is_stuck() -> None:
    """o/1 waits for itself in one batch and for c/1 in another: it does arrive."""
    graph = build_graph(pending("t/1", "o/1"), pending("o/1", "o/1", id="stuck"), pending("o/1", "c/1", id="free"))

    assert chain(graph, "t/1") == (["t/1", "o/1", "c/1"], 2)
    assert not len(find_structure(graph).stuck)


def test_chain_to_a_row_that_lists_nothing_has_no_root() -> None:
    """t/1 -> o/1, which misses nothing: Reach will clear it by itself."""
    graph = build_graph(pending("t/1", "o/1"), pending("o/1"))

    assert chain(graph, "t/1") == (["t/1", "o/1"], 2)
    assert deepest(graph) == [["t/1", "o/1"]]


def test_deepest_chains_are_one_for_each_root() -> None:
    """t/1 and t/2 -> o/1 -> [c/1] say the same; t/3 -> o/2 -> [c/2] says more; t/4 -> [c/3] is no chain."""
    graph = build_graph(
        pending("t/4", "c/3"),
        pending("t/3", "o/2"),
        pending("t/2", "o/1"),
        pending("t/1", "o/1"),
        pending("o/1", "c/1"),
        pending("o/2", "c/2"),
    )

    assert deepest(graph) == [["t/1", "o/1", "c/1"], ["t/3", "o/2", "c/2"]]
    assert deepest(graph, 1) == [["t/1", "o/1", "c/1"]]


def test_deepest_chains_of_a_resource_that_waits_twice_have_one_order() -> None:
    """t/1 waits in two batches, for o/1 and for o/2: the order of pages must not choose which is told first."""
    rows = [
        pending("t/1", "o/2", id="second"),
        pending("t/1", "o/1", id="first"),
        pending("o/1", "c/1"),
        pending("o/2", "c/2"),
    ]

    assert deepest(build_graph(*rows)) == [["t/1", "o/1", "c/1"], ["t/1", "o/2", "c/2"]]
    assert deepest(build_graph(*reversed(rows))) == deepest(build_graph(*rows))


def test_circle_is_walked_once_around_from_its_least_member() -> None:
    """t/1 -> c/2 -> c/3 -> c/1 -> c/2: three rows in it, one behind it, all of them stuck."""
    graph = build_graph(
        pending("t/1", "c/2", expires=1.0), pending("c/2", "c/3"), pending("c/3", "c/1"), pending("c/1", "c/2")
    )
    members = tuple(number(graph, key) for key in ("c/1", "c/2", "c/3"))

    assert find_structure(graph).circles == (
        Circle(members=members, path=members, rows=3, behind=1, earliest=MOMENT + 3600),
    )
    assert row_names(graph, find_structure(graph).stuck) == ["c/1", "c/2", "c/3", "t/1"]
    assert find_structure(graph).depths == {}


def test_row_that_waits_for_itself_is_a_circle_of_one() -> None:
    """A record that refers to itself never clears, however harmless it looks."""
    graph = build_graph(pending("c/1", "c/1", expires="soon"), pending("t/1", "c/1", expires="soon"))

    assert circles(graph) == [(["c/1"], 1, 1)]
    assert find_structure(graph).circles[0].earliest == inf


def test_path_leaves_out_members_that_it_does_not_need() -> None:
    r"""
    c/1 -> c/2 -> c/1
               \-> c/3 -> c/2
    Three members in one group; the path walks around once, by the least way.
    """
    graph = build_graph(pending("c/1", "c/2"), pending("c/2", "c/3", "c/1"), pending("c/3", "c/2"))

    assert circles(graph) == [(["c/1", "c/2"], 3, 0)]
    assert names(graph, find_structure(graph).circles[0].members) == ["c/1", "c/2", "c/3"]


def test_path_may_not_pass_the_least_member() -> None:
    r"""
    c/0 -> c/2 -> c/1 -> c/2,  c/1 -> c/3 -> c/0
    The walk starts at c/0 and ends in the smaller round: what is told is a round all the same.
    """
    graph = build_graph(
        pending("c/0", "c/2"), pending("c/2", "c/1"), pending("c/1", "c/2", "c/3"), pending("c/3", "c/0")
    )

    assert circles(graph) == [(["c/1", "c/2"], 4, 0)]


def test_circles_stand_by_how_much_is_stuck_behind_them() -> None:
    """a/1 <-> a/2 with one behind, b/1 <-> b/2 with two, d/1 by itself, e/1 by itself."""
    graph = build_graph(
        pending("e/1", "e/1"),
        pending("d/1", "d/1"),
        pending("a/1", "a/2"),
        pending("a/2", "a/1"),
        pending("b/1", "b/2"),
        pending("b/2", "b/1"),
        pending("t/1", "a/1"),
        pending("t/2", "b/1"),
        pending("t/3", "t/2"),
    )

    assert circles(graph) == [
        (["b/1", "b/2"], 2, 2),
        (["a/1", "a/2"], 2, 1),
        (["d/1"], 1, 0),
        (["e/1"], 1, 0),
    ]


def test_circle_with_a_way_out_is_none() -> None:
    """c/1 <-> c/2, but c/2 waits in another batch for [l/1] alone: when that arrives all of them clear."""
    graph = build_graph(pending("c/1", "c/2"), pending("c/2", "c/1", id="in"), pending("c/2", "l/1", id="out"))

    assert circles(graph) == []
    assert find_structure(graph).depths == {1: 1, 2: 1, 3: 1}


def test_row_behind_a_circle_and_a_root_is_stuck() -> None:
    """t/1 -> c/1 (a circle of one), [l/1]: sending l/1 does not help."""
    graph = build_graph(pending("t/1", "c/1", "l/1"), pending("c/1", "c/1"))

    assert row_names(graph, find_structure(graph).stuck) == ["c/1", "t/1"]


def chain_rows(length: int) -> list[Json]:
    return [pending(f"t/{place}", f"t/{place + 1}") for place in range(length)]


def circle_rows(length: int) -> list[Json]:
    return [pending(f"t/{place}", f"t/{(place + 1) % length}") for place in range(length)]


@pytest.mark.parametrize("rows", [chain_rows, circle_rows])
def test_cost_grows_with_the_length(rows: object) -> None:
    """A chain of a whole backfill is traced once, not once for each of its rows."""
    assert callable(rows)

    def cost(graph: DependencyGraph) -> int:
        return count_steps(lambda: deepest_chains(graph, find_structure(graph), 3))

    assert cost(build_graph(*rows(2_000))) < 2.2 * cost(build_graph(*rows(1_000)))


def test_first_circles_are_looked_at_and_all_are_counted() -> None:
    """t/0 waits for itself; t/1 for itself and for t/0; and so on: thirty circles, each behind the ones before."""
    rows = [pending(f"t/{place}", f"t/{place}", f"t/{max(place - 1, 0)}") for place in range(30)]
    found = find_structure(build_graph(*rows))

    assert [circle.behind for circle in found.circles] == list(range(29, 29 - CIRCLES, -1))
    assert len(found.groups) == 30
