"""What to send, in which order, in which waves."""

from __future__ import annotations

from math import inf

from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.plan import Plan, Wave, build_plan
from tests.analysis.graphs import MOMENT, build_graph, count_steps, name, read
from tests.builders import batch, pending


def steps(graph: DependencyGraph) -> list[list[tuple[str, int]]]:
    """Each wave's keys in order, with what each frees."""
    return [[(name(graph, step.key), step.adds) for step in wave.steps] for wave in build_plan(graph, steps=9).waves]


def test_most_freed_comes_first() -> None:
    """[c/1] <- t/1;  [c/2] <- t/2, t/3: whoever has time for one upload sends c/2."""
    graph = build_graph(pending("t/1", "c/1"), pending("t/2", "c/2"), pending("t/3", "c/2"))

    assert steps(graph) == [[("c/2", 2), ("c/1", 1)]]


def test_equal_steps_stand_by_direct_then_by_key() -> None:
    """c/1 and c/2 free one each; more rows list c/2, so it is nearer to freeing more."""
    graph = build_graph(pending("t/1", "c/1"), pending("t/2", "c/2"), pending("t/3", "c/2", "c/3"))

    assert steps(graph) == [[("c/2", 1), ("c/1", 1), ("c/3", 1)]]


def test_step_counts_what_it_frees_after_those_before() -> None:
    """t/1 -> [c/1], [c/2]: the first of them frees nothing, the second frees it."""
    graph = build_graph(pending("t/1", "c/1", "c/2"))

    assert steps(graph) == [[("c/1", 0), ("c/2", 1)]]


def test_gain_of_a_key_is_looked_at_again_once_another_was_sent() -> None:
    r"""
    [c/1] <- t/1..t/3,  [c/2] <- t/4, t/5,  [c/3] <- t/6 and, with c/1, t/7..t/9
    Before c/1 is sent c/3 frees one, after it four: more than c/2.
    """
    graph = build_graph(
        *[pending(f"t/{place}", "c/1") for place in (1, 2, 3)],
        *[pending(f"t/{place}", "c/2") for place in (4, 5)],
        pending("t/6", "c/3"),
        *[pending(f"t/{place}", "c/1", "c/3") for place in (7, 8, 9)],
    )

    assert steps(graph) == [[("c/1", 3), ("c/3", 4), ("c/2", 2)]]


def test_later_wave_refers_to_an_earlier_one() -> None:
    """Orders refer to customers, as t/2 -> o/1 -> [c/1] shows: the order [o/2] would wait itself without them."""
    graph = read(
        batch("b1", pending("t/1", "o/2", expires=5.0), pending("t/2", "o/1", expires=2.0)),
        batch("b2", pending("o/1", "c/1", expires=3.0)),
    )
    plan = build_plan(graph, steps=9)

    assert steps(graph) == [[("c/1", 2)], [("o/2", 1)]]
    assert plan == Plan(
        waves=(
            Wave(
                1,
                {"c": 1},
                plan.waves[0].steps,
                first=0,
                keys=1,
                adds=2,
                total=2,
                batches=1,
                earliest=MOMENT + 2 * 3600,
            ),
            Wave(
                2,
                {"o": 1},
                plan.waves[1].steps,
                first=0,
                keys=1,
                adds=1,
                total=3,
                batches=2,
                earliest=MOMENT + 5 * 3600,
            ),
        ),
        unfreed=0,
    )


def test_schemas_that_refer_to_one_another_share_a_wave() -> None:
    """a/1 -> [b/9], b/1 -> [a/9]: neither can come first."""
    graph = build_graph(pending("a/1", "b/9"), pending("b/1", "a/9"), pending("t/1", "a/9"))

    assert steps(graph) == [[("a/9", 2), ("b/9", 1)]]
    assert build_plan(graph, steps=9).waves[0].schemas == {"a": 1, "b": 1}


def test_schema_that_refers_to_itself_is_no_circle_of_schemas() -> None:
    """c/2 -> [c/1] and o/1 -> c/2: customers may have parents, orders come after them all the same."""
    graph = build_graph(pending("c/2", "c/1"), pending("o/1", "c/2"), pending("t/1", "o/9"))

    assert steps(graph) == [[("c/1", 2)], [("o/9", 1)]]


def test_wave_counts_its_schemas_most_first() -> None:
    """By the names that people use, where two definitions share one too."""
    graph = build_graph(
        pending("t/1", "z/1", "b/1", "a/1", names=False),
        pending("t/2", "z/2") | {"schemaName": "t"},
    )

    assert list(build_plan(graph, steps=0).waves[0].schemas.items()) == [("z", 2), ("sd_a", 1), ("sd_b", 1)]


def test_keys_beyond_the_steps_are_sent_with_their_wave() -> None:
    """The wave's numbers are of all its keys, shown or not."""
    graph = build_graph(*[pending(f"t/{place}", f"c/{place}") for place in range(5)])
    (wave,) = build_plan(graph, steps=2).waves

    assert ([name(graph, step.key) for step in wave.steps], wave.keys, wave.adds) == (["c/0", "c/1"], 5, 5)


def test_what_waits_for_nobody_is_not_freed_by_the_plan() -> None:
    """o/1 lists nothing, so t/1 -> o/1 clears whatever is sent; no step may take the credit."""
    graph = build_graph(pending("o/1"), pending("t/1", "o/1"), pending("t/2", "c/1", expires="soon"))
    plan = build_plan(graph, steps=9)

    assert steps(graph) == [[("c/1", 1)]]
    assert (plan.waves[0].total, plan.waves[0].earliest, plan.unfreed) == (1, inf, 0)


def test_circles_are_left_over() -> None:
    """What is stuck is no part of any wave, and is counted."""
    graph = read(batch("b1", pending("c/1", "c/1"), pending("t/1", "c/1", "l/1")), batch("b2", pending("t/2", "l/1")))
    plan = build_plan(graph, steps=9)

    assert (steps(graph), plan.waves[0].batches, plan.unfreed) == ([[("l/1", 1)]], 1, 2)
    assert build_plan(build_graph(pending("c/1", "c/1")), steps=9) == Plan((), 1)


def test_cost_grows_with_the_keys() -> None:
    """Each key is looked at once, not once for each that is sent before it."""

    def cost(width: int) -> int:
        graph = build_graph(*[pending(f"t/{place}", f"c/{place}", f"c/{place + 1}") for place in range(width)])
        return count_steps(lambda: build_plan(graph, steps=20))

    assert cost(2_000) < 2.2 * cost(1_000)
