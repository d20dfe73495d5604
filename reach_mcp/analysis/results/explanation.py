"""The answer to one question about pending resources."""

from __future__ import annotations

from dataclasses import dataclass

from reach_mcp.analysis.results.batches import FilterReport
from reach_mcp.analysis.results.causes import ActionTally
from reach_mcp.analysis.results.common import Cause, Order, Section, View
from reach_mcp.analysis.results.focus import Changes, Focus, WhatIf
from reach_mcp.analysis.results.pending import (
    Blocker,
    Chains,
    CounterDifference,
    Counts,
    Cycle,
    Expired,
    Expiry,
    Plan,
    WaitingResource,
)
from reach_mcp.api.pagination import Coverage


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to one question about a tenant's pending resources. Sections that were not asked for are None."""

    as_of: float
    view: View
    order: Order
    coverage: Coverage
    filter: FilterReport | None
    counts: Counts
    tally: tuple[ActionTally, ...] = ()
    cause: Cause | None = None
    """Set when the question restricted blockers and plan to one cause."""
    blockers: Section[Blocker] | None = None
    plan: Plan | None = None
    """In the summary: the five records that free most together."""
    cycles: Section[Cycle] | None = None
    expiry: Expiry | None = None
    expired: Expired | None = None
    resources: Section[WaitingResource] | None = None
    counters: Section[CounterDifference] | None = None
    chains: Chains | None = None
    focus: Focus | None = None
    what_if: WhatIf | None = None
    changes: Changes | None = None
    token: str = ""
    """`since` token for the next call; only where asked for."""
    skipped: tuple[str, ...] = ()
    """Parts left out because the deadline came: in words, such as 'plan'."""
    notes: tuple[str, ...] = ()
    """Facts that qualify the answer, as whole sentences in plain English."""
    oldest_batch: tuple[str, str, float] | None = None
    """(id, schema, created) of the batch created first of those selected that hold live pending resources."""
