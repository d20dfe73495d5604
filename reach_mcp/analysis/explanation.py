"""What holds pending rows up, all of it: the result that `explain_pending_dependencies` renders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest
from typing import Literal

import numpy as np

from reach_mcp.analysis.arrival import Arrival
from reach_mcp.analysis.blockers import Blocker, Bounds, bound_waiting, rank_blockers
from reach_mcp.analysis.chains import CIRCLES, Chain, Circle, Structure, deepest_chains, find_structure
from reach_mcp.analysis.changes import NAMED, Changes, Snapshot, compare, take_snapshot
from reach_mcp.analysis.evidence import EvidenceBuilder, Finding
from reach_mcp.analysis.expiry import PAST, Expiry, find_hours, find_next, sum_expiry
from reach_mcp.analysis.graph import DependencyGraph, distinct
from reach_mcp.analysis.handles import build_handles
from reach_mcp.analysis.holders import count_hours, name_holders
from reach_mcp.analysis.plan import Plan, build_plan

Part = Literal["all", "blockers", "plan", "hours", "circles", "counters"]


@dataclass(frozen=True)
class Explained:
    """A root blocker with its handle, its causes, when what waits for it is deleted next, and rows that list it.

    `expired` of the rows that wait for it are past their time; `next` is in Unix seconds, infinite when none comes.
    """

    blocker: Blocker
    handle: str
    finding: Finding
    expired: int
    next: float
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Disagreement:
    """A batch whose counter of pending records and whose rows differ. Both are reported, neither is repaired."""

    batch_id: str
    counter: int
    rows: int


@dataclass(frozen=True)
class Explanation:
    """Everything said about one tenant's pending rows, or one part of it.

    `first` is the place, from 0, of the first blocker shown, or of the first of what the part lists: a key of the plan
    counted through all waves, an hour, a circle or a disagreement. `circles` begin there, `blockers` and the plan's
    steps as well; of hours and disagreements all are here.
    """

    graph: DependencyGraph
    part: Part
    rows: int
    batches: int
    first: int
    count: int
    blockers: tuple[Explained, ...]
    roots: int
    structure: Structure
    circles: tuple[Circle, ...]
    chains: tuple[Chain, ...]
    expiry: Expiry
    plan: Plan
    disagreements: tuple[Disagreement, ...]
    evidence_batches: int
    evidence_dropped: int
    snapshot: Snapshot
    changes: Changes | None


def explain(
    graph: DependencyGraph,
    evidence: EvidenceBuilder,
    *,
    now: float,
    count: int,
    first: int = 0,
    part: Part = "all",
    hours: int = 3,
    question: str = "",
    since: Snapshot | None = None,
) -> Explanation:
    """Work out what waits and why: `count` blockers and keys of each wave, or of the one part asked for, from `first`.

    With a count of 0 the parts that name blockers are left out: a focus, a what-if or the changes take their place.
    For the first `hours` hours of losses the blockers that hold the rows are named. `question` is what a token is good
    for: tenant and filters.
    """
    structure = find_structure(graph, first + count if part == "circles" else CIRCLES)
    bounds = bound_waiting(graph)
    arrival = Arrival(graph)
    wanted = count if part in ("all", "blockers") else 0
    place = first if wanted else 0
    ranked = rank_blockers(graph, count=max(wanted, NAMED), first=place, bounds=bounds, arrival=arrival)
    top = ranked if not place else rank_blockers(graph, count=NAMED, bounds=bounds, arrival=arrival)
    hour_of = find_hours(graph, now)
    expiry = sum_expiry(graph, now, hour_of)
    snapshot = take_snapshot(
        graph,
        question=question,
        now=now,
        waiting=[(blocker.key, blocker.waiting) for blocker in top],
        expiry=expiry,
    )
    ranked = ranked[:wanted]
    keys = [blocker.key for blocker in ranked]
    losses = {key: count_hours(hour_of, graph.waiting([key])) for key in keys}
    if count and part in ("all", "hours"):
        expiry = name_holders(graph, structure, expiry, hour_of, now=now, hours=hours, known=losses)
    handles = build_handles(graph, keys)
    findings = evidence.about(graph, keys)
    return Explanation(
        graph=graph,
        part=part,
        rows=graph.rows,
        batches=graph.count_batches(np.arange(graph.rows, dtype=np.int32)),
        first=first,
        count=count,
        blockers=tuple(
            Explained(
                blocker=blocker,
                handle=handles[blocker.key],
                finding=findings[blocker.key],
                expired=losses[blocker.key][PAST],
                next=find_next(graph.expires[graph.waiting([blocker.key])], now),
                examples=_first_examples(graph, blocker.key),
            )
            for blocker in ranked
        ),
        roots=len(graph.roots),
        structure=structure,
        circles=structure.circles[first:] if part == "circles" else structure.circles,
        chains=tuple(deepest_chains(graph, structure, 3)),
        expiry=expiry,
        plan=_build_plan(graph, bounds, arrival, part, first, count),
        disagreements=tuple(find_disagreements(graph)),
        evidence_batches=len(evidence.batches),
        evidence_dropped=evidence.dropped,
        snapshot=snapshot,
        changes=None if since is None else compare(graph, since, new=graph.new, now=now),
    )


def _build_plan(graph: DependencyGraph, bounds: Bounds, arrival: Arrival, part: Part, first: int, count: int) -> Plan:
    if not count or part not in ("all", "plan"):
        return Plan((), 0)
    return build_plan(graph, steps=count, first=first if part == "plan" else None, bounds=bounds, arrival=arrival)


def _first_examples(graph: DependencyGraph, key: int, count: int = 3) -> tuple[int, ...]:
    """The first keys by identity that list a key."""
    return tuple(
        nsmallest(count, distinct(graph.row_key[graph.listing.column(key)], graph.keys).tolist(), key=graph.key)
    )


def find_disagreements(graph: DependencyGraph) -> Iterator[Disagreement]:
    """Batches whose counter says something else than their rows, by batch id."""
    counted = np.bincount(graph.row_batch, minlength=len(graph.facts)).tolist()
    for facts, rows in sorted(zip(graph.facts, counted, strict=True), key=lambda pair: pair[0].id):
        if facts.counter is not None and facts.counter != rows:
            yield Disagreement(facts.id, facts.counter, rows)
