"""The dependency graph and what follows from it: who waits, what clears, how deep."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reach_mcp.analysis.blockers import count_direct, find_frees, rank
from reach_mcp.analysis.chains import describe_chains
from reach_mcp.analysis.cycles import StuckGraph
from reach_mcp.analysis.graph import DependencyGraph, find_components
from reach_mcp.analysis.plan import plan
from reach_mcp.analysis.simulation import Arrival, Clearance
from reach_mcp.analysis.stop import STEPS, AnalysisStopped
from reach_mcp.analysis.upload_order import find_upload_order
from reach_mcp.analysis.waiting import BLOCK_ROWS, count_waiting
from tests.analysis.graphs import draw, graph_of, ids, key, keys, names
from tests.builders import batch, pending


#   a --> b --> c      a2 (another row of a) --> d
def test_a_key_has_rows_and_is_listed_by_rows() -> None:
    graph = draw("a: b", "b: c", "a: d", "x: a")
    assert list(graph.rows_of(key(graph, "a"))) == [0, 2]
    assert list(graph.rows_of(key(graph, "x"))) == [3]
    assert list(graph.rows_of(key(graph, "c"))) == []
    assert list(graph.waits_on(key(graph, "a"))) == [3]
    assert list(graph.waits_on(key(graph, "x"))) == []
    assert names(graph, sorted(graph.links)) == names(graph, sorted(keys(graph, "a b")))


def test_components_come_after_those_they_lead_to() -> None:
    found = find_components({1: [2, 9], 2: [3, 1], 3: [4], 4: [3], 5: [5]})
    assert [sorted(group) for group in found] == [[3, 4], [1, 2], [5]]


def test_a_very_long_cycle_is_one_component() -> None:
    size = 20_000
    assert [len(group) for group in find_components({node: [(node + 1) % size] for node in range(size)})] == [size]


def test_rows_that_list_the_same_are_counted_across_blocks() -> None:
    rows = BLOCK_ROWS * 2 + 3
    graph = draw("link: root", *("x: link" for _ in range(rows)))
    assert count_waiting(graph).counts == {key(graph, "root"): rows + 1, key(graph, "link"): rows}


def test_what_several_rows_of_one_record_free_is_counted_for_each_of_their_roots() -> None:
    graph = draw("k: a", "k: b", "k: c d", "x: k", "y: x", "z: k e")
    assert find_frees(graph) == dict(zip(keys(graph, "a b c d e"), (3, 3, 0, 0, 0), strict=True))
    selection = bytearray([1, 0, 1, 0, 1, 1])
    assert find_frees(graph, keys(graph, "a b"), selection) == dict(zip(keys(graph, "a b"), (2, 1), strict=True))


def test_what_several_roots_free_through_the_same_records_is_counted_once() -> None:
    size = 300
    lines = [f"{link}: m{number}" for number in range(size) for link in ("k0", "j")]
    graph = draw(*lines, *(f"k{number + 1}: k{number}" for number in range(size)))
    checks: list[None] = []
    frees = find_frees(graph, checkpoint=lambda: checks.append(None))
    assert set(frees.values()) == {size + 2}
    assert len(checks) < 2 * size


def test_blockers_are_ranked_by_waiting_direct_expiry_and_key() -> None:
    rows = [
        pending("s:a1", "s:late", expires=9.0),
        pending("s:a2", "s:soon", expires=1.0),
        pending("s:a3", "s:Late", expires=9.0),
        pending("s:a4", "s:deep"),
        pending("s:a5", "s:a4"),
        pending("s:a6", "s:wide"),
        pending("s:a7", "s:wide"),
    ]
    graph = graph_of([batch("b1", *rows)])
    waiting = count_waiting(graph)
    assert names(graph, [root.key for root in rank(graph, waiting)]) == "wide deep soon Late late"
    assert rank(graph, waiting, order="frees") == rank(graph, waiting)
    assert names(graph, [root.key for root in rank(graph, waiting, order="expiry")]) == "soon wide deep Late late"
    frees = {root: number for number, root in enumerate(graph.roots)}
    by_frees = rank(graph, waiting, order="frees", frees=frees)
    assert [root.key for root in by_frees] == graph.roots[::-1]
    assert count_direct(graph, key(graph, "wide"), bytearray([0, 0, 0, 0, 0, 1, 0])) == 1


def test_rows_that_list_nothing_clear_by_themselves_and_hold_nobody() -> None:
    graph = draw("nothing:", "behind: nothing", "both: nothing root", "late: both")
    clearance = Clearance(graph)
    assert graph.lists_nothing == [0]
    assert sorted(clearance.by_itself) == [0, 1]
    assert clearance.rounds == [[2], [3]]
    assert clearance.stuck == []
    assert find_frees(graph) == {key(graph, "root"): 2}


def test_arrivals_clear_round_by_round_and_can_be_taken_back() -> None:
    graph = draw("a: b", "b: c", "b: d", "x: a d")
    arrival = Arrival(graph)
    before = (list(arrival.remaining), bytes(arrival.arrived))
    assert arrival.send(keys(graph, "c c")) == [[1], [0]]
    assert arrival.send(keys(graph, "c")) == []
    assert arrival.send(keys(graph, "d")) == [[2, 3]]
    arrival.undo()
    assert arrival.send(keys(graph, "d")) == [[2, 3]]
    again = Arrival(graph)
    again.send(keys(graph, "c d"))
    again.undo()
    assert (again.remaining, bytes(again.arrived)) == before


def test_chains_are_counted_by_depth_and_one_longest_is_traced() -> None:
    graph = draw("a: b x", "b: c", "c: root", "d: root", "stuck: stuck", "e: free", "free:")
    chains = describe_chains(graph, Clearance(graph))
    assert chains.by_depth == ((1, 2), (2, 1), (3, 1))
    assert (ids(chains.longest), chains.longest_steps) == ("a b c root", 3)


def test_chains_of_selected_rows_only() -> None:
    graph = draw("a: b", "b: root", "c: root")
    chains = describe_chains(graph, Clearance(graph), bytearray([0, 0, 1]))
    assert (chains.by_depth, ids(chains.longest)) == (((1, 1),), "c root")


def test_a_chain_can_end_at_a_row_that_lists_nothing() -> None:
    graph = draw("a: b root", "b: c", "c:")
    assert ids(describe_chains(graph, Clearance(graph)).longest) in ("a root", "a b c")
    assert describe_chains(draw("a:"), Clearance(draw("a:"))).longest == ()


def test_schemas_are_uploaded_before_those_that_refer_to_them() -> None:
    rows = [
        pending("transactions:t1", "orders:o1", "customers:c1", "customers:c2"),
        pending("transactions:t2", "customers:c1"),
        pending("orders:o1", "customers:c1", "orders:o2"),
        pending("locations:l1", "regions:r1"),
        pending("regions:r1", "locations:l2"),
    ]
    order = find_upload_order(graph_of([batch("b1", *rows)]))
    assert order.schemas == (("customers",), ("locations", "regions"), ("orders",), ("transactions",))
    assert order.references[0] == ("transactions", "customers", 2)
    assert ("orders", "orders", 1) not in order.references
    assert len(order.references) == 5


LONG = [f"k{number}: k{number + 1} m{number}" for number in range(STEPS + 1)]
ROUND = [*(f"k{number}: k{number + 1}" for number in range(STEPS + 1)), f"k{STEPS + 1}: k0"]


@pytest.mark.parametrize(
    "work",
    [
        lambda graph, stop: DependencyGraph(graph.snapshot, graph.now, checkpoint=stop),
        lambda graph, stop: count_waiting(graph, checkpoint=stop),
        lambda graph, stop: find_frees(graph, checkpoint=stop),
        lambda graph, stop: Clearance(graph, checkpoint=stop),
        lambda graph, stop: next(plan(graph, rank(graph, count_waiting(graph)), checkpoint=stop)),
        lambda graph, stop: next(plan(graph, rank(graph, count_waiting(graph)), order="expiry", checkpoint=stop)),
    ],
)
def test_the_checkpoint_ends_long_work(work: Callable[[DependencyGraph, Callable[[], None]], object]) -> None:
    with pytest.raises(AnalysisStopped):
        work(draw(*LONG), _stop)


def test_the_checkpoint_ends_a_search_for_cycles() -> None:
    graph = draw(*ROUND)
    with pytest.raises(AnalysisStopped):
        StuckGraph(graph, Clearance(graph), checkpoint=_stop)


def test_the_checkpoint_ends_a_plan_that_is_read_on() -> None:
    graph = draw("x: " + " ".join(f"m{number}" for number in range(2 * STEPS)), "y: m0", "z: m1")
    checks = [lambda: None]
    steps = plan(graph, rank(graph, count_waiting(graph)), first=0, checkpoint=lambda: checks[-1]())
    next(steps)
    checks.append(_stop)
    with pytest.raises(AnalysisStopped):
        list(steps)


def _stop() -> None:
    raise AnalysisStopped
