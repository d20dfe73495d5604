"""Every number and every set beside those of an oracle that simulates where the package computes.

An error in here is one that examples did not think of: batches read twice, rows that move, ids that collide, circles
behind circles. Whatever fails is shrunk to wire JSON that can be pasted into an example.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Any, TypeVar
from unittest.mock import ANY

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reach_mcp.analysis.arrival import Arrival, Rows
from reach_mcp.analysis.blockers import Blocker, rank_blockers
from reach_mcp.analysis.chains import Chain, Circle, Structure, deepest_chains, find_structure, trace_chain
from reach_mcp.analysis.evidence import EvidenceBuilder
from reach_mcp.analysis.expiry import Expiry, Hour, find_hours, sum_expiry
from reach_mcp.analysis.explanation import Disagreement, explain, find_disagreements
from reach_mcp.analysis.focus import WhatIf, assume_arrived, focus_on_batch, focus_on_key
from reach_mcp.analysis.holders import count_hours, name_holders
from reach_mcp.analysis.plan import Plan, Step, build_plan
from reach_mcp.api.walk import Coverage
from reach_mcp.render import Fence
from reach_mcp.render.answer import Level
from reach_mcp.render.explanation import Explanations, build_explanation, write_explanation
from tests.analysis.graphs import MOMENT, build_evidence, build_graph, read, read_with_ids
from tests.builders import NOW, Json
from tests.oracle import Key, Oracle, Row
from tests.strategies import reordered, tenants

Test = TypeVar("Test", bound=Callable[..., None])


def examples(count: int) -> Callable[[Test], Test]:
    """A bounded run without a deadline: the oracle is slow by intention, and machines differ."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Tenant:
    """The same batches, read by the package and by the oracle. Sets of rows are told as sets of row ids."""

    def __init__(self, batches: Sequence[Json]) -> None:
        self.batches = batches
        self.graph, self.row_ids = read_with_ids(batches)
        self.oracle = Oracle(batches)

    @cached_property
    def structure(self) -> Structure:
        return find_structure(self.graph)

    @cached_property
    def rank(self) -> list[Blocker]:
        return rank_blockers(self.graph, count=len(self.graph.roots))

    @cached_property
    def keys(self) -> list[Key]:
        """All keys, pending or listed, in order."""
        return sorted(self.oracle.pending_keys | self.oracle.listed_keys)

    def ids(self, rows: Iterable[int]) -> set[str]:
        return {self.row_ids[row] for row in rows}

    def key(self, number: int) -> Key:
        return self.graph.key(number)

    def number(self, key: Key) -> int:
        return self.graph.number(*key)

    def row(self, number: int) -> Row:
        return self.oracle.by_id[self.row_ids[number]]

    def earliest(self, ids: Iterable[str]) -> float:
        """The oracle's earliest expiry, in the package's way of saying it."""
        moment = self.oracle.earliest_expiry(ids)
        return inf if moment is None else moment.timestamp()

    def waiting_for_any(self, keys: Iterable[Key]) -> set[str]:
        return {id for key in keys for id in self.oracle.waiting(key)}

    def lists(self, key: Key) -> set[Key]:
        """What any row of a key lists."""
        return {listed for row in self.oracle.rows if row.key == key for listed in row.lists}

    def below(self, keys: Iterable[Key]) -> set[Key]:
        """Keys that lie below some keys, themselves included, however far down."""
        below: set[Key] = set()
        step = set(keys)
        while step:
            below |= step
            step = {listed for key in step for listed in self.lists(key)} - below
        return below


tenants_of_both = tenants().map(Tenant)


@examples(90)
@given(tenants_of_both)
def test_graph_holds_the_rows_that_the_oracle_holds(tenant: Tenant) -> None:
    """Batches move between pages while a walk runs: what was read twice or replaced must count as it last stood."""
    graph, oracle = tenant.graph, tenant.oracle
    facts = graph.facts
    rows = {
        (id, tenant.key(graph.row_key[row]), frozenset(map(tenant.key, graph.missing(row))), facts[batch].id)
        for row, (id, batch) in enumerate(zip(tenant.row_ids, graph.row_batch, strict=True))
    }

    assert rows == {(row.id, row.key, row.lists, row.batch_id) for row in oracle.rows}
    assert len(rows) == graph.rows
    assert {tenant.key(key) for key in graph.roots} == oracle.root_blockers
    assert {
        tenant.key(key) for key in np.flatnonzero(graph.is_link).tolist()
    } == oracle.pending_keys & oracle.listed_keys
    assert [tenant.ids(graph.bearers(tenant.number(key))) for key in tenant.keys] == [
        {row.id for row in oracle.rows if row.key == key} for key in tenant.keys
    ]
    assert {(definition, external) for definition in graph.schemas for external in graph.externals(definition)} == set(
        tenant.keys
    )


