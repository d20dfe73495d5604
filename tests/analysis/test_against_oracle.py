"""Answers give what the slow oracle gives, on tenants with chains, cycles, repeats and odd ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from reach_mcp.analysis.blockers import rank
from reach_mcp.analysis.plan import plan
from reach_mcp.analysis.results import Order, Record
from reach_mcp.analysis.times import or_none
from reach_mcp.analysis.waiting import count_waiting
from tests.analysis.asking import ask, some
from tests.analysis.graphs import graph_of
from tests.builders import NOW_SECONDS, Json, batch, pending, reference
from tests.oracle import Key, Oracle
from tests.strategies import plan_instances, records, reordered, tenants


def key_of(record: Record) -> Key:
    return record.schema_id, record.external_id


@given(tenants())
def test_a_summary_agrees_with_the_oracle(batches: list[Json]) -> None:
    oracle, answer = Oracle(batches, NOW_SECONDS), ask(*batches, limit=100)
    counts, blockers = answer.counts, some(answer.blockers).items
    assert [(key_of(one.record), one.waiting, one.direct) for one in blockers] == oracle.ranked()
    for one in blockers:
        assert one.frees == len(oracle.frees([key_of(one.record)]))
        assert one.earliest_expiry == or_none(oracle.earliest_expiry(key_of(one.record)))
    assert (counts.pending, counts.expired) == (len(oracle.live), len(oracle.expired))
    assert (counts.missing_records, counts.stuck) == (len(oracle.roots), len(oracle.stuck))
    assert counts.pending == some(counts.cleared_by_plan) + some(counts.stuck) + counts.lists_nothing
    for tally in answer.tally:
        keys = {key_of(one.record) for one in blockers if one.finding.cause == tally.cause}
        expected = (len(keys), len(set().union(*map(oracle.waiting, keys))))
        if tally.cause == "cycle":
            expected = (sum(map(len, oracle.cycles)), len(oracle.stuck))
        assert (tally.records, tally.waiting) == expected


@given(tenants())
def test_a_filter_restricts_the_counts_and_not_the_graph(batches: list[Json]) -> None:
    batches = [one | {"status": "failure" if number % 2 else "success"} for number, one in enumerate(batches)]
    oracle, answer = Oracle(batches, NOW_SECONDS), ask(*batches, limit=100, status="failure")
    chosen = {number for number, row in enumerate(oracle.live) if row.batch_id == "b1"}
    counts = answer.counts
    assert (counts.pending, counts.stuck) == (len(chosen), len(chosen & oracle.stuck))
    assert counts.lists_nothing == sum(not oracle.live[number].lists for number in chosen)
    assert counts.pending == some(counts.cleared_by_plan) + some(counts.stuck) + counts.lists_nothing
    assert some(answer.filter).resources_left_out == len(oracle.live) - len(chosen)
    assert {
        key_of(one.record): (one.waiting, one.frees, one.earliest_expiry) for one in some(answer.blockers).items
    } == {
        key: (len(rows), len(oracle.frees([key]) & chosen), or_none(min(oracle.live[row].expires for row in rows)))
        for key in oracle.roots
        if (rows := oracle.waiting(key) & chosen)
    }
    steps = some(ask(*batches, view="plan", limit=100, status="failure").plan).steps.items
    assert sum(step.gain for step in steps) == len(oracle.frees(oracle.roots) & chosen)


@given(tenants(), records)
def test_a_focus_has_a_path_to_every_missing_record_below(batches: list[Json], name: str) -> None:
    asked = reference(name)[:2]
    oracle, focus = Oracle(batches, NOW_SECONDS), some(ask(*batches, focus=f"{asked[0]}:{asked[1]}", limit=100).focus)
    if focus.record is None or key_of(focus.record) != asked:  # nothing read has it, or its id is blank
        return
    own = {number for number, row in enumerate(oracle.live) if row.key == asked}
    below = {root: len(waiting) for root in oracle.roots if (waiting := oracle.waiting(root) & own)}
    assert {key_of(one.records[-1]): one.waiting for one in focus.paths.items} == below
    for path in focus.paths.items:
        keys = [key_of(record) for record in path.records]
        assert keys[0] == asked
        assert all(any(low in row.lists for row in oracle.live if row.key == high) for high, low in pairwise(keys))
    assert focus.waits_for_it == len(oracle.waiting(asked))


@given(tenants())
def test_cycles_are_the_oracles_and_open_when_references_are_left_out(batches: list[Json]) -> None:
    oracle, cycles = Oracle(batches, NOW_SECONDS), some(ask(*batches, view="cycles", limit=100).cycles).items
    found = {frozenset(map(key_of, cycle.members.items)): cycle for cycle in cycles}
    assert found.keys() == set(oracle.cycles)
    for members, cycle in found.items():
        assert cycle.rows == sum(row.key in members for row in oracle.live)
        assert cycle.behind == len(oracle.behind(members))
    left_out = {(key_of(source), key_of(target)) for cycle in cycles for source, target in cycle.leave_out}
    assert not Oracle(_leave_out(batches, left_out), NOW_SECONDS).cycles


def _leave_out(batches: Iterable[Json], references: set[tuple[Key, Key]]) -> list[Json]:
    def kept(row: Json) -> Json:
        key = (row["schemaDefinitionId"], row["resourceExternalId"])
        missing = [(one, (one["schemaDefinitionId"], one["externalId"])) for one in row["missingDependencies"]]
        return row | {"missingDependencies": [one for one, target in missing if (key, target) not in references]}

    return [one | {"pendingResources": [kept(row) for row in one["pendingResources"]]} for one in batches]


@given(tenants())
def test_hours_are_the_oracles(batches: list[Json]) -> None:
    oracle, expiry = Oracle(batches, NOW_SECONDS), some(ask(*batches, view="expiry", limit=100).expiry)
    assert {int(hour.start): hour.rows for hour in expiry.hours.items} == oracle.expiring_by_hour()
    assert expiry.unreadable == sum(or_none(row.expires) is None for row in oracle.live)
    for hour in expiry.hours.items:
        lost = {number for number, row in enumerate(oracle.live) if hour.start <= row.expires < hour.start + 3600}
        counts = sorted((-len(rows), key) for key in oracle.roots if (rows := oracle.waiting(key) & lost))
        assert [(-one.waiting, key_of(one.record)) for one in hour.holders] == counts[:3]
        assert (hour.holders_total, hour.stuck) == (len(counts), len(lost & oracle.stuck))


@example(batch_and_order=([batch("b1", *(pending("a:0", f"a:{n}", id=str(n)) for n in range(3)))],) * 2)
@given(tenants().flatmap(lambda batches: st.tuples(st.just(batches), reordered(batches))))
def test_the_order_of_pages_and_rows_does_not_matter(batch_and_order: tuple[list[Json], list[Json]]) -> None:
    batches, other = batch_and_order
    focus = {"focus": "orders:1", "since": "start"}
    questions: list[dict[str, Any]] = [{}, {"view": "resources"}, {"view": "expired"}, {"focus": "b1"}, focus]
    for question in questions:
        found, again = (replace(ask(*read, **question), notes=()) for read in (batches, other))
        assert found == again


@given(tenants(), st.integers(1, 6), st.sampled_from(("waiting", "expiry")))
def test_gains_add_up_to_what_clears_together(batches: list[Json], first: int, order: Order) -> None:
    _check_gains(batches, first, order=order)


@given(plan_instances(), st.integers(1, 5))
def test_the_first_records_of_the_plan_are_the_best_set(batches: list[Json], count: int) -> None:
    gains = _check_gains(batches, count)
    assert sum(gains[:count]) >= 0.97 * Oracle(batches, NOW_SECONDS).best(count)
    _check_gains(batches, count, every=2)


def _check_gains(batches: list[Json], first: int, *, order: Order = "waiting", every: int = 1) -> list[int]:
    """The gains of a plan for each missing record, or for every second one as where a cause is asked for."""
    graph, oracle = graph_of(batches), Oracle(batches, NOW_SECONDS)
    candidates = rank(graph, count_waiting(graph))[::every]
    steps = list(plan(graph, candidates, first=first, order=order))
    assert sorted(step.key for step in steps) == sorted(root.key for root in candidates)
    sent = [graph.snapshot.keys[step.key] for step in steps]
    cleared = [len(oracle.cleared_by(sent[:number])) for number in range(len(sent) + 1)]
    gains = [step.gain for step in steps]
    assert gains == [after - before for before, after in pairwise(cleared)]
    return gains
