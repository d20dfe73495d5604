"""The rows that one filter selects: facts about them, and the lists of an answer. The graph is that of all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property, reduce
from itertools import accumulate, chain, islice
from operator import or_
from typing import TYPE_CHECKING

from reach_mcp.analysis import pieces, results
from reach_mcp.analysis.batch_stats import describe_row, find_differences
from reach_mcp.analysis.blockers import RankedRoot, find_frees, rank
from reach_mcp.analysis.chains import describe_chains
from reach_mcp.analysis.cycles import KeyCycle, describe_cycle
from reach_mcp.analysis.expiry import describe_expired, describe_expiry, group_by_hour
from reach_mcp.analysis.filters import BatchFilter, count_rows
from reach_mcp.analysis.graph import Selection
from reach_mcp.analysis.plan import Step, plan
from reach_mcp.analysis.results import ACTION_OF, ActionTally, BatchSummary, Blocker, Cause, Counts, Order, Section
from reach_mcp.analysis.stop import paced
from reach_mcp.analysis.times import or_none
from reach_mcp.analysis.upload_order import find_upload_order
from reach_mcp.analysis.waiting import Waiting, count_by_group

if TYPE_CHECKING:
    from reach_mcp.analysis.analysis import Analysis

PLANNED_TOGETHER = 5
"""Records at the start of a plan that are chosen together, or as many as are asked for: the summary shows as many."""


class SelectedRows:
    """Facts are worked out on first use. Lists start at `offset` and have at most `limit` items."""

    def __init__(self, analysis: Analysis, batch_filter: BatchFilter) -> None:
        self.analysis = analysis
        self.snapshot = analysis.snapshot
        self.filter = batch_filter
        self.matched = batch_filter.apply(analysis.snapshot, by_row=True, checkpoint=analysis.check)
        self.flags: Selection = self.matched.rows if batch_filter.is_set else None
        """One byte per row of the snapshot, 1 where the row is selected; None where all are."""
        self.ranked = cache(self._rank)
        self.list_hours = cache(self._list_hours)
        self._frees: dict[int, int] = {}
        self._plans: dict[tuple[Order, Cause | None, int], tuple[list[Step], Iterator[Step]]] = {}

    @cached_property
    def rows(self) -> list[int]:
        """The live rows selected. Needs no graph."""
        now, flags = self.analysis.as_of, self.matched.rows
        return [number for number, row in enumerate(self.snapshot.rows) if flags[number] and not row.expires <= now]

    @cached_property
    def waiting(self) -> Waiting:
        """How many selected rows wait for each key, and for which root blockers the rows of each hour wait."""
        return count_by_group(self.analysis.graph, self._hours, checkpoint=self.analysis.check)

    @cached_property
    def roots(self) -> list[int]:
        """The missing records for which a selected row waits."""
        roots = self.analysis.graph.roots
        return roots if self.flags is None else [key for key in roots if self.waiting.counts.get(key)]

    @cached_property
    def stuck(self) -> list[int]:
        """The selected rows that do not clear when every missing record arrives."""
        return list(filter(self.analysis.clearance.is_stuck, self.rows))

    @cached_property
    def cycles(self) -> list[KeyCycle]:
        """The cycles that selected rows are in or wait behind, most rows first."""
        return self.analysis.stuck.rank(self.flags)

    @cached_property
    def holding(self) -> list[BatchSummary]:
        """The batches that hold selected live rows."""
        found = set(chain.from_iterable(map(self.snapshot.batches_of, self.rows)))
        return [self.snapshot.batches[number] for number in self.matched.batches if number in found]

    @cached_property
    def counts(self) -> Counts:
        """Counts that need no graph; the others are None."""
        return count_rows(self.snapshot, self.matched, self.rows)

    def count_outcome(self, counts: Counts) -> Counts:
        """Add the rows that clear or do not when every missing record arrives, and the cycles."""
        stuck = len(self.stuck)
        return replace(
            counts,
            cleared_by_plan=counts.pending - stuck - counts.lists_nothing,
            stuck=stuck,
            in_cycles=self.count(self.analysis.stuck.in_cycles),
            cycles=len(self.cycles),
        )

    def batches(self) -> list[BatchSummary]:
        """The batches selected."""
        return [self.snapshot.batches[number] for number in self.matched.batches]

    def count(self, rows: Iterable[int]) -> int:
        """How many of some rows are selected."""
        return sum(map(self.matched.rows.__getitem__, rows))

    def _rank(self, order: Order, cause: Cause | None = None) -> list[RankedRoot]:
        """The missing records, or those with one cause, in the order asked for."""
        if cause is not None:
            findings = self.analysis.findings
            return [root for root in self.ranked(order) if findings[root.key].cause == cause]
        frees = self._find_frees(self.roots) if order == "frees" else None
        return rank(self.analysis.graph, self.waiting, self.flags, order=order, frees=frees)

    def _find_frees(self, keys: Sequence[int]) -> dict[int, int]:
        """How many selected rows clear, in turn, for each of some keys if it alone arrives."""
        if unknown := [key for key in keys if key not in self._frees]:
            self._frees |= find_frees(self.analysis.graph, unknown, self.flags, checkpoint=self.analysis.check)
        return self._frees

    def _listing(self, key: int) -> Sequence[int]:
        """The selected rows that list a key."""
        rows = self.analysis.graph.waits_on(key)
        return rows if self.flags is None else [row for row in rows if self.flags[row]]

    def list_blockers(self, limit: int, offset: int, order: Order, cause: Cause | None) -> Section[Blocker]:
        """The missing records in the order asked for."""
        ranked = self.ranked(order, cause)
        frees = self._find_frees([root.key for root in ranked[offset : offset + limit]])
        return self._describe_blockers(ranked, frees, limit, offset)

    def list_by_direct_count(self, limit: int, offset: int) -> Section[Blocker]:
        """The missing records by the selected rows that list them. Nothing here asks the checkpoint.

        `waiting` is then that count too: rows that wait through others are not in it.
        """
        graph = self.analysis.graph
        listing = {key: rows for key in graph.roots if (rows := self._listing(key))}
        counts = {key: len(rows) for key, rows in listing.items()}
        earliest = {key: min(graph.expires[row] for row in rows) for key, rows in listing.items()}
        return self._describe_blockers(rank(graph, Waiting(counts, earliest), self.flags), {}, limit, offset)

    def _describe_blockers(
        self, ranked: Sequence[RankedRoot], frees: dict[int, int], limit: int, offset: int
    ) -> Section[Blocker]:
        page, rows = Section.of(range(1, len(ranked) + 1), offset, limit), self.snapshot.rows
        findings = self.analysis.find_causes([ranked[place - 1].key for place in page.items])

        def describe(place: int) -> Blocker:
            root = ranked[place - 1]
            return Blocker(
                rank=place,
                record=self.snapshot.record(root.key),
                waiting=root.waiting,
                direct=root.direct,
                frees=frees.get(root.key, 0),
                batches=len({rows[row].batch for row in self._listing(root.key)}),
                earliest_expiry=or_none(root.earliest),
                finding=findings[root.key],
            )

        return page.map(describe)

    @cached_property
    def tally(self) -> tuple[ActionTally, ...]:
        """Missing records by cause, with the selected rows that wait for at least one of them; most rows first.

        For cycles: all members, and the rows that are in a cycle or wait behind one.
        """
        findings, waiting = self.analysis.findings, self._count_by_cause()
        counts = Counter(findings[key].cause for key in self.roots)
        found = [ActionTally(cause, ACTION_OF[cause], records, waiting[cause]) for cause, records in counts.items()]
        if self.cycles:
            members = sum(len(cycle.members) for cycle in self.cycles)
            found.append(ActionTally("cycle", ACTION_OF["cycle"], members, len(self.stuck)))
        return tuple(sorted(found, key=lambda one: (-one.waiting, -one.records, one.cause)))

    def _count_by_cause(self) -> dict[Cause, int]:
        """How many selected rows wait for at least one missing record of each cause: one bit for each."""
        graph, check, findings = self.analysis.graph, self.analysis.check, self.analysis.findings
        bits: dict[Cause, int] = {}
        causes = {key: bits.setdefault(findings[key].cause, 1 << len(bits)) for key in paced(graph.roots, check)}
        for group in paced(reversed(graph.components), check):
            mask = _join(causes, chain.from_iterable(map(graph.lower.__getitem__, group)))
            causes.update(dict.fromkeys(group, mask))
        rows: Counter[int] = Counter()
        for listed, count in paced(pieces.count(map(graph.missing.__getitem__, self.rows)).items(), check):
            rows[_join(causes, listed)] += count
        return {cause: sum(rows[mask] for mask in rows if mask & bit) for cause, bit in bits.items()}

    def list_plan(self, limit: int, offset: int, order: Order, cause: Cause | None) -> results.Plan:
        """The plan. Its first records, as many as `limit` and at most `PLANNED_TOGETHER`, free most together."""
        total = len(self.ranked("waiting", cause))
        first = min(limit, PLANNED_TOGETHER) or PLANNED_TOGETHER
        steps = self._plan(order, cause, first, offset + limit) if offset < total else []
        findings = self.analysis.find_causes([step.key for step in steps[offset:]])
        totals = list(accumulate(step.gain for step in steps))
        items = [
            results.PlanStep(
                position=position,
                record=self.snapshot.record(step.key),
                gain=step.gain,
                running_total=running_total,
                deadline=or_none(self.waiting.earliest[step.key]),
                finding=findings[step.key],
            )
            for position, (step, running_total) in list(enumerate(zip(steps, totals, strict=True), 1))[offset:]
        ]
        return results.Plan(
            steps=Section(tuple(items), total, offset),
            cleared_by_all=len(self.rows) - len(self.stuck) - self.counts.lists_nothing,
            upload_order=self.upload_order,
        )

    def _plan(self, order: Order, cause: Cause | None, first: int, count: int) -> list[Step]:
        """The first steps of a plan. Steps are kept, and the way to the next. A plan that is ended is begun again."""
        key, analysis = (order, cause, first), self.analysis
        if key not in self._plans:
            self._plans[key] = (
                [],
                plan(
                    analysis.graph,
                    self.ranked("waiting", cause),
                    first=first,
                    order=order,
                    selection=self.flags,
                    clearance=analysis.clearance,
                    checkpoint=analysis.check,
                ),
            )
        steps, rest = self._plans.pop(key)
        steps += islice(rest, max(0, count - len(steps)))
        self._plans[key] = steps, rest
        return steps[:count]

    @cached_property
    def upload_order(self) -> results.UploadOrder:
        """The order in which the schemas of the selected rows have to be uploaded."""
        return find_upload_order(self.analysis.graph, self.flags)

    @cached_property
    def chains(self) -> results.Chains:
        """How deep the selected rows wait."""
        return describe_chains(self.analysis.graph, self.analysis.clearance, self.flags)

    @cached_property
    def _by_expiry(self) -> list[int]:
        return self.analysis.sort_by_expiry(self.rows)

    @cached_property
    def _hours(self) -> list[list[int]]:
        return group_by_hour(self.analysis.graph, self.flags)

    def _list_hours(self, limit: int, offset: int) -> results.Expiry:
        """The clock hours that lose rows, soonest first."""
        graph, clearance, holders = self.analysis.graph, self.analysis.clearance, self.waiting.holders
        return describe_expiry(graph, clearance, self._hours, holders, offset=offset, limit=limit)

    def list_expired(self, limit: int, offset: int) -> results.Expired:
        """The expired rows."""
        return describe_expired(self.analysis.graph, self.flags, offset=offset, limit=limit)

    def list_cycles(self, limit: int, offset: int, members: int | None) -> Section[results.Cycle]:
        """The cycles, with at most so many members each (None: all)."""
        graph, stuck = self.analysis.graph, self.analysis.stuck
        return Section.of(self.cycles, offset, limit).map(
            lambda cycle: describe_cycle(graph, stuck, cycle, members=members)
        )

    def list_resources(self, limit: int, offset: int) -> Section[results.WaitingResource]:
        """The live rows, soonest lost first; those without a readable expiry last."""
        rows = self.snapshot.rows
        return Section.of(self._by_expiry, offset, limit).map(lambda row: describe_row(self.snapshot, rows[row]))

    def list_counters(self, limit: int, offset: int) -> Section[results.CounterDifference]:
        """The batches whose counter disagrees with their rows, largest difference first."""
        return Section.of(find_differences(self.batches()), offset, limit)


def _join(masks: dict[int, int], keys: Iterable[int]) -> int:
    """The bits of any of some keys."""
    return reduce(or_, (masks.get(key, 0) for key in keys), 0)