@examples(90)
@given(tenants_of_both)
def test_blockers_stand_in_the_order_and_with_the_numbers_of_the_oracle(tenant: Tenant) -> None:
    """The first line of the list is what somebody works on next."""
    oracle = tenant.oracle
    expected = [
        Blocker(
            key=tenant.number(key),
            waiting=len(waiting := oracle.waiting(key)),
            direct=len(oracle.direct(key)),
            frees=len(oracle.frees(key)),
            batches=len({oracle.by_id[id].batch_id for id in waiting}),
            earliest=tenant.earliest(waiting),
        )
        for key in oracle.ranking()
    ]

    assert tenant.rank == expected
    assert [tenant.ids(tenant.graph.waiting([one.key])) for one in tenant.rank] == list(
        map(oracle.waiting, oracle.ranking())
    )
    assert [tenant.ids(tenant.graph.listing(one.key)) for one in tenant.rank] == list(
        map(oracle.direct, oracle.ranking())
    )


@examples(50)
@given(tenants_of_both, st.integers(1, 4))
def test_pages_of_the_ranking_are_cut_from_the_whole(tenant: Tenant, count: int) -> None:
    """Only as much is worked out as is shown: that must not show, nor lose or repeat a blocker between pages."""
    starts = range(0, len(tenant.rank) + 1, count)
    pages = [rank_blockers(tenant.graph, count=count, first=first) for first in starts]

    assert pages == [tenant.rank[first : first + count] for first in starts]


@examples(90)
@given(tenants_of_both)
def test_depths_and_stuck_rows_are_those_of_the_oracle(tenant: Tenant) -> None:
    """A row that is called stuck wrongly is given up; one that is not called so is waited for in vain."""
    depths = Counter(tenant.oracle.chain_depth(row.id) for row in tenant.oracle.rows)
    del depths[None]

    assert tenant.structure.depths == depths
    assert tenant.ids(tenant.structure.stuck) == tenant.oracle.stuck()


@examples(90)
@given(tenants_of_both, st.integers(0, 3))
def test_many_keys_at_once_arrive_as_they_do_one_by_one(tenant: Tenant, first: int) -> None:
    """Wide fronts are worked off by column, narrow ones by row: nobody may see which."""
    graph = tenant.graph
    by_row, by_column = Arrival(graph), Arrival(graph, wide=0)

    def rounds(found: Iterable[Rows]) -> list[set[str]]:
        return [tenant.ids(map(int, rows)) for rows in found]

    assert rounds(by_row.first_rounds) == rounds(by_column.first_rounds)
    for keys in (graph.roots[:first], graph.roots):
        assert rounds(by_row.send(keys)) == rounds(by_column.send(keys))
        assert by_row.left.tolist() == by_column.left.tolist()
        assert by_row.round_of.tolist() == by_column.round_of.tolist()


@examples(90)
@given(tenants_of_both)
def test_circles_are_those_of_the_oracle(tenant: Tenant) -> None:
    """Each circle is whole, its path can be walked around, and what is stuck behind it is counted once."""
    oracle, circles = tenant.oracle, tenant.structure.circles
    groups = [frozenset(map(tenant.key, circle.members)) for circle in circles]

    assert len(groups) == len(set(groups))
    assert set(groups) == oracle.circles()
    for circle in circles:
        members = sorted(map(tenant.key, circle.members))
        path = list(map(tenant.key, circle.path))
        waiting = tenant.waiting_for_any(members)
        inside = {id for id in waiting if oracle.by_id[id].key in members}
        assert circle == Circle(
            members=tuple(map(tenant.number, members)),
            path=circle.path,
            rows=len(inside),
            behind=len(waiting - inside),
            earliest=tenant.earliest(waiting),
        )
        assert path[0] == min(path)
        assert len(path) == len(set(path))
        assert set(path) <= set(members)
        assert all(lower in tenant.lists(upper) for upper, lower in pairwise([*path, path[0]]))
    assert list(circles) == sorted(circles, key=lambda one: (-one.behind, -one.rows, tenant.key(one.path[0])))


