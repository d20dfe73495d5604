"""All that is said about one tenant's pending rows, and what the worst shapes cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from reach_mcp.analysis.blockers import rank_blockers
from reach_mcp.analysis.chains import deepest_chains, find_structure
from reach_mcp.analysis.evidence import EvidenceBuilder, Finding
from reach_mcp.analysis.expiry import sum_expiry
from reach_mcp.analysis.explanation import Disagreement, Explained, Explanation, Part, explain, find_disagreements
from reach_mcp.analysis.focus import focus_on_batch, focus_on_key
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.plan import Plan, build_plan
from tests.analysis.graphs import MOMENT, build_evidence, build_graph, count_steps, names, number, read
from tests.builders import Json, batch, pending


def test_explanation_puts_its_parts_together() -> None:
    """Two blockers, a chain, a circle, a counter that disagrees: each part is that of the whole graph."""
    graph = read(
        batch("b1", pending("t/1", "o/1"), pending("o/1", "c/1"), pending("t/2", "c/2"), pendingRecords=4),
        batch("b2", pending("c/9", "c/9", expires=-1.0)),
    )
    evidence = build_evidence(batch("b9", schema="c", failed={"1": (["bad"], ["A"])}), batch("b8"))
    blockers = rank_blockers(graph, count=2)
    structure = find_structure(graph)
    found = explain(graph, evidence, now=MOMENT, count=2)
    findings = evidence.about(graph, [blocker.key for blocker in blockers])

    assert [names(graph, [blocker.key]) for blocker in blockers] == [["c/1"], ["c/2"]]
    assert found.blockers == tuple(
        Explained(
            blocker=blocker,
            handle=found.blockers[place].handle,
            finding=findings[blocker.key],
            expired=0,
            next=graph.earliest(graph.waiting([blocker.key])),
            examples=(number(graph, listing),),
        )
        for place, (blocker, listing) in enumerate(zip(blockers, ("o/1", "t/2"), strict=True))
    )
    assert [one.finding.causes for one in found.blockers] == [("failed",), ("not_seen",)]
    assert (found.rows, found.batches, found.first, found.roots) == (4, 2, 0, 2)
    assert found.structure.circles == structure.circles
    assert found.chains == tuple(deepest_chains(graph, structure, 3))
    assert [replace(hour, held_by=()) for hour in found.expiry.hours] == list(sum_expiry(graph, MOMENT).hours)
    assert [dict(hour.held_by) for hour in found.expiry.hours] == [{number(graph, "c/1"): 2, number(graph, "c/2"): 1}]
    assert found.plan == build_plan(graph, steps=20)
    assert found.disagreements == (Disagreement("b1", 4, 3),)
    assert (found.evidence_batches, found.evidence_dropped) == (2, 0)


def test_a_part_alone_has_nothing_of_the_others() -> None:
    """Its page may begin far behind, where the others have nothing."""
    graph = build_graph(
        *[pending(f"t/{place}", f"c/{place}", expires=0.5) for place in range(4)],
        *[pending(f"s/{place}", f"s/{place}") for place in range(3)],
    )

    def part(name: Part) -> tuple[int, int, int, int]:
        found = explain(graph, EvidenceBuilder(), now=MOMENT, count=2, first=1, part=name)
        steps = sum(len(wave.steps) for wave in found.plan.waves)
        return len(found.blockers), steps, len(found.circles), sum(len(hour.held_by) for hour in found.expiry.hours)

    assert part("all") == (2, 2, 3, 3)
    assert part("blockers") == (2, 0, 3, 0)
    assert part("plan") == (0, 2, 3, 0)
    assert part("circles") == (0, 0, 2, 0)
    assert part("hours") == (0, 0, 3, 3)
    assert part("counters") == (0, 0, 3, 0)


def test_second_page_goes_on_where_the_first_ended() -> None:
    """The parts that are not paged stay the same."""
    graph = build_graph(*[pending(f"t/{place}", f"c/{place}") for place in range(5)])
    pages = [explain(graph, EvidenceBuilder(), now=MOMENT, count=2, first=first) for first in (0, 2, 4, 6)]

    assert [names(graph, [one.blocker.key for one in page.blockers]) for page in pages] == [
        ["c/0", "c/1"],
        ["c/2", "c/3"],
        ["c/4"],
        [],
    ]
    assert [page.first for page in pages] == [0, 2, 4, 6]
    assert [page.plan for page in pages] == [pages[0].plan] * 4


def test_no_blockers_are_worked_out_where_none_are_shown() -> None:
    """A focus or a what-if takes their place."""
    found = explain(build_graph(pending("t/1", "c/1")), EvidenceBuilder(), now=MOMENT, count=0, first=3)

    assert (found.blockers, found.plan, found.roots, found.rows) == ((), Plan((), 0), 1, 1)


def test_examples_are_the_least_three_of_those_that_list_it() -> None:
    """Each resource once, however often it waits."""
    rows = [pending(f"t/{place}", "c/1") for place in (4, 2, 3, 1)]
    graph = build_graph(*rows, pending("t/1", "c/1", id="again"))
    (only,) = explain(graph, EvidenceBuilder(), now=MOMENT, count=5).blockers

    assert names(graph, only.examples) == ["t/1", "t/2", "t/3"]
    assert only.finding == Finding()


def test_counter_and_rows_that_differ_are_both_told() -> None:
    """Neither is repaired: the counter may lag behind, rows may have expired. By batch id, whatever was read first."""
    graph = read(
        batch("b3", pending("t/1", "c/1"), pendingRecords=0),
        batch("b1", pendingRecords=7),
        batch("b2", pending("t/2", "c/1")),
    )

    assert list(find_disagreements(graph)) == [Disagreement("b1", 7, 0), Disagreement("b3", 0, 1)]


def test_batch_that_agrees_by_its_last_reading_does_not_differ() -> None:
    """It was read while it moved."""
    graph = read(batch("b1", pending("t/1", "c/1"), pendingRecords=9), batch("b1", pending("t/1", "c/1")))

    assert list(find_disagreements(graph)) == []


def chain(length: int) -> list[Json]:
    return [like_the_first(place, place + 1) for place in range(length)]


def circle(length: int) -> list[Json]:
    return [like_the_first(place, (place + 1) % length) for place in range(length)]


FIRST = pending("t/0", "t/1")


def like_the_first(upper: int, lower: int) -> Json:
    """`pending` of t/upper that lists t/lower, without writing its times anew 100,000 times."""
    missing = [FIRST["missingDependencies"][0] | {"externalId": str(lower)}]
    return FIRST | {"id": f"pr_{upper}", "resourceExternalId": str(upper), "missingDependencies": missing}


def pairs(length: int) -> list[Json]:
    return [pending(f"t/{place}", f"t/{place ^ 1}") for place in range(length)]


def selves(length: int) -> list[Json]:
    return [pending(f"t/{place}", f"t/{place}") for place in range(length)]


def nested(length: int) -> list[Json]:
    """Each waits for itself and for the one before: as many circles, each behind the last."""
    return [pending(f"t/{place}", f"t/{place}", f"t/{max(place - 1, 0)}") for place in range(length)]


def nested_pairs(length: int) -> list[Json]:
    """Circles of two, each member of which waits for one of the circle before."""
    return [pending(f"t/{place}", f"t/{place ^ 1}", f"t/{max(place - 2, place & 1)}") for place in range(length)]


def hub(width: int) -> list[Json]:
    return [pending(f"t/{place}", "c/1") for place in range(width)]


def gather(width: int) -> list[Json]:
    return [pending("t/1", *[f"c/{place}" for place in range(width)])]


Shape = Callable[[int], list[Json]]


@pytest.mark.parametrize("shape", [chain, circle, pairs, selves, nested, nested_pairs, hub, gather])
def test_cost_grows_with_the_rows(shape: Shape) -> None:
    """Twice the rows, twice the work, in the shapes that a graph algorithm fears."""
    small, large = build_graph(*shape(1_000)), build_graph(*shape(2_000))

    def cost(graph: DependencyGraph) -> int:
        return count_steps(lambda: explain(graph, EvidenceBuilder(), now=MOMENT, count=10))

    assert cost(large) < 2.2 * cost(small)


@pytest.mark.parametrize(("shape", "stuck", "depth"), [(chain, 0, 100_000), (circle, 100_000, 0)])
def test_hundred_thousand_rows_in_a_row_are_explained(shape: Shape, stuck: int, depth: int) -> None:
    """Longer than Python's stack is deep: nothing may call itself along a way."""
    graph = build_graph(*shape(100_000))
    found: Explanation = explain(graph, EvidenceBuilder(), now=MOMENT, count=10)
    focus = focus_on_key(graph, found.structure, EvidenceBuilder(), number(graph, "t/0"), 5)

    assert (len(found.structure.stuck), max(found.structure.depths, default=0)) == (stuck, depth)
    assert [one.blocker.waiting for one in found.blockers] == [depth] * (depth > 0)
    assert [len(path.keys) for path in focus.paths] == [depth + 1] * (depth > 0)
    assert [one.depth for one in found.chains] == [depth] * (depth > 0)
    assert [len(one.path) for one in found.structure.circles] == [stuck] * (stuck > 0)
    assert focus_on_batch(graph, found.structure, EvidenceBuilder(), "b1", 5).roots == (depth > 0)
