"""What holds rows up, most rows first."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from reach_mcp.analysis.blockers import Blocker, bound_waiting, rank_blockers
from reach_mcp.analysis.graph import DependencyGraph
from tests.analysis.graphs import MOMENT, build_graph, count_steps, name, names, number, read
from tests.builders import Json, batch, pending


def ranking(graph: DependencyGraph) -> list[str]:
    return [name(graph, blocker.key) for blocker in rank_blockers(graph, count=1_000)]


def test_circle_has_no_root_blocker() -> None:
    """Two resources that wait for each other miss nothing, so nothing that is sent can free them."""
    assert ranking(build_graph(pending("a/1", "b/1"), pending("b/1", "a/1"))) == []


def test_row_counts_once_however_many_ways_lead_to_it() -> None:
    r"""
    t/1 -> o/1 -> [c/1]
       \-> o/2 ---/
    Three rows wait, not four; two of them list it.
    """
    graph = read(
        batch("b1", pending("t/1", "o/1", "o/2", expires=2.0)),
        batch("b2", pending("o/1", "c/1", expires=1.0), pending("o/2", "c/1", expires=3.0)),
    )

    assert rank_blockers(graph, count=10) == [
        Blocker(key=number(graph, "c/1"), waiting=3, direct=2, frees=3, batches=2, earliest=MOMENT + 3600)
    ]


def test_what_waits_for_two_is_freed_by_neither() -> None:
    """It waits for both, so both bear it; only together do they free it."""
    graph = build_graph(pending("t/1", "c/1", "c/2"), pending("t/2", "c/1"))

    assert [(name(graph, one.key), one.waiting, one.frees) for one in rank_blockers(graph, count=10)] == [
        ("c/1", 2, 1),
        ("c/2", 1, 0),
    ]


def test_row_that_lists_nothing_waits_for_nobody() -> None:
    """Nothing holds it up, so no blocker is said to free it, or what hangs on it alone."""
    graph = build_graph(pending("o/1"), pending("t/1", "o/1"), pending("t/2", "o/1", "c/1"))

    assert [(name(graph, one.key), one.waiting, one.frees) for one in rank_blockers(graph, count=10)] == [("c/1", 1, 1)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(
            [pending("t/1", "c/1"), pending("t/2", "o/1"), pending("o/1", "c/2")],
            ["c/2", "c/1"],
            id="by how many wait",
        ),
        pytest.param(
            [
                pending("t/1", "c/1"),
                pending("t/2", "c/1"),
                pending("t/3", "o/1", expires=0.1),
                pending("o/1", "c/0", expires=0.1),
            ],
            ["c/1", "c/0"],
            id="then by how many list it",
        ),
        pytest.param(
            [pending("t/1", "c/1", expires="soon"), pending("t/2", "c/2", expires=2.0), pending("t/3", "c/3")],
            ["c/2", "c/3", "c/1"],
            id="then by what expires first, unknown last",
        ),
        pytest.param(
            [pending("t/1", "c/2"), pending("t/2", "c/10"), pending("t/3", "b/3")],
            ["b/3", "c/10", "c/2"],
            id="then by identity",
        ),
    ],
)
def test_ranking_has_one_order(rows: list[Json], expected: list[str]) -> None:
    """Without ties left the same rows give the same list on every replica, in whichever order they came."""
    assert ranking(build_graph(*rows)) == expected
    assert ranking(build_graph(*reversed(rows))) == expected


def test_pages_are_cut_from_one_ranking() -> None:
    """Nine blockers that tie in everything but their keys, three a page, none twice."""
    graph = build_graph(*[pending(f"t/{place}", f"c/{place}") for place in range(9)])
    pages = [[name(graph, one.key) for one in rank_blockers(graph, count=3, first=first)] for first in range(0, 12, 3)]

    assert pages == [["c/0", "c/1", "c/2"], ["c/3", "c/4", "c/5"], ["c/6", "c/7", "c/8"], []]


def test_bounds_are_exact_without_ways_that_meet() -> None:
    """t/1 -> o/1 -> [c/1] <- o/2: that's what real data looks like, and saves a walk for each blocker."""
    graph = build_graph(pending("t/1", "o/1"), pending("o/1", "c/1"), pending("o/2", "c/1"))
    bound, exact = bound_waiting(graph)

    assert [(bound[number(graph, key)], exact[number(graph, key)]) for key in ("c/1", "o/1")] == [(3, 1), (1, 1)]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([pending("t/1", "o/1", "o/2"), pending("o/1", "c/1"), pending("o/2", "c/1")], id="diamond"),
        pytest.param([pending("t/1", "o/1", "c/1"), pending("o/1", "c/1")], id="short cut"),
        pytest.param(
            [pending("t/1", "o/1"), pending("o/1", "c/1"), pending("o/1", "c/1", id="again")], id="waits twice"
        ),
        pytest.param([pending("o/1", "o/2"), pending("o/2", "o/1", "c/1")], id="circle"),
        pytest.param([pending("o/1", "o/1", "c/1"), pending("t/1", "o/1")], id="waits for itself"),
    ],
)
def test_bound_is_never_too_low_where_ways_meet(rows: list[Json]) -> None:
    """A bound too low would drop the greatest blocker off the top of the list."""
    graph = build_graph(*rows)
    bound, exact = bound_waiting(graph)
    blocker = number(graph, "c/1")

    assert bound[blocker] >= len(graph.waiting([blocker]))
    assert not exact[blocker] or bound[blocker] == len(graph.waiting([blocker]))
    assert [one.waiting for one in rank_blockers(graph, count=1)] == [len(graph.waiting([blocker]))]