@examples(60)
@given(tenants_of_both)
def test_chain_of_each_row_follows_what_arrives_last_down_to_a_root(tenant: Tenant) -> None:
    """A chain is an argument: every link must be a row's own, and the last the thing to send."""
    oracle = tenant.oracle
    for row, id in enumerate(tenant.row_ids):
        depth = oracle.chain_depth(id)
        if depth is None:
            continue
        chain = trace_chain(tenant.graph, tenant.structure, row)
        keys = list(map(tenant.key, chain.keys))
        arrivals = [oracle.arrival(key) for key in keys[1:]]
        ends_in_root = keys[-1] in oracle.root_blockers
        assert (chain.depth, keys[0]) == (depth, oracle.by_id[id].key)
        assert arrivals == list(range(depth - 1, -1 if ends_in_root else 0, -1))
        assert all(lower in tenant.lists(upper) for upper, lower in pairwise(keys))
        assert ends_in_root or any(one.key == keys[-1] and not one.lists for one in oracle.rows)


@examples(60)
@given(tenants_of_both, st.integers(1, 3))
def test_deepest_chains_are_the_deepest_of_each_end(tenant: Tenant, count: int) -> None:
    """Three chains to the same root would say one thing three times."""
    rows = [row for row in range(tenant.graph.rows) if row not in tenant.structure.stuck]
    chains = [trace_chain(tenant.graph, tenant.structure, row) for row in rows]
    deepest: dict[int, int] = {}
    for chain in chains:
        deepest[chain.keys[-1]] = max(chain.depth, deepest.get(chain.keys[-1], 2 if chain.depth > 1 else 0))
    found = deepest_chains(tenant.graph, tenant.structure, count)
    depths = sorted((depth for depth in deepest.values() if depth > 1), reverse=True)

    assert [chain.depth for chain in found] == depths[:count]
    assert len({chain.keys[-1] for chain in found}) == len(found)
    assert all(chain in chains and chain.depth == deepest[chain.keys[-1]] for chain in found)


@examples(90)
@given(tenants_of_both)
def test_expiry_is_that_of_the_oracle(tenant: Tenant) -> None:
    """Who sends again what expires within the hour must neither miss a row nor send one that has a day left."""
    oracle, graph = tenant.oracle, tenant.graph
    hours = oracle.by_hour(NOW)
    coming = [row.expires.timestamp() for row in oracle.rows if row.expires is not None and row.expires >= NOW]

    assert sum_expiry(graph, MOMENT) == Expiry(
        expired=len(oracle.expired(NOW)),
        within_hour=len(hours[0]),
        within_day=sum(map(len, hours)),
        later=len(oracle.later(NOW)),
        unreadable=len(oracle.without_time()),
        hours=tuple(Hour(_start(hour), len(ids), _by_schema(tenant, ids)) for hour, ids in enumerate(hours) if ids),
        earliest=min(coming, default=inf),
    )
    assert set(graph.unreadable_times) == oracle.without_time()
    assert sum_expiry(build_graph(), MOMENT) == Expiry(0, 0, 0, 0, 0, (), inf)


@examples(60)
@given(tenants_of_both, st.integers(1, 4))
def test_holders_of_an_hour_are_those_of_the_oracle(tenant: Tenant, ranked: int) -> None:
    """The rows that are deleted next are worth nothing to who does not see what they wait for."""
    oracle, graph = tenant.oracle, tenant.graph
    hour_of = find_hours(graph, MOMENT)
    known = {key: count_hours(hour_of, graph.waiting([key])) for key in graph.roots[:ranked]}
    expiry = sum_expiry(graph, MOMENT, hour_of)
    named = name_holders(graph, tenant.structure, expiry, hour_of, now=MOMENT, hours=2, known=known)

    assert [replace(hour, held_by=()) for hour in named.hours] == list(expiry.hours)
    assert not any(hour.held_by for hour in named.hours[2:])
    for hour in named.hours[:2]:
        ids = oracle.by_hour(NOW)[round((hour.start - MOMENT) / 3600)]
        counts = {graph.key(key): rows for key, rows in hour.held_by}
        exact = {key: len(oracle.waiting(key) & ids) for key in oracle.root_blockers}
        assert counts == {key: exact[key] for key in counts}
        assert list(counts) == sorted(counts, key=lambda key: (-counts[key], key))
        assert 0 not in counts.values()
        least = min(counts.values()) if len(counts) == 3 else 0
        assert all(exact[graph.key(key)] <= least or graph.key(key) in counts for key in known)
        assert counts or not any(oracle.waiting(key) & ids - oracle.stuck() for key in oracle.root_blockers)


