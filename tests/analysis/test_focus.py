"""One resource, one batch, one what-if, and what a mistyped key may have meant."""

from __future__ import annotations

from math import inf
from unittest.mock import ANY

from reach_mcp.analysis.chains import find_structure
from reach_mcp.analysis.evidence import EvidenceBuilder, Finding
from reach_mcp.analysis.focus import Focus, Path, WhatIf, assume_arrived, focus_on_batch, focus_on_key, suggest_keys
from reach_mcp.analysis.graph import DependencyGraph
from tests.analysis.graphs import MOMENT, build_evidence, build_graph, count_steps, name, names, number, read
from tests.builders import batch, pending


def on_key(graph: DependencyGraph, key: str, paths: int = 9, evidence: EvidenceBuilder | None = None) -> Focus:
    return focus_on_key(graph, find_structure(graph), evidence or EvidenceBuilder(), number(graph, key), paths)


def on_batch(graph: DependencyGraph, batch_id: str, paths: int = 9) -> Focus:
    return focus_on_batch(graph, find_structure(graph), EvidenceBuilder(), batch_id, paths)


def paths(graph: DependencyGraph, focus: Focus) -> list[list[str]]:
    return [names(graph, path.keys) for path in focus.paths]


def test_focus_shows_the_shortest_way_to_each_root() -> None:
    r"""
    t/1 -> o/1 -> o/2 -> [c/1]
       \-> o/3 ---------/
               \-> [c/2]
    """
    graph = build_graph(
        pending("t/1", "o/1", "o/3", expires=2.0),
        pending("o/1", "o/2", expires=1.0),
        pending("o/2", "c/1"),
        pending("o/3", "c/1", "c/2"),
    )
    found = on_key(graph, "t/1", evidence=build_evidence(batch("b9", schema="c", failed={"C2": ([], [])})))

    assert paths(graph, found) == [["t/1", "o/3", "c/1"], ["t/1", "o/3", "c/2"]]
    assert (found.rows, found.above, found.roots, found.earliest) == ((0,), 0, 2, MOMENT + 7200)
    assert (found.circle, found.finding) == (None, None)
    assert [path.finding.causes for path in found.paths] == [("not_seen",), ("not_seen",)]


def test_focus_on_a_root_blocker_tells_its_cause_and_what_waits() -> None:
    """t/1 -> o/1 -> [c/1]: there is no way further down, its deadline is that of what waits for it."""
    graph = build_graph(pending("t/1", "o/1", expires=1.0), pending("o/1", "c/1"))
    evidence = build_evidence(batch("b9", schema="c", failed={"1": (["bad"], ["A"])}))
    found = on_key(graph, "c/1", evidence=evidence)

    assert found.finding is not None
    assert found == Focus(
        key=number(graph, "c/1"),
        batch_id="",
        rows=(),
        above=2,
        paths=(),
        roots=0,
        circle=None,
        earliest=MOMENT + 3600,
        finding=Finding(failures=found.finding.failures),
    )
    assert [one.batch_id for one in found.finding.failures] == ["b9"]


def test_focus_on_a_resource_that_waits_twice_follows_both_rows() -> None:
    """It waits in two batches, for different things: what frees it is either of them."""
    graph = read(batch("b1", pending("t/1", "c/1")), batch("b2", pending("t/1", "c/2", id="again", expires=1.0)))
    found = on_key(graph, "t/1")

    assert (found.rows, paths(graph, found)) == ((0, 1), [["t/1", "c/1"], ["t/1", "c/2"]])
    assert found.earliest == MOMENT + 3600


def test_paths_beyond_the_count_are_those_that_most_rows_wait_for() -> None:
    """b1's rows: two list c/2, one lists c/1 and one c/3. Of three roots the first two are shown, in this order."""
    graph = build_graph(pending("t/1", "c/1"), pending("t/2", "c/2"), pending("t/3", "c/2"), pending("t/4", "c/3"))
    found = on_batch(graph, "b1", paths=2)

    assert (paths(graph, found), found.roots) == ([["t/2", "c/2"], ["t/1", "c/1"]], 3)
    assert on_batch(graph, "b1", paths=0).paths == ()


def test_focus_on_a_batch_takes_its_rows_together() -> None:
    """b1: t/1, t/2; b2: o/1 waits for t/1, and t/3 for nothing of it."""
    graph = read(
        batch("b1", pending("t/1", "c/1", expires=3.0), pending("t/2", "c/1", expires="soon")),
        batch("b2", pending("o/1", "t/1"), pending("t/3", "c/1", expires=1.0)),
    )
    path = Path((number(graph, "t/1"), number(graph, "c/1")), Finding())

    assert on_batch(graph, "b1") == Focus(
        key=None,
        batch_id="b1",
        rows=(0, 1),
        above=1,
        paths=(path,),
        roots=1,
        circle=None,
        earliest=MOMENT + 3 * 3600,
        finding=None,
    )


def test_focus_on_a_batch_that_was_read_twice_takes_the_last_reading() -> None:
    """The rows that it listed before are nobody's."""
    graph = read(batch("b1", pending("t/1", "c/1")), batch("b1", pending("t/2", "c/1")))

    assert names(graph, [graph.row_key[row] for row in on_batch(graph, "b1").rows]) == ["t/2"]


def test_batch_without_rows_waits_for_nothing() -> None:
    """It was read, and nothing of it is pending."""
    graph = read(batch("b1"), batch("b2", pending("t/1", "c/1")))

    assert on_batch(graph, "b1") == Focus(None, "b1", (), 0, (), 0, None, inf, None)


