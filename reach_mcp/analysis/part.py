"""Facts about the rows that one filter selects, each worked out on first use and kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from reach_mcp.analysis.blockers import RankedRoot, find_frees, rank
from reach_mcp.analysis.chains import describe_chains
from reach_mcp.analysis.cycles import KeyCycle
from reach_mcp.analysis.descent import rows_above
from reach_mcp.analysis.expiry import Hours, group_by_hour
from reach_mcp.analysis.filters import BatchFilter, Matched
from reach_mcp.analysis.plan import Step, plan
from reach_mcp.analysis.results import ACTION_OF, ActionTally, Cause, Chains, Counts, Expiry, Order, UploadOrder
from reach_mcp.analysis.rows import soonest_first
from reach_mcp.analysis.upload_order import find_upload_order
from reach_mcp.analysis.waiting import Waiting, count_waiting

if TYPE_CHECKING:
    from reach_mcp.analysis.analysis import Analysis

PLANNED_TOGETHER = 5
"""Records at the start of a plan that are chosen together: the summary shows as many."""


class Part:
    """Facts about the rows that one filter selects. The graph is always that of all rows."""

    def __init__(self, analysis: Analysis, batch_filter: BatchFilter) -> None:
        self.analysis = analysis
        self.filter = batch_filter
        self.matched: Matched = batch_filter.apply_to_rows(analysis.snapshot)
        self.flags = self.matched.rows if batch_filter.is_set else None
        """One byte per row of the snapshot, 1 where the row is selected; None where all are."""
        self.counts: Counts | None = None
        """All counts, once they have been worked out."""
        self.expiry: dict[tuple[int, int], Expiry] = {}
        """(limit, offset) to hours of expiry that have been worked out."""
        self._ranked: dict[tuple[Order, Cause | None], list[RankedRoot]] = {}
        self._frees: dict[int, int] = {}
        self._plans: dict[tuple[Order, Cause | None], PlanSoFar] = {}

    @cached_property
    def rows(self) -> list[int]:
        """The live rows selected."""
        now, flags = self.analysis.as_of, self.matched.rows
        return [
            number for number, row in enumerate(self.analysis.snapshot.rows) if flags[number] and not row.expires <= now
        ]

    @cached_property
    def by_expiry(self) -> list[int]:
        """The live rows selected, soonest lost first."""
        return soonest_first(self.analysis.snapshot, self.rows)

    @cached_property
    def expired(self) -> list[int]:
        """The expired rows selected."""
        rows, now = enumerate(self.analysis.snapshot.rows), self.analysis.as_of
        return [number for number, row in rows if row.expires <= now and self.matched.rows[number]]

    @cached_property
    def waiting(self) -> Waiting:
        """How many selected rows wait for each key."""
        return count_waiting(self.analysis.graph, self.flags, checkpoint=self.analysis.checkpoint)

    @cached_property
    def roots(self) -> list[int]:
        """The missing records for which a selected row waits."""
        if self.flags is None:
            return self.analysis.graph.roots
        counts = self.waiting.counts
        return [key for key in self.analysis.graph.roots if counts.get(key)]

    @cached_property
    def stuck(self) -> list[int]:
        """The selected rows that do not clear when every missing record arrives."""
        return list(filter(self.analysis.clearance.is_stuck, self.rows))

    def listing(self, key: int) -> Sequence[int]:
        """The selected rows that list a key."""
        rows = self.analysis.graph.waits_on(key)
        return rows if self.flags is None else [row for row in rows if self.flags[row]]

    def count_batches(self, key: int) -> int:
        """The number of batches whose selected rows list a key."""
        rows = self.analysis.snapshot.rows
        return len({rows[row].batch for row in self.listing(key)})

    def count_above(self, keys: Iterable[int]) -> int:
        """How many selected rows wait for at least one of some keys."""
        above = rows_above(self.analysis.graph, keys)
        return len(above) if self.flags is None else sum(self.flags[row] for row in above)

    def ranked(self, order: Order, cause: Cause | None = None) -> list[RankedRoot]:
        """The missing records, or those with one cause, in the order asked for."""
        if (order, cause) not in self._ranked:
            self._ranked[order, cause] = self._rank(order) if cause is None else self._with_cause(order, cause)
        return self._ranked[order, cause]

    def _rank(self, order: Order) -> list[RankedRoot]:
        frees = self.find_frees(self.roots) if order == "frees" else None
        return rank(self.analysis.graph, self.waiting, self.flags, order=order, frees=frees)

    def _with_cause(self, order: Order, cause: Cause) -> list[RankedRoot]:
        findings = self.analysis.findings
        return [root for root in self.ranked(order) if findings[root.key].cause == cause]

    def find_frees(self, keys: Sequence[int]) -> dict[int, int]:
        """How many selected rows clear, in turn, for each of some keys if it alone arrives."""
        if unknown := [key for key in keys if key not in self._frees]:
            graph, checkpoint = self.analysis.graph, self.analysis.checkpoint
            self._frees |= find_frees(graph, unknown, self.flags, checkpoint=checkpoint)
        return self._frees

    def plan(self, order: Order, cause: Cause | None) -> PlanSoFar:
        """The plan over the missing records, or over those with one cause."""
        kept = self._plans.get((order, cause))
        if kept is None or kept.broke_off:
            kept = self._plans[order, cause] = PlanSoFar(self, order, cause)
        return kept

    @cached_property
    def hours(self) -> Hours:
        """The live rows selected, by the clock hour in which they expire."""
        return group_by_hour(self.analysis.graph, self.flags)

    @cached_property
    def upload_order(self) -> UploadOrder:
        """The order in which the schemas of the selected rows have to be uploaded."""
        return find_upload_order(self.analysis.graph, self.flags)

    @cached_property
    def chains(self) -> Chains:
        """How deep the selected rows wait."""
        return describe_chains(self.analysis.graph, self.analysis.clearance, self.flags)

    @cached_property
    def cycles(self) -> list[KeyCycle]:
        """The cycles that selected rows are in or wait behind, most rows first."""
        return self.analysis.stuck.rank(self.flags)

    @cached_property
    def tally(self) -> tuple[ActionTally, ...]:
        """Missing records by cause, with the selected rows that wait for at least one of them; most rows first.

        For cycles: all members, and the rows that are in a cycle or wait behind one.
        """
        by_cause: dict[Cause, list[int]] = {}
        findings = self.analysis.findings
        for key in self.roots:
            by_cause.setdefault(findings[key].cause, []).append(key)
        found = [
            ActionTally(cause, ACTION_OF[cause], len(keys), self.count_above(keys)) for cause, keys in by_cause.items()
        ]
        if self.cycles:
            members = sum(len(cycle.members) for cycle in self.cycles)
            found.append(ActionTally("cycle", ACTION_OF["cycle"], members, len(self.stuck)))
        return tuple(sorted(found, key=lambda one: (-one.waiting, -one.records, one.cause)))


class PlanSoFar:
    """The steps of a plan that have been asked for, and the way to the next ones."""

    def __init__(self, part: Part, order: Order, cause: Cause | None) -> None:
        analysis = part.analysis
        ranked = part.ranked("waiting", cause)
        self.total = len(ranked)
        self.broke_off = False
        """The work was ended by a checkpoint: this plan cannot be continued."""
        self._steps: list[Step] = []
        self._rest: Iterator[Step] = plan(
            analysis.graph,
            ranked,
            first=PLANNED_TOGETHER,
            order=order,
            selection=part.flags,
            clearance=analysis.clearance,
            checkpoint=analysis.check,
        )

    def take(self, count: int) -> list[Step]:
        """The first steps, at most `count`."""
        self.broke_off = True
        self._steps += islice(self._rest, max(0, min(count, self.total) - len(self._steps)))
        self.broke_off = False
        return self._steps[:count]