def _start(hour: int) -> float:
    start: datetime = NOW + timedelta(hours=hour)
    return start.timestamp()


def _by_schema(tenant: Tenant, ids: Iterable[str]) -> dict[str, int]:
    """Rows by what people call their schema: the tenant's rows may never give its name."""
    definitions = (tenant.oracle.by_id[id].key[0] for id in ids)
    return dict(Counter(tenant.graph.schema_names.get(definition, definition) for definition in definitions))


@examples(60)
@given(tenants_of_both)
def test_disagreements_are_between_the_last_counter_and_the_rows_that_count(tenant: Tenant) -> None:
    """The API's counter and its rows may differ. We report both, so both must be what the API last said."""
    rows = Counter(row.batch_id for row in tenant.oracle.rows)
    counters = {read["batchId"]: read["progress"].get("pendingRecords") for read in tenant.batches}

    assert list(find_disagreements(tenant.graph)) == [
        Disagreement(id, counter, rows[id]) for id, counter in sorted(counters.items()) if counter != rows[id]
    ]


@examples(60)
@given(tenants_of_both)
def test_each_step_of_the_plan_frees_most_of_what_is_left(tenant: Tenant) -> None:
    """Whoever sends the steps one by one sees clear exactly what each promised, and no better one was passed over."""
    oracle, sent = tenant.oracle, set[Key]()
    for wave in _whole_plan(tenant).waves:
        left = {tenant.key(step.key) for step in wave.steps}
        for step in wave.steps:
            gains = {key: len(oracle.frees(key, sent=sent)) for key in left}
            key = tenant.key(step.key)
            assert step == Step(tenant.number(key), gains[key])
            assert step.adds == max(gains.values())
            sent.add(key)
            left.remove(key)


@examples(60)
@given(tenants_of_both)
def test_waves_add_up_and_sending_them_all_frees_all_that_can_be_freed(tenant: Tenant) -> None:
    """The plan's promise as a whole: these keys, this many rows, these batches done, and so many left in circles."""
    oracle, sent, plan = tenant.oracle, set[Key](), _whole_plan(tenant)
    before = by_nobody = len(oracle.clears()[0])
    for wave in plan.waves:
        keys = {tenant.key(step.key) for step in wave.steps}
        sent |= keys
        cleared = oracle.clears(sent)[0]
        holding = {row.batch_id for row in oracle.rows if row.id not in cleared}
        assert (wave.keys, wave.adds, wave.total) == (len(keys), len(cleared) - before, len(cleared) - by_nobody)
        assert wave.adds == sum(step.adds for step in wave.steps)
        assert wave.batches == len({row.batch_id for row in oracle.rows} - holding)
        assert wave.earliest == tenant.earliest(tenant.waiting_for_any(keys))
        assert wave.schemas == Counter(tenant.graph.schema(tenant.number(key)) for key in keys)
        before = len(cleared)
    assert sent == oracle.root_blockers
    assert sum(step.adds for wave in plan.waves for step in wave.steps) == before - by_nobody
    assert plan.unfreed == len(oracle.stuck()) == len(oracle.rows) - before


@examples(60)
@given(tenants_of_both)
def test_no_wave_refers_to_a_later_one(tenant: Tenant) -> None:
    """Sent too early, the records of a wave would come to wait themselves."""
    schemas = {key[0] for key in tenant.keys}
    refers = {(row.key[0], listed[0]) for row in tenant.oracle.rows for listed in row.lists}
    reach = {one: _reached(one, refers) for one in schemas}

    def level(schema: str) -> int:
        """How many groups of schemas, each referring to the next, lie below; those in a circle are one group."""
        lower = {other for other in reach[schema] if schema not in reach[other]}
        return 1 + max(map(level, lower), default=0)

    waves = [{tenant.key(step.key) for step in wave.steps} for wave in _whole_plan(tenant).waves]
    levels = {key: level(key[0]) for key in tenant.oracle.root_blockers}
    assert waves == [{key for key, one in levels.items() if one == number} for number in sorted(set(levels.values()))]