def test_focus_names_the_circle_that_something_is_in_or_waits_for() -> None:
    """t/1 -> c/1 <-> c/2;  t/2 -> [l/1]: t/1 is stuck behind it, t/2 is not, and nor is what c/1 lists besides."""
    graph = build_graph(
        pending("t/1", "c/1"), pending("c/1", "c/2", "l/1"), pending("c/2", "c/1"), pending("t/2", "l/1")
    )
    circle = find_structure(graph).circles[0]

    assert [on_key(graph, key).circle for key in ("t/1", "c/1", "c/2", "t/2", "l/1")] == [circle] * 3 + [None] * 2
    assert on_batch(graph, "b1").circle == circle
    assert paths(graph, on_key(graph, "t/1")) == [["t/1", "c/1", "l/1"]]


def test_focus_on_what_nothing_is_below_has_no_paths() -> None:
    """A circle of one, and a row that lists nothing."""
    graph = build_graph(pending("c/1", "c/1"), pending("t/1"))

    assert [(found.paths, found.roots) for found in (on_key(graph, "c/1"), on_key(graph, "t/1"))] == [((), 0)] * 2


def test_cost_of_a_batch_grows_with_its_rows() -> None:
    """A batch brings a thousand rows that nothing waits for: the tenant is searched once, not once for each."""

    def cost(width: int) -> int:
        graph = build_graph(*[pending(f"t/{place}", "c/1") for place in range(width)])
        return count_steps(lambda: on_batch(graph, "b1"))

    assert cost(2_000) < 2.2 * cost(1_000)


def what_if(graph: DependencyGraph, *keys: str, holders: int = 5) -> WhatIf:
    return assume_arrived(graph, find_structure(graph), [number(graph, key) for key in keys], holders)


def test_what_if_clears_round_by_round_and_names_what_still_holds() -> None:
    """t/1 -> o/1 -> [c/1];  t/2, t/3 -> [c/2];  t/4 -> [c/3]: c/1, asked for twice, clears o/1, then t/1."""
    graph = build_graph(
        pending("t/1", "o/1"),
        pending("o/1", "c/1"),
        pending("t/4", "c/3"),
        pending("t/2", "c/2"),
        pending("t/3", "c/2", "c/1"),
    )

    assert what_if(graph, "c/1", "c/1", holders=1) == WhatIf(
        assumed=(number(graph, "c/1"),),
        rounds=(1, 1),
        left=3,
        stuck=0,
        holders=((number(graph, "c/2"), 2),),
        missing=ANY,
    )
    assert [name(graph, key) for key, _ in what_if(graph).holders] == ["c/1", "c/2", "c/3"]


def test_what_if_a_member_of_a_circle_arrived_breaks_it() -> None:
    """t/1 -> c/1 <-> c/2 -> [l/1]: with c/1 in place c/2 is no longer stuck, it waits for l/1 alone."""
    graph = build_graph(pending("t/1", "c/1"), pending("c/1", "c/2"), pending("c/2", "c/1", "l/1"))

    assert what_if(graph, "l/1") == WhatIf((number(graph, "l/1"),), (), left=3, stuck=3, holders=(), missing=0)
    assert what_if(graph, "c/1") == WhatIf(
        (number(graph, "c/1"),), (1,), left=2, stuck=0, holders=((number(graph, "l/1"), 1),), missing=1
    )


def test_what_clears_by_itself_is_no_effect_of_a_what_if() -> None:
    """o/1 lists nothing: it clears whatever is assumed."""
    graph = build_graph(pending("o/1"), pending("t/1", "o/1"), pending("t/2", "c/1", "o/1"))

    assert what_if(graph, "o/1") == WhatIf(
        (number(graph, "o/1"),), (), left=1, stuck=0, holders=((number(graph, "c/1"), 1),), missing=1
    )
    assert what_if(graph, "c/1").rounds == (1,)


KEYS = build_graph(
    pending("transactions/txn_9001", "customers/8841", "customers/harbor", "locations/8841"),
    pending("customers/cust_8842", "locations/loc_1"),
)


def suggested(schema: str, external: str, count: int = 3) -> list[str]:
    return names(KEYS, suggest_keys(KEYS, schema, external, count))


def test_same_id_in_another_schema_is_suggested_first() -> None:
    """The schema is what people get wrong."""
    assert suggested("orders", "8841") == ["customers/8841", "locations/8841"]
    assert suggested("orders", "8841", count=1) == ["customers/8841"]


def test_nearly_the_same_id_is_suggested() -> None:
    """By a rule of likeness, or by looking much the same; within the schema where it is known, else anywhere."""
    assert suggested("CUSTOMERS", "cust_8841") == ["customers/8841", "customers/cust_8842"]
    assert suggested("", "HARBOR") == ["customers/harbor"]
    assert suggested("locations", "harbour") == []
    assert suggested("customers", "harbour") == ["customers/harbor"]


def test_what_is_like_nothing_suggests_nothing() -> None:
    """A wrong suggestion is worse than none."""
    assert suggested("customers", "zzz") == []
    assert suggest_keys(build_graph(), "customers", "1") == []


def test_circle_in_focus_is_told_where_it_is_none_of_the_first() -> None:
    """Thirty resources that wait for themselves: whoever asks about the last wants that one."""
    graph = build_graph(*[pending(f"t/{place:02}", f"t/{place:02}") for place in range(30)])
    found = on_key(graph, "t/29").circle

    assert found is not None
    assert names(graph, found.members) == ["t/29"]
    assert (found.rows, found.behind) == (1, 0)
    assert found not in find_structure(graph).circles
