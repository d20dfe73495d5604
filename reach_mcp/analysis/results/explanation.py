"""The answer to one question about pending resources, and its parts about one record, batch, assumption or change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reach_mcp.analysis.results.batches import BatchSummary, FilterReport
from reach_mcp.analysis.results.common import ActionTally, Cause, CauseFinding, Order, Record, Section, View
from reach_mcp.analysis.results.pending import (
    Blocker,
    Chains,
    CounterDifference,
    Counts,
    Cycle,
    Expired,
    ExpiredRecord,
    Expiry,
    Holder,
    Plan,
    WaitingResource,
)
from reach_mcp.api.pagination import Coverage

FocusKind = Literal["pending", "missing", "arrived", "expired", "failed", "batch", "not_pending"]


@dataclass(frozen=True, slots=True)
class Path:
    """A shortest way from what is in focus down to one missing record, both ends included."""

    records: tuple[Record, ...]
    """At most 20; the middle of a longer one is left out."""
    steps: int
    finding: CauseFinding
    """Of the last record."""
    waiting: int
    """Rows in focus that wait for it."""


@dataclass(frozen=True, slots=True)
class Focus:
    """What one record or batch waits for, and what waits for it.

    kind: pending (has live rows) | missing (a root blocker) | arrived (named by assume_arrived) | expired (only expired
    rows) | failed (named only in errors) | batch | not_pending (nothing in what was read names it).
    """

    kind: FocusKind
    asked: str
    record: Record | None
    batch: BatchSummary | None
    rows: Section[WaitingResource]
    """Its own live rows; of a missing record, those that wait for it. Soonest lost first."""
    expired_rows: int
    paths: Section[Path]
    """One per missing record below it; ranked by rows in focus that wait for it."""
    cycles: tuple[Cycle, ...]
    """Every cycle it is in or waits behind; on the first page only."""
    cycles_total: int
    waits_for_it: int
    """Live rows that wait for it, directly or through others."""
    earliest_expiry: float | None
    finding: CauseFinding | None
    """Of the record itself where it is missing, expired or failed."""
    alternatives: tuple[Record, ...] = ()
    """Records that the text may also mean (same name in another definition), or near misses ('did you mean')."""
    ambiguous: bool = False
    expired: Section[ExpiredRecord] = field(default_factory=lambda: Section((), 0))
    """Its own expired pending resources, with the records that each missed."""
    missing: Section[Holder] = field(default_factory=lambda: Section((), 0))
    """Of a batch: the missing records to send for it, by rows in focus that wait for each."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What clears if some records arrived."""

    assumed: tuple[Record, ...]
    not_waited_for: tuple[str, ...]
    """Of what was assumed: names for which nothing waits."""
    cleared: int
    rounds: tuple[int, ...]
    """Rows that clear in each round."""
    still_waiting: int
    stuck: int
    missing: Section[Holder]
    """Missing records that remain, by rows still waiting for them."""


@dataclass(frozen=True, slots=True)
class MovedBlocker:
    record: Record | None
    """None where the record is no longer known by name (its hash alone stands in the token)."""
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed between a token and now, over the batches of the same filter."""

    since: float
    """When the token was made."""
    pending_before: int | None
    """This and the other counts of then and now are None where a reading is incomplete or selects other batches."""
    pending_now: int | None
    new_at_least: int
    gone_at_least: int
    expired_at_most: int
    """Of those gone: how many can have expired."""
    exact: bool
    """`new_at_least` and `gone_at_least` are exact."""
    missing_before: int | None
    missing_now: int | None
    moved: tuple[MovedBlocker, ...]
    unchanged: bool
    note: str = ""
    """Why nothing, or not all, can be compared; empty where all can."""


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
