"""A snapshot with the facts that have been worked out from it, so that a follow-up question costs little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import chain, islice
from math import isnan

from reach_mcp.analysis.blockers import RankedRoot, find_frees, rank
from reach_mcp.analysis.causes import CauseFinder
from reach_mcp.analysis.chains import describe_chains
from reach_mcp.analysis.cycles import KeyCycle, StuckGraph
from reach_mcp.analysis.expiry import Hours, describe_expiry, group_by_hour
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.graph import DependencyGraph, Selection
from reach_mcp.analysis.lookup import RecordLookup
from reach_mcp.analysis.plan import Step, plan
from reach_mcp.analysis.results import Cause, CauseFinding, Chains, Expiry, Order, UploadOrder
from reach_mcp.analysis.rows import soonest_first
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.stop import Checkpoint, never_stop, paced
from reach_mcp.analysis.upload_order import find_upload_order
from reach_mcp.analysis.waiting import Waiting, count_waiting

MAX_KEPT_FILTERS = 8
"""Filters whose facts an analysis keeps."""

PLANNED_TOGETHER = 5
"""Records at the start of a plan that are chosen together: the summary shows as many."""


class Analysis:
    """Facts about one snapshot, each worked out on first use. The caller serialises calls: there is no lock inside.

    A fact whose work `checkpoint` ends is worked out again when it is asked for again.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.as_of = snapshot.read_at
        self.checkpoint: Checkpoint = never_stop
        self._selections: dict[BatchFilter, SelectedRows] = {}

    def check(self) -> None:
        """Call the present call's checkpoint. Facts that outlive a call keep this method, not the call's checkpoint."""
        self.checkpoint()

    @cached_property
    def graph(self) -> DependencyGraph:
        """The graph of all live rows, whatever the filter."""
        return DependencyGraph(self.snapshot, self.as_of, checkpoint=self.check)

    @cached_property
    def clearance(self) -> Clearance:
        """The rows that clear when every missing record arrives, by round."""
        return Clearance(self.graph, checkpoint=self.check)

    @cached_property
    def stuck(self) -> StuckGraph:
        """The rows that do not clear, and the cycles among them."""
        return StuckGraph(self.graph, self.clearance, checkpoint=self.check)

    @cached_property
    def causes(self) -> CauseFinder:
        """Finds why records are missing."""
        return CauseFinder(self.snapshot, self.graph)

    @cached_property
    def findings(self) -> dict[int, CauseFinding]:
        """The finding of every missing record."""
        return self.causes.find(self.graph.roots, checkpoint=self.check)

    @cached_property
    def lookup(self) -> RecordLookup:
        """Finds the record or batch that a text names."""
        return RecordLookup(self.snapshot)

    def keys_of(self, name: str) -> list[int]:
        """The keys that a name stands for: several where it is ambiguous, none where nothing read has it."""
        found, index = self.lookup.resolve(name, suggest=False), self.snapshot.key_index
        records = [found.record] if found.record else found.alternatives
        keys = (index.get((record.schema_id, record.external_id)) for record in records)
        return [key for key in keys if key is not None]

    def find_causes(self, keys: Sequence[int]) -> dict[int, CauseFinding]:
        """The findings of some keys, without looking at all missing records."""
        known: dict[int, CauseFinding] = self.__dict__.get("findings", {})
        return known if all(key in known for key in keys) else self.causes.find(keys)

    def select(self, batch_filter: BatchFilter) -> SelectedRows:
        """The facts about the rows that a filter selects.

        Raises:
            QuestionError: no batch or pending resource has the schema asked for.
        """
        selected = self._selections.pop(batch_filter, None) or SelectedRows(self, batch_filter)
        self._selections[batch_filter] = selected
        while len(self._selections) > MAX_KEPT_FILTERS:
            del self._selections[next(iter(self._selections))]
        return selected