def _reached(schema: str, refers: set[tuple[str, str]]) -> set[str]:
    reached: set[str] = set()
    step = {schema}
    while step:
        step = {lower for upper, lower in refers if upper in step} - reached
        reached |= step
    return reached


@examples(50)
@given(tenants_of_both, st.integers(0, 3))
def test_plan_with_few_steps_is_the_beginning_of_the_whole(tenant: Tenant, steps: int) -> None:
    """How much is shown must change nothing but how much is shown."""
    whole = _whole_plan(tenant)
    waves = tuple(replace(wave, steps=wave.steps[:steps]) for wave in whole.waves)

    assert build_plan(tenant.graph, steps=steps) == replace(whole, waves=waves)


@examples(50)
@given(tenants_of_both, st.integers(1, 5), st.sampled_from((1, 60)))
def test_pages_of_the_plan_are_the_plan(tenant: Tenant, size: int, greedy: int) -> None:
    """Whoever asks on and on gets each key once, with what it frees in that very order."""
    graph, roots = tenant.graph, len(tenant.graph.roots)
    pages = [build_plan(graph, steps=size, first=first, greedy=greedy) for first in range(0, roots + 1, size)]
    whole = build_plan(graph, steps=roots, greedy=greedy)

    assert sorted(step.key for wave in whole.waves for step in wave.steps) == sorted(graph.roots)

    for number, wave in enumerate(whole.waves):
        assert tuple(step for page in pages for step in page.waves[number].steps) == wave.steps
        assert all(page.waves[number] == replace(wave, steps=ANY, first=ANY) for page in pages)
    assert all(sum(len(wave.steps) for wave in page.waves) <= size for page in pages)


def _whole_plan(tenant: Tenant) -> Plan:
    return build_plan(tenant.graph, steps=len(tenant.graph.roots))


@examples(90)
@given(tenants_of_both, st.data())
def test_what_if_clears_what_the_oracle_clears_round_by_round(tenant: Tenant, data: st.DataObject) -> None:
    """A what-if is believed and acted upon: it must be what would happen, for any key, circles broken included."""
    oracle = tenant.oracle
    chosen = st.lists(st.sampled_from(tenant.keys), max_size=4) if tenant.keys else st.just([])
    assumed = data.draw(chosen)
    by_nobody = oracle.clears()[0]
    arrived = {oracle.by_id[id].key for id in by_nobody}
    cleared, rounds = oracle.clears({*assumed, *arrived})
    left = set(oracle.by_id) - cleared
    holders = {key: len(oracle.direct(key) & left) for key in oracle.root_blockers - set(assumed)}
    ranked = sorted(holders, key=lambda key: (-holders[key], key))

    assert assume_arrived(tenant.graph, tenant.structure, map(tenant.number, assumed)) == WhatIf(
        assumed=tuple(map(tenant.number, dict.fromkeys(assumed))),
        rounds=tuple(len(clear - by_nobody) for clear in rounds if clear - by_nobody),
        left=len(left),
        stuck=len(left - oracle.clears({*assumed, *oracle.root_blockers})[0]),
        holders=tuple((tenant.number(key), holders[key]) for key in ranked[:5]),
        missing=len(ranked),
    )
    behind = assume_arrived(tenant.graph, tenant.structure, map(tenant.number, assumed), holders=2, first=1)
    assert behind.holders == tuple((tenant.number(key), holders[key]) for key in ranked[1:3])


@examples(60)
@given(tenants_of_both)
def test_focus_on_a_key_finds_real_ways_to_every_root_below(tenant: Tenant) -> None:
    """A root that is left out is one more day of waiting; a way that isn't there sends people searching."""
    oracle = tenant.oracle
    for key in tenant.keys:
        found = focus_on_key(tenant.graph, tenant.structure, EvidenceBuilder(), tenant.number(key), 1_000, now=MOMENT)
        rows = {row.id for row in oracle.rows if row.key == key}
        roots = (tenant.below([key]) & oracle.root_blockers) - {key}
        assert (found.key, found.batch_id, tenant.ids(found.rows)) == (tenant.number(key), "", rows)
        assert found.above == len(oracle.waiting(key))
        assert found.earliest == tenant.earliest(rows or oracle.waiting(key))
        assert found.expired == len((rows or oracle.waiting(key)) & oracle.expired(NOW))
        assert (found.finding is None) == (key in oracle.pending_keys)
        assert found.roots == len(found.paths) == len(roots)
        _check_paths(tenant, {key}, [list(map(tenant.key, path.keys)) for path in found.paths], roots)
        _check_circle(tenant, {key}, found.circle)


