"""What to send, in which order, and what would clear if it arrived.

A greedy order: at each step the key that frees most in addition to what was sent before it. Finding the smallest set is
hard in general, so this is an order, not a proof.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf

import numpy as np

from reach_mcp.analysis.arrival import Arrival
from reach_mcp.analysis.blockers import Bounds, bound_waiting
from reach_mcp.analysis.components import find_components
from reach_mcp.analysis.graph import DependencyGraph

GREEDY = 60
"""Keys of a wave that are put into greedy order: looking for the best costs more with each."""

SEARCHED = 20_000
"""Keys looked at to find which gains a step outdates; beyond it all are worked out again."""


@dataclass(frozen=True)
class Step:
    """One key to send, and how many rows clear by it in addition to all steps before."""

    key: int
    adds: int


@dataclass(frozen=True)
class Wave:
    """What can be sent at once, as the `place`th: `keys` keys, of which `steps` are some, from their place `first` on.

    `adds` rows clear by the whole wave, `total` by it and all waves before, in `batches` batches that wait for nothing
    afterwards. `earliest` is the first expiry among the rows that wait for it, in Unix seconds.
    """

    place: int
    schemas: dict[str, int]
    steps: tuple[Step, ...]
    first: int
    keys: int
    adds: int
    total: int
    batches: int
    earliest: float


@dataclass(frozen=True)
class Plan:
    """Waves to send one after another; together they free every row that is not stuck in a circle."""

    waves: tuple[Wave, ...]
    unfreed: int


def build_plan(
    graph: DependencyGraph,
    *,
    steps: int,
    first: int | None = None,
    greedy: int = GREEDY,
    bounds: Bounds | None = None,
    arrival: Arrival | None = None,
) -> Plan:
    """Waves over all root blockers, each with the first `steps` of its keys in order.

    The first `greedy` keys of a wave are in greedy order, the others by how many rows list them, then by identity.
    With `first` only keys at the places `first` to `first + steps`, counted through all waves, are among the steps.
    `arrival`, of which nothing has been sent, is used up.
    """
    arrival = arrival or Arrival(graph)
    bound, _ = bounds or bound_waiting(graph)
    total = passed = 0
    waves: list[Wave] = []
    ordered = _order_waves(graph)
    expiries = _find_first_expiries(graph, ordered)
    for keys, earliest in zip(ordered, expiries, strict=True):
        start = 0 if first is None else min(max(0, first - passed), len(keys))
        end = steps if first is None else max(0, first + steps - passed)
        sent = list(islice(_send_in_order(graph, arrival, bound, keys, greedy), end))
        rest = arrival.send(key for key in keys if arrival.round_of[key] < 0)
        adds = sum(step.adds for step in sent) + sum(map(len, rest))
        total, passed = total + adds, passed + len(keys)
        waves.append(
            Wave(
                place=len(waves) + 1,
                schemas=_count_schemas(graph, keys),
                steps=tuple(sent[start:]),
                first=start,
                keys=len(keys),
                adds=adds,
                total=total,
                batches=_count_emptied(graph, arrival),
                earliest=earliest,
            )
        )
    return Plan(waves=tuple(waves), unfreed=int(np.count_nonzero(arrival.left)))


def _send_in_order(
    graph: DependencyGraph, arrival: Arrival, bound: memoryview[int], keys: Sequence[int], greedy: int
) -> Iterator[Step]:
    """Send key after key.

    The heap holds, for each key, what it frees now or, not yet known, the most that it could; of equals the one that
    more rows list, then the first. A key at the top whose gain is known is the best there is; sending it outdates the
    gains of only those keys whose cascade met its own.
    """
    gains: dict[int, int] = {}
    direct = graph.direct.data
    heap = [(-bound[key], -direct[key], place, key) for place, key in enumerate(keys)]
    places = dict(zip(keys, heap, strict=True))
    heapq.heapify(heap)
    while heap and greedy:
        claim, fewer, place, key = heapq.heappop(heap)
        if arrival.round_of[key] >= 0 or (key in gains and -claim != gains[key]):
            continue
        if key not in gains:
            gains[key] = arrival.gain(key)
            heapq.heappush(heap, (-gains[key], fewer, place, key))
            continue
        del gains[key]
        cleared = [int(row) for rows in arrival.send([key]) for row in rows]
        greedy -= 1
        yield Step(key, len(cleared))
        outdated = arrival.find_outdated(key, cleared, most=SEARCHED)
        for other in list(gains) if outdated is None else outdated & gains.keys():
            del gains[other]
            heapq.heappush(heap, places[other])
    rest = [key for key in keys if arrival.round_of[key] < 0]
    for key in sorted(rest, key=direct.__getitem__, reverse=True):
        yield Step(key, sum(map(len, arrival.send([key]))))


def _find_first_expiries(graph: DependencyGraph, waves: Sequence[Sequence[int]]) -> list[float]:
    """The earliest readable expiry among the rows that wait for each wave.

    Downwards from the row that is deleted first, then from the next, until every wave was met: a few rows as a rule.
    """
    wave_of = {key: number for number, keys in enumerate(waves) for key in keys}
    first: dict[int, float] = {}
    seen = bytearray(graph.rows)
    readable = np.count_nonzero(~np.isnan(graph.expires))
    for soonest in np.argsort(graph.expires, kind="stable")[:readable]:
        if len(first) == len(waves):
            break
        below = [int(soonest)]
        while below:
            row = below.pop()
            if seen[row]:
                continue
            seen[row] = True
            for key in graph.missing(row):
                if graph.is_pending[key]:
                    below += graph.bearers(key)
                else:
                    first.setdefault(wave_of[key], float(graph.expires[soonest]))
    return [first.get(number, inf) for number in range(len(waves))]


def _count_schemas(graph: DependencyGraph, keys: Sequence[int]) -> dict[str, int]:
    """How many keys each schema has, most first."""
    counts = Counter(map(graph.schema, keys))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _count_emptied(graph: DependencyGraph, arrival: Arrival) -> int:
    """Batches all of whose rows have cleared."""
    return graph.count_batches(arrival.left >= 0) - graph.count_batches(arrival.left > 0)


def _order_waves(graph: DependencyGraph) -> list[list[int]]:
    """Root blockers by schema, so that each wave refers only to schemas of waves before it, as the rows show it.

    Schemas that refer to one another in a circle share a wave.
    """
    refers = _find_references(graph)
    level: dict[int, int] = {}
    for group in find_components(refers):
        lowers = {lower for schema in group for lower in refers[schema]} - set(group)
        level.update(dict.fromkeys(group, 1 + max((level[lower] for lower in lowers), default=0)))
    waves: dict[int, list[int]] = {}
    for key, schema in zip(graph.roots, graph.schema_of[graph.roots].tolist(), strict=True):
        waves.setdefault(level[schema], []).append(key)
    return [waves[number] for number in sorted(waves)]


def _find_references(graph: DependencyGraph) -> dict[int, set[int]]:
    """Which schema refers to which, over all rows."""
    refers: dict[int, set[int]] = {schema: set() for schema in range(len(graph.schemas))}
    uppers = graph.schema_of[graph.row_key[graph.dep_row]].astype(np.int64)
    lowers = graph.schema_of[graph.missing.values]
    for pair in np.unique(uppers * len(refers) + lowers).tolist() if refers else ():
        upper, lower = divmod(pair, len(refers))
        if upper != lower:
            refers[upper].add(lower)
    return refers
