"""The graph analyses give what the slow oracle gives, on tenants with chains, cycles, repeats and odd ids."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from reach_mcp.analysis.blockers import find_frees, rank
from reach_mcp.analysis.chains import describe_chains
from reach_mcp.analysis.cycles import StuckGraph, choose_references
from reach_mcp.analysis.expiry import group_by_hour
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.plan import plan
from reach_mcp.analysis.results import Order
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.waiting import count_by_group, count_waiting
from tests.analysis.graphs import graph_of
from tests.builders import NOW_SECONDS, Json
from tests.oracle import Key, Oracle
from tests.strategies import plan_instances, reordered, tenants


def _key(graph: DependencyGraph, key: int) -> Key:
    return graph.snapshot.keys[key]


def _rows(graph: DependencyGraph, oracle: Oracle, numbers: set[int]) -> set[str]:
    return {oracle.live[number].id for number in numbers}


def _ids(graph: DependencyGraph, rows: list[int]) -> set[str]:
    return {graph.snapshot.rows[row].id for row in rows}


@given(tenants())
def test_ranking_is_the_oracles(batches: list[Json]) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    ranked = rank(graph, count_waiting(graph))
    assert [(_key(graph, root.key), root.waiting, root.direct) for root in ranked] == oracle.ranked()
    assert all(root.earliest == oracle.earliest_expiry(_key(graph, root.key)) for root in ranked)


@given(tenants())
def test_waiting_counts_of_links_are_the_oracles(batches: list[Json]) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    waiting = count_waiting(graph)
    expected = {_key(graph, key): len(oracle.waiting(_key(graph, key))) for key in graph.listed_by}
    assert {_key(graph, key): count for key, count in waiting.counts.items()} == expected
    assert {_key(graph, key): time for key, time in waiting.earliest.items()} == {
        key: oracle.earliest_expiry(key) for key in expected
    }


@given(tenants(), st.integers(0, 2))
def test_a_selection_restricts_the_counts_and_not_the_graph(batches: list[Json], chosen: int) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    selection = bytearray(row.batch == chosen for row in graph.snapshot.rows)
    waiting = count_waiting(graph, selection)
    frees = find_frees(graph, None, selection)
    inside = {number for number, row in enumerate(oracle.live) if row.batch_id == f"b{chosen}"}
    for key in graph.listed_by:
        rows = oracle.waiting(_key(graph, key)) & inside
        assert waiting.counts.get(key, 0) == len(rows)
        assert waiting.earliest[key] == min((oracle.live[row].expires for row in rows), default=inf)
    for key in graph.roots:
        assert frees[key] == len(oracle.frees([_key(graph, key)]) & inside)
    ranked = rank(graph, waiting, selection)
    assert sum(step.gain for step in plan(graph, ranked, selection=selection)) == len(
        oracle.frees(oracle.roots) & inside
    )


@given(tenants())
def test_frees_is_what_clears_when_one_record_arrives(batches: list[Json]) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    expected = {key: len(oracle.frees([_key(graph, key)])) for key in graph.roots}
    assert find_frees(graph) == expected


@given(tenants())
def test_every_live_row_is_cleared_stuck_or_lists_nothing(batches: list[Json]) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    clearance = Clearance(graph)
    stuck = [row for row in graph.live if clearance.is_stuck(row)]
    assert _ids(graph, stuck) == _rows(graph, oracle, oracle.stuck)
    by_itself = [row for row in clearance.by_itself if graph.missing[row]]
    cleared = [row for rows in clearance.rounds for row in rows] + by_itself
    assert len(cleared) + len(stuck) + len(graph.lists_nothing) == len(graph.live)


@given(tenants(), st.data())
def test_gains_add_up_to_what_clears_together(batches: list[Json], data: st.DataObject) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    order: Order = data.draw(st.sampled_from(("waiting", "expiry")))
    ranked = rank(graph, count_waiting(graph))
    steps = list(plan(graph, ranked, first=data.draw(st.integers(1, 6)), order=order))
    assert sorted(step.key for step in steps) == sorted(graph.roots)
    sent: list[Key] = []
    for step in steps:
        before = oracle.cleared_by(sent)
        sent.append(_key(graph, step.key))
        assert step.gain == len(oracle.cleared_by(sent) - before)


@given(tenants())
def test_cycles_are_the_oracles_and_open_when_references_are_left_out(batches: list[Json]) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    stuck = StuckGraph(graph, Clearance(graph))
    cycles = stuck.rank()
    found = {frozenset(_key(graph, key) for key in cycle.members) for cycle in cycles}
    assert found == set(oracle.cycles)
    for cycle in cycles:
        members = {_key(graph, key) for key in cycle.members}
        assert cycle.rows == sum(row.key in members for row in oracle.live)
        assert cycle.behind == len(oracle.behind(members))
    left_out = {
        (_key(graph, source), _key(graph, target))
        for cycle in cycles
        for source, target in choose_references(stuck.references(cycle.number))
    }
    assert not Oracle(_leave_out(batches, left_out), NOW_SECONDS).cycles


def _leave_out(batches: list[Json], references: set[tuple[Key, Key]]) -> list[Json]:
    return [
        read | {"pendingResources": [_without(row, references) for row in read["pendingResources"]]} for read in batches
    ]


def _without(row: Json, references: set[tuple[Key, Key]]) -> Json:
    key = (row["schemaDefinitionId"], row["resourceExternalId"])
    kept = [
        one
        for one in row["missingDependencies"]
        if (key, (one["schemaDefinitionId"], one["externalId"])) not in references
    ]
    return row | {"missingDependencies": kept}


@given(tenants())
def test_hours_are_the_oracles(batches: list[Json]) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    hours = group_by_hour(graph)
    assert {int(start): len(rows) for start, rows in hours.rows.items()} == oracle.expiring_by_hour()
    assert len(hours.unreadable) == sum(row.expires == inf for row in oracle.live)
    waiting = count_by_group(graph, hours.groups)
    assert waiting[:2] == count_waiting(graph)[:2]
    for start, found in zip(hours.rows, waiting.holders, strict=False):
        lost = {row for row in range(len(oracle.live)) if start <= oracle.live[row].expires < start + 3600}
        counts = sorted((-len(oracle.waiting(key) & lost), key) for key in oracle.roots if oracle.waiting(key) & lost)
        assert found.total == len(counts)
        assert [(-count, _key(graph, key)) for key, count in found.first] == counts[:3]


@given(tenants(), st.data())
def test_the_order_of_pages_does_not_matter(batches: list[Json], data: st.DataObject) -> None:
    other = data.draw(reordered(batches))
    one, two = graph_of(batches), graph_of(other)
    rankings = [rank(graph, count_waiting(graph)) for graph in (one, two)]
    orders = [[_key(graph, root.key) for root in ranked] for graph, ranked in zip((one, two), rankings, strict=True)]
    assert orders[0] == orders[1]
    plans = [
        [(_key(graph, step.key), step.gain) for step in plan(graph, ranked)]
        for graph, ranked in zip((one, two), rankings, strict=True)
    ]
    assert plans[0] == plans[1]
    chains = [describe_chains(graph, Clearance(graph)) for graph in (one, two)]
    depths = [(found.by_depth, found.longest_steps) for found in chains]
    assert depths[0] == depths[1]
    longest = [[(record.schema_id, record.external_id) for record in found.longest] for found in chains]
    assert longest[0] == longest[1]


@given(plan_instances(), st.integers(1, 5))
def test_the_first_records_of_the_plan_are_the_best_set(batches: list[Json], count: int) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    steps = list(plan(graph, rank(graph, count_waiting(graph)), first=count))
    assert sum(step.gain for step in steps[:count]) >= 0.97 * oracle.best(count)


@given(plan_instances(), st.integers(1, 5))
def test_causes_restrict_the_plan_to_their_records(batches: list[Json], count: int) -> None:
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    candidates = rank(graph, count_waiting(graph))[::2]
    steps = list(plan(graph, candidates, first=count))
    assert sorted(step.key for step in steps) == sorted(root.key for root in candidates)
    sent = [_key(graph, step.key) for step in steps]
    assert [sum(step.gain for step in steps[: number + 1]) for number in range(len(steps))] == [
        len(oracle.cleared_by(sent[: number + 1])) for number in range(len(steps))
    ]