class SelectedRows:
    """Facts about the rows that one filter selects. The graph is always that of all rows."""

    def __init__(self, analysis: Analysis, batch_filter: BatchFilter) -> None:
        self.analysis = analysis
        self.filter = batch_filter
        self.matched = batch_filter.apply(analysis.snapshot, checkpoint=analysis.check)
        self.flags: Selection = self.matched.rows if batch_filter.is_set else None
        """One byte per row of the snapshot, 1 where the row is selected; None where all are."""
        self.ranked = cache(self._rank)
        self.expiry = cache(self._describe_expiry)
        self._frees: dict[int, int] = {}
        self._plans: dict[tuple[Order, Cause | None], tuple[list[Step], Iterator[Step]]] = {}

    @cached_property
    def rows(self) -> list[int]:
        """The live rows selected."""
        now, flags = self.analysis.as_of, self.matched.rows
        rows = enumerate(self.analysis.snapshot.rows)
        return [number for number, row in rows if flags[number] and not row.expires <= now]

    @cached_property
    def by_expiry(self) -> list[int]:
        """The live rows selected, soonest lost first."""
        return soonest_first(self.analysis.snapshot, self.rows)

    @cached_property
    def expired(self) -> list[int]:
        """The expired rows selected."""
        now, flags = self.analysis.as_of, self.matched.rows
        return [
            number for number, row in enumerate(self.analysis.snapshot.rows) if row.expires <= now and flags[number]
        ]

    @cached_property
    def waiting(self) -> Waiting:
        """How many selected rows wait for each key."""
        return count_waiting(self.analysis.graph, self.flags, checkpoint=self.analysis.check)

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
    def holding(self) -> int:
        """How many batches hold selected rows."""
        return len({self.analysis.snapshot.rows[row].batch for row in self.rows})

    @cached_property
    def unreadable(self) -> int:
        """How many selected rows have no readable expiry."""
        return sum(isnan(self.analysis.snapshot.rows[row].expires) for row in self.rows)

    @cached_property
    def lists_nothing(self) -> int:
        """How many selected rows list nothing missing."""
        return sum(not self.analysis.snapshot.rows[row].missing for row in self.rows)

    @cached_property
    def chains(self) -> Chains:
        """How deep the selected rows wait."""
        return describe_chains(self.analysis.graph, self.analysis.clearance, self.flags)

    @cached_property
    def upload_order(self) -> UploadOrder:
        """The order in which the schemas of the selected rows have to be uploaded."""
        return find_upload_order(self.analysis.graph, self.flags)

    @cached_property
    def waiting_by_cause(self) -> dict[Cause, int]:
        """How many selected rows wait for at least one missing record of each cause."""
        graph, check, findings = self.analysis.graph, self.analysis.check, self.analysis.findings
        bits: dict[Cause, int] = {}
        causes = {key: bits.setdefault(findings[key].cause, 1 << len(bits)) for key in paced(graph.roots, check)}
        for group in paced(reversed(graph.components), check):
            mask = _join(causes, chain.from_iterable(map(graph.lower.__getitem__, group)))
            causes.update(dict.fromkeys(group, mask))
        rows: Counter[int] = Counter()
        for listed, count in paced(Counter(map(graph.missing.__getitem__, self.rows)).items(), check):
            rows[_join(causes, listed)] += count
        return {cause: sum(rows[mask] for mask in rows if mask & bit) for cause, bit in bits.items()}

    @cached_property
    def _hours(self) -> Hours:
        return group_by_hour(self.analysis.graph, self.flags)

    def _describe_expiry(self, limit: int, offset: int) -> Expiry:
        """The clock hours that lose rows, soonest first."""
        graph, clearance, check = self.analysis.graph, self.analysis.clearance, self.analysis.check
        return describe_expiry(graph, clearance, self._hours, offset=offset, limit=limit, checkpoint=check)

    def listing(self, key: int) -> Sequence[int]:
        """The selected rows that list a key."""
        rows = self.analysis.graph.waits_on(key)
        return rows if self.flags is None else [row for row in rows if self.flags[row]]

    def count(self, rows: Iterable[int]) -> int:
        """How many of some rows are selected."""
        return sum(map(self.matched.rows.__getitem__, rows))

    def _rank(self, order: Order, cause: Cause | None = None) -> list[RankedRoot]:
        """The missing records, or those with one cause, in the order asked for."""
        if cause is not None:
            findings = self.analysis.findings
            return [root for root in self.ranked(order) if findings[root.key].cause == cause]
        frees = self.find_frees(self.roots) if order == "frees" else None
        return rank(self.analysis.graph, self.waiting, self.flags, order=order, frees=frees)

    def rank_by_direct_count(self) -> list[RankedRoot]:
        """The missing records by the selected rows that list them. Nothing here asks the checkpoint.

        `waiting` is then that count too: rows that wait through others are not in it.
        """
        graph = self.analysis.graph
        listing = {key: rows for key in graph.roots if (rows := self.listing(key))}
        counts = {key: len(rows) for key, rows in listing.items()}
        earliest = {key: min(graph.expires[row] for row in rows) for key, rows in listing.items()}
        return rank(graph, Waiting(counts, earliest), self.flags)

    def find_frees(self, keys: Sequence[int]) -> dict[int, int]:
        """How many selected rows clear, in turn, for each of some keys if it alone arrives."""
        if unknown := [key for key in keys if key not in self._frees]:
            self._frees |= find_frees(self.analysis.graph, unknown, self.flags, checkpoint=self.analysis.check)
        return self._frees

    def plan(self, order: Order, cause: Cause | None, count: int) -> list[Step]:
        """The first steps, at most `count`, of the plan over the missing records, or over those with one cause.

        Steps are kept, and the way to the next ones. A plan whose work is ended is begun again.
        """
        if (order, cause) not in self._plans:
            self._plans[order, cause] = [], self._begin_plan(order, cause)
        steps, rest = self._plans.pop((order, cause))
        steps += islice(rest, max(0, count - len(steps)))
        self._plans[order, cause] = steps, rest
        return steps[:count]

    def _begin_plan(self, order: Order, cause: Cause | None) -> Iterator[Step]:
        analysis = self.analysis
        return plan(
            analysis.graph,
            self.ranked("waiting", cause),
            first=PLANNED_TOGETHER,
            order=order,
            selection=self.flags,
            clearance=analysis.clearance,
            checkpoint=analysis.check,
        )


def _join(masks: dict[int, int], keys: Iterable[int]) -> int:
    """The bits of any of some keys."""
    found = 0
    for key in keys:
        found |= masks.get(key, 0)
    return found
