"""A snapshot with everything that has been worked out from it, so that a follow-up question costs little."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from reach_mcp.analysis.causes import CauseFinder
from reach_mcp.analysis.cycles import StuckGraph
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.graph import DependencyGraph
from reach_mcp.analysis.lookup import RecordLookup
from reach_mcp.analysis.part import Part
from reach_mcp.analysis.results import CauseFinding
from reach_mcp.analysis.simulation import Clearance
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.stop import Checkpoint, never_stop

MAX_KEPT_FILTERS = 8
"""Filters whose results an analysis keeps."""


class Analysis:
    """Facts about one snapshot, each worked out on first use. The caller serialises calls: there is no lock inside.

    A fact whose work `checkpoint` ends is worked out again when it is asked for again.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.as_of = snapshot.read_at
        self.checkpoint: Checkpoint = never_stop
        self._parts: dict[BatchFilter, Part] = {}

    def check(self) -> None:
        """Call the present call's checkpoint. Facts that outlive a call keep this method, not the call's checkpoint."""
        self.checkpoint()

    @cached_property
    def graph(self) -> DependencyGraph:
        """The graph of all live rows, whatever the filter."""
        return DependencyGraph(self.snapshot, self.as_of, checkpoint=self.check)

    @cached_property
    def clearance(self) -> Clearance:
        """What clears when every missing record arrives."""
        return Clearance(self.graph, checkpoint=self.check)

    @cached_property
    def stuck(self) -> StuckGraph:
        """What does not clear, and the cycles in it."""
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

    def find_causes(self, keys: Iterable[int]) -> dict[int, CauseFinding]:
        """The findings of some keys, without looking at all missing records."""
        known = self.__dict__.get("findings")
        return known if known is not None and all(key in known for key in keys) else self.causes.find(keys)

    def part(self, batch_filter: BatchFilter) -> Part:
        """The facts about the rows that a filter selects.

        Raises:
            QuestionError: no batch or pending resource has the schema asked for.
        """
        part = self._parts.pop(batch_filter, None) or Part(self, batch_filter)
        self._parts[batch_filter] = part
        while len(self._parts) > MAX_KEPT_FILTERS:
            del self._parts[next(iter(self._parts))]
        return part
