"""A snapshot with the facts that have been worked out from it, so that a follow-up question costs little."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from math import inf, isfinite

from reach_mcp.analysis.causes import CauseFinder
from reach_mcp.analysis.cycles import StuckGraph
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.lookup import RecordLookup
from reach_mcp.analysis.results import CauseFinding
from reach_mcp.analysis.selected_rows import SelectedRows
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.stop import Checkpoint, never_stop

MAX_KEPT_FILTERS = 8
"""Filters whose facts an analysis keeps."""
ROWS_AT_ONCE = 10_000
"""Rows that are dropped without letting another thread run, which takes some milliseconds."""


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
        records, index = self.lookup.resolve(name, suggest=False).records, self.snapshot.key_index
        keys = (index.get((record.schema_id, record.external_id)) for record in records)
        return [key for key in keys if key is not None]

    def find_causes(self, keys: Sequence[int]) -> dict[int, CauseFinding]:
        """The findings of some keys, without looking at all missing records."""
        known: dict[int, CauseFinding] = self.__dict__.get("findings", {})
        return known if all(key in known for key in keys) else self.causes.find(keys)

    def sort_by_expiry(self, rows: Iterable[int]) -> list[int]:
        """Order rows by expiry, those without a readable expiry last; ties go by identity."""
        found, keys = self.snapshot.rows, self.snapshot.keys

        def rank(number: int) -> tuple[float, tuple[str, str], str]:
            row = found[number]
            return row.expires if isfinite(row.expires) else inf, keys[row.key], row.id

        return sorted(rows, key=rank)

    def select(self, batch_filter: BatchFilter) -> SelectedRows:
        """The facts about the rows that a filter selects.

        Raises:
            QuestionError: no batch or pending resource has the schema asked for.
        """
        selected = self._selections.pop(batch_filter, None) or SelectedRows(self, batch_filter)
        self._selections[batch_filter] = selected
        while len(self._selections) > MAX_KEPT_FILTERS:
            vars(self._selections.pop(next(iter(self._selections)))).clear()
        return selected

    def close(self) -> None:
        """Drop everything. Facts refer to each other: a large snapshot would wait for the garbage collector.

        In pieces, between which other threads get the interpreter.
        """
        facts, rows = vars(self), self.snapshot.rows
        for selected in self._selections.values():
            vars(selected).clear()
        while facts:
            facts.popitem()
        while rows:
            del rows[-ROWS_AT_ONCE:]