@examples(60)
@given(tenants_of_both)
def test_focus_on_a_batch_finds_real_ways_to_every_root_below(tenant: Tenant) -> None:
    """The same for all rows of one upload at once."""
    oracle = tenant.oracle
    for batch_id in {one["batchId"] for one in tenant.batches}:
        found = focus_on_batch(tenant.graph, tenant.structure, EvidenceBuilder(), batch_id, 1_000, now=MOMENT)
        rows = {row.id for row in oracle.rows if row.batch_id == batch_id}
        keys = {oracle.by_id[id].key for id in rows}
        roots = tenant.below(keys) & oracle.root_blockers
        assert (found.key, found.batch_id, tenant.ids(found.rows)) == (None, batch_id, rows)
        assert found.above == len(tenant.waiting_for_any(keys) - rows)
        assert (found.earliest, found.expired) == (tenant.earliest(rows), len(rows & oracle.expired(NOW)))
        assert found.finding is None
        assert found.roots == len(found.paths) == len(roots)
        _check_paths(tenant, keys, [list(map(tenant.key, path.keys)) for path in found.paths], roots)
        _check_circle(tenant, keys, found.circle)


def _check_paths(tenant: Tenant, keys: set[Key], paths: list[list[Key]], roots: set[Key]) -> None:
    assert {path[-1] for path in paths} == roots
    assert all(path[0] in keys for path in paths)
    assert all(lower in tenant.lists(upper) for path in paths for upper, lower in pairwise(path))
    assert all(len(path) == _shortest(tenant, keys, path[-1]) for path in paths)


def _shortest(tenant: Tenant, keys: set[Key], root: Key) -> int:
    length, step = 1, keys
    while root not in step:
        length, step = length + 1, {listed for key in step for listed in tenant.lists(key)}
    return length


def _check_circle(tenant: Tenant, keys: set[Key], circle: Circle | None) -> None:
    """The circle in focus is one that a key is in or waits for; there is none only if there is none."""
    concerned = tenant.oracle.circles()
    concerned = {group for group in concerned if any(group & tenant.below([key]) for key in keys)}
    if circle is None:
        assert concerned == set()
    else:
        assert frozenset(map(tenant.key, circle.members)) in concerned


LEVEL = Level(rows=20, few=3, samples=2)


@examples(60)
@given(st.data())
def test_any_order_of_pages_and_rows_gives_the_same_answer(data: st.DataObject) -> None:
    """Pages come as the API sorts them. Two answers about the same records must be equal to the letter."""
    batches = data.draw(tenants(conflicts=False))
    others = data.draw(reordered(batches))

    assert _tell(others) == _tell(batches)


def _tell(batches: list[Json]) -> list[str]:
    """The whole answer, a focus on each of some keys, and a what-if, as JSON in its order and as text."""
    graph, evidence = read(*batches), build_evidence(*batches)
    keys = sorted(range(graph.keys), key=graph.key)
    structure = find_structure(graph)
    parts: list[dict[str, Any]] = [{}]
    parts += [{"focus": focus_on_key(graph, structure, evidence, key, 2)} for key in keys[:4]]
    parts += [{"focus": focus_on_batch(graph, structure, evidence, "b0", 2)}]
    parts += [{"what_if": assume_arrived(graph, structure, keys[::2])}]
    result = explain(graph, evidence, now=MOMENT, count=20)
    told = []
    for part in parts:
        found = Explanations(MOMENT, result, Coverage(), Coverage(), {"tenant_id": "t"}, **part)
        document = build_explanation(found, LEVEL, detailed=True)
        told += [json.dumps(document), write_explanation(document, Fence("m"))]
    return told


def test_oracle_and_package_agree_about_nothing() -> None:
    """A tenant without batches has an answer too."""
    tenant = Tenant([])

    assert (tenant.rank, tenant.structure.depths, tenant.structure.circles) == ([], {}, ())
    assert _whole_plan(tenant) == Plan((), 0)
    assert deepest_chains(tenant.graph, tenant.structure, 3) == list[Chain]()
