"""What clears as keys arrive, one sending after another."""

from __future__ import annotations

from collections.abc import Sequence

from reach_mcp.analysis.arrival import Arrival, Rows
from reach_mcp.analysis.graph import DependencyGraph
from tests.analysis.graphs import build_graph, names, number, row_names
from tests.builders import pending

# t/1 -> o/1 -> [c/1];  t/2 -> o/1, [c/2];  t/3 lists nothing, t/4 -> t/3, [c/3]
GRAPH = build_graph(
    pending("t/1", "o/1"),
    pending("o/1", "c/1"),
    pending("t/2", "o/1", "c/2"),
    pending("t/3"),
    pending("t/4", "t/3", "c/3"),
)


def rounds(graph: DependencyGraph, found: Sequence[Rows]) -> list[list[str]]:
    return [row_names(graph, map(int, cleared)) for cleared in found]


def gains(graph: DependencyGraph, arrival: Arrival) -> dict[str, int]:
    return {name: arrival.gain(key) for name, key in zip(names(graph, graph.roots), graph.roots, strict=True)}


def test_rows_clear_in_turn_as_keys_arrive() -> None:
    """What lists nothing clears at the start; a key that has arrived arrives no second time."""
    arrival = Arrival(GRAPH)
    c1, c2, c3 = (number(GRAPH, key) for key in ("c/1", "c/2", "c/3"))

    assert rounds(GRAPH, arrival.first_rounds) == [["t/3"]]
    assert rounds(GRAPH, arrival.send([c1])) == [["o/1"], ["t/1"]]
    assert rounds(GRAPH, arrival.send([c1])) == []
    assert rounds(GRAPH, arrival.send([c3, c2])) == [["t/2", "t/4"]]
    assert list(arrival.left) == [0] * 5
    assert [arrival.round_of[number(GRAPH, key)] for key in ("c/1", "o/1", "t/1", "t/3")] == [0, 1, 2, 1]


def test_keys_sent_at_the_start_arrive_with_what_lists_nothing() -> None:
    """One count of rounds for all, so that depths can be compared."""
    assert rounds(GRAPH, Arrival(GRAPH, sent=GRAPH.roots).first_rounds) == [["o/1", "t/3"], ["t/1", "t/2", "t/4"]]
    assert Arrival(build_graph()).first_rounds == []


def test_gain_is_what_sending_would_clear_and_changes_nothing() -> None:
    """Asked a thousand times for a plan, it must leave the state as it was."""
    arrival = Arrival(GRAPH)
    left, round_of = arrival.left.tolist(), arrival.round_of.tolist()

    assert gains(GRAPH, arrival) == {"c/1": 2, "c/2": 0, "c/3": 1}
    assert (arrival.left.tolist(), arrival.round_of.tolist()) == (left, round_of)
    arrival.send([number(GRAPH, "c/1")])
    assert gains(GRAPH, arrival) == {"c/1": 0, "c/2": 1, "c/3": 1}


def test_gain_counts_a_resource_that_waits_twice_once_it_has_arrived() -> None:
    """o/1 waits in two batches: the second to clear brings nobody further."""
    graph = build_graph(pending("t/1", "o/1"), pending("o/1", "c/1", id="a"), pending("o/1", "c/2", id="b"))
    arrival = Arrival(graph)

    assert gains(graph, arrival) == {"c/1": 2, "c/2": 2}
    arrival.send([number(graph, "c/1")])
    assert gains(graph, arrival) == {"c/1": 0, "c/2": 1}


def test_sending_outdates_the_gains_of_what_lies_below_the_same_rows() -> None:
    """c/2's gain grew by c/1, c/3's did not; beyond a bound the answer is that all may have."""
    arrival = Arrival(GRAPH)
    sent = number(GRAPH, "c/1")
    cleared = [row for some in arrival.send([sent]) for row in some]

    assert names(GRAPH, arrival.find_outdated(sent, cleared, most=9) or ()) == ["c/2"]
    assert arrival.find_outdated(sent, cleared, most=0) is None


def test_sending_outdates_the_gains_below_other_rows_of_what_arrived() -> None:
    """t/1 -> o/1 twice, -> [c/1] and -> p/1 -> [c/2]: c/2 freed t/1 before, now it frees one row less."""
    graph = build_graph(
        pending("t/1", "o/1"), pending("o/1", "c/1", id="a"), pending("o/1", "p/1", id="b"), pending("p/1", "c/2")
    )
    arrival = Arrival(graph)
    sent = number(graph, "c/1")

    assert gains(graph, arrival) == {"c/1": 2, "c/2": 3}
    cleared = [row for some in arrival.send([sent]) for row in some]
    assert names(graph, arrival.find_outdated(sent, cleared, most=9) or ()) == ["c/2"]
    assert gains(graph, arrival) == {"c/1": 0, "c/2": 2}
