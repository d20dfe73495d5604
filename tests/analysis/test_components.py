"""Groups of nodes that lead to one another."""

from __future__ import annotations

from reach_mcp.analysis.components import find_components
from tests.analysis.graphs import count_steps


def test_nodes_that_lead_to_one_another_are_a_group() -> None:
    r"""
    0 -> 1 -> 2 -> 3
         ^----/    ^ 4
    Each group comes after all that it leads to, so that one pass over them can build on what lies below.
    """
    groups = find_components({0: [1], 1: [2], 2: [1, 3], 3: [], 4: [3]})

    assert list(map(sorted, groups)) == [[3], [1, 2], [0], [4]]


def test_node_that_leads_to_itself_is_a_group_of_one() -> None:
    """Like any other single node: whoever asks for circles looks at its ways."""
    assert find_components({0: [0], 1: [0, 1]}) == [[0], [1]]


def test_two_circles_that_share_a_node_are_one_group() -> None:
    """0 <-> 1 <-> 2: whatever breaks only one of them leaves the other."""
    assert list(map(sorted, find_components({0: [1], 1: [0, 2], 2: [1]}))) == [[0, 1, 2]]


def test_circles_in_a_row_stay_apart() -> None:
    """0 <-> 1 -> 2 <-> 3: what waits for a circle is not in it."""
    assert list(map(sorted, find_components({0: [1], 1: [0, 2], 2: [3], 3: [2]}))) == [[2, 3], [0, 1]]


def test_way_to_a_group_that_is_closed_joins_nothing() -> None:
    """2 -> 1 with 1 told already: it is below, not beside."""
    assert find_components({0: [1], 1: [], 2: [1, 0]}) == [[1], [0], [2]]


def test_nothing_has_no_groups() -> None:
    """An empty graph asks too."""
    assert find_components({}) == []


def test_long_ways_are_walked_in_linear_time() -> None:
    """A chain or a circle of a whole backfill is longer than Python's own stack is deep."""

    def chain(length: int) -> int:
        return count_steps(lambda: find_components({node: [node + 1] for node in range(length)} | {length: []}))

    def circle(length: int) -> int:
        return count_steps(lambda: find_components({node: [(node + 1) % length] for node in range(length)}))

    assert chain(8_000) < 2.1 * chain(4_000)
    assert circle(8_000) < 2.1 * circle(4_000)
    assert [len(group) for group in find_components({node: [(node + 1) % 100_000] for node in range(100_000)})] == [
        100_000
    ]
