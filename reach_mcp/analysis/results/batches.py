"""Results about batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reach_mcp.analysis.results.common import Section
from reach_mcp.analysis.results.pending import Holder, WaitingResource
from reach_mcp.api.pagination import Coverage


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """One batch without its records. Counters are None where absent or unreadable."""

    id: str
    status: str
    type: str
    schema: str
    """Name, else definition id, else empty."""
    schema_id: str
    created: float | None
    started: float | None
    completed: float | None
    total: int | None
    processed: int | None
    successful: int | None
    failed: int | None
    pending: int | None
    success_rate: float | None
    message: str
    """The error of the batch as a whole; empty where there is none."""
    categories: tuple[tuple[str, int], ...]
    """Error categories with counts, most first: the API's summary, or counted from the details where absent."""
    listed: int | None
    """Pending resources that the API listed (readable or not); None where they were not asked for."""
    unreadable_resources: int
    unreadable_counters: tuple[str, ...]
    failed_records_named: int
    """Records named in errors.details: fewer than `failed` means that they are a sample."""
    live: int | None = None
    """Pending resources listed that had not expired at `as_of`; None where they were not asked for."""
    expired: int | None = None
    """Pending resources listed that had expired at `as_of`; None where they were not asked for."""


@dataclass(frozen=True, slots=True)
class Census:
    """Counts over batches. Mappings are sorted, most first."""

    batches: int
    by_status: tuple[tuple[str, int], ...]
    by_type: tuple[tuple[str, int], ...]
    by_schema: tuple[tuple[str, int], ...]
    records: tuple[tuple[str, int], ...]
    """total, processed, successful, pending, failed: sums of readable counters."""
    categories: tuple[tuple[str, int], ...]
    """Of the records whose categories the API gives: not of those that failed with a batch as a whole."""
    most_pending: tuple[BatchSummary, ...]
    """The five batches with the highest pending counters."""
    most_failed: tuple[BatchSummary, ...]
    latest: BatchSummary | None
    """The batch created last."""
    without_counters: int
    """Batches of which a counter is absent or unreadable: they are in no sum."""
    errors_named: int = 0
    """Failed records that the error details name: the error groups cover these one by one."""
    errors_covered: int = 0
    """Failed records that the error groups cover: those named, and those of batches that failed as a whole."""
    oldest_live: BatchSummary | None = None
    """The batch created first of those that hold live pending resources."""
    all_expired: int = 0
    """Batches whose pending resources have all expired."""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors of one category whose messages have the same shape (ids, digits and quoted parts apart)."""

    category: str
    message: str
    """The message itself where all are equal, else its shape with the differing parts as `…`."""
    records: int
    """Distinct records. Of whole batches: their failed counters, else their totals."""
    variants: tuple[tuple[str, int], ...]
    """The commonest exact messages with record counts, where they differ; most first, at most five."""
    examples: tuple[str, ...]
    """External ids; ids of batches where `whole_batch`."""
    whole_batch: bool = False
    """The message is of batches that failed as a whole: `variants` count batches, not records."""
    batches: int = 0
    """Batches that failed as a whole with this message."""


@dataclass(frozen=True, slots=True)
class FilterReport:
    """What a filter left out. For example 'status failure, schema orders'."""

    description: str
    batches_matched: int
    batches_left_out: int
    resources_left_out: int | None
    """Live pending resources left out, those of other schemas in matching batches too; None where none were read."""
    undated: tuple[str, ...] = ()
    """Ids of batches whose `createdAt` is absent or unreadable while a time filter is set: they are left out."""
    undated_total: int = 0
    resources_matched: int | None = None
    """Live pending resources selected; None where pending resources were not read."""


@dataclass(frozen=True, slots=True)
class BatchDetail:
    """One batch in full, from `GET /api/batches/{batchId}`."""

    as_of: float
    batch: BatchSummary
    error_groups: Section[ErrorGroup]
    pending: int
    """Live rows."""
    expired: int
    within_hour: int
    within_day: int
    next_expiry: float | None
    missing: Section[Holder]
    """Records that its live rows list, by rows that list them."""
    resources: Section[WaitingResource] | None
    """Only where asked for."""
    lists_nothing: int = 0
    """Live rows that list no missing record."""


@dataclass(frozen=True, slots=True)
class BatchListing:
    """Batches that match, in the API's order."""

    as_of: float
    coverage: Coverage
    filter: FilterReport | None
    census: Census
    """Over all that matched; in scope page, over the page."""
    scope: Literal["page", "all"]
    batches: Section[BatchSummary]
    error_groups: Section[ErrorGroup] | None = None
    """Errors of records, and of batches as a whole, of all that matched; most records first.

    Examples are `schema:external_id`, or ids of batches. `census` says how many of the failed records they cover.
    """