def chain(length: int) -> list[Json]:
    return [pending(f"t/{upper}", f"t/{lower}") for upper, lower in pairwise(range(length + 1))]


def gather(width: int) -> list[Json]:
    return [pending("t/1", *[f"c/{place}" for place in range(width)])]


def hub(width: int) -> list[Json]:
    return [pending(f"t/{place}", "c/1") for place in range(width)]


def apart(width: int) -> list[Json]:
    return [pending(f"t/{place}", f"c/{place}") for place in range(width)]


@pytest.mark.parametrize("shape", [chain, gather, hub, apart])
def test_cost_grows_with_the_rows(shape: Callable[[int], list[Json]]) -> None:
    """Twice the rows, twice the work: whatever grows faster fails on the tenant that needs it most."""
    small, large = build_graph(*shape(1_000)), build_graph(*shape(2_000))

    def cost(graph: DependencyGraph) -> int:
        return count_steps(lambda: rank_blockers(graph, count=20))

    assert cost(large) < 2.2 * cost(small)


def test_thousand_missing_dependencies_rank_all() -> None:
    """A row that lists 1,000 keys is one row that waits, for each of them."""
    graph = build_graph(*gather(1_000))
    found = rank_blockers(graph, count=1_000)

    assert {(one.waiting, one.direct, one.frees) for one in found} == {(1, 1, 0)}
    assert names(graph, [one.key for one in found]) == sorted(f"c/{place}" for place in range(1_000))


def test_first_of_many_is_found_without_the_rest() -> None:
    """c/0 holds up four rows, c/1 three, and so on: whoever asks for one pays for no walk below the others."""
    graph = build_graph(*[pending(f"t/{place}-{row}", f"c/{place}") for place in range(4) for row in range(4 - place)])

    assert [(name(graph, one.key), one.waiting) for one in rank_blockers(graph, count=1)] == [("c/0", 4)]
    assert [(name(graph, one.key), one.waiting) for one in rank_blockers(graph, count=1, first=2)] == [("c/2", 2)]


def test_row_that_lists_two_links_below_one_blocker_counts_once() -> None:
    """o/1 -> c/3, c/x -> [c/2]: nothing waits for o/1, and yet it can be reached in two ways."""
    graph = build_graph(pending("c/3", "c/2"), pending("c/x", "c/2"), pending("o/1", "c/3", "c/x"))

    assert [blocker.waiting for blocker in rank_blockers(graph, count=1)] == [3]
