"""Results of the analysis: frozen dataclasses that rendering, the command line and reports read.

Times are Unix seconds; None where the API gave none or an unreadable one. Every list that can be long is a `Section`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from reach_mcp.api.pagination import Coverage

T = TypeVar("T")

Cause = Literal["failed", "deleted", "looks_like", "expired", "in_progress", "not_seen", "cycle"]
Action = Literal["correct_and_resend", "restore", "fix_reference", "resend", "wait", "send", "break_cycle"]
View = Literal["summary", "blockers", "plan", "expiry", "expired", "cycles", "resources", "counters"]
Order = Literal["waiting", "frees", "expiry"]

ACTION_OF: dict[Cause, Action] = {
    "failed": "correct_and_resend",
    "deleted": "restore",
    "looks_like": "fix_reference",
    "expired": "resend",
    "in_progress": "wait",
    "not_seen": "send",
    "cycle": "break_cycle",
}


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """A part of a list: `items` are those from `offset` on; `total` is the length of the whole list."""

    items: tuple[T, ...]
    total: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A record by its identity (schema_id, external_id).

    `schema` is what people call it: the schema's name, or the definition id where no name is known or where one name
    stands for several definitions. `schema:external_id` names the record everywhere.
    """

    schema: str
    external_id: str
    schema_id: str

    @property
    def name(self) -> str:
        return f"{self.schema}:{self.external_id}"


# --- batches -------------------------------------------------------------------------------------------------------


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
    most_pending: tuple[BatchSummary, ...]
    """The five batches with the highest pending counters."""
    most_failed: tuple[BatchSummary, ...]
    latest: BatchSummary | None
    """The batch created last."""
    without_counters: int
    """Batches of which a counter is absent or unreadable: they are in no sum."""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Record errors of one category whose messages have the same shape (ids, digits and quoted parts apart)."""

    category: str
    message: str
    """The message itself where all are equal, else its shape with the differing parts as `…`."""
    records: int
    """Distinct records."""
    variants: tuple[tuple[str, int], ...]
    """The commonest exact messages with record counts, where they differ; most first, at most five."""
    examples: tuple[str, ...]
    """External ids."""


@dataclass(frozen=True, slots=True)
class FilterReport:
    """What a filter left out. `description` is e.g. 'status failure, schema orders, created after 2026-11-23 08:00Z'."""

    description: str
    batches_matched: int
    batches_left_out: int
    resources_left_out: int
    """Live pending resources of the batches left out."""
    undated: tuple[str, ...] = ()
    """Ids of batches whose `createdAt` is absent or unreadable while a time filter is set: they are left out."""
    undated_total: int = 0


# --- causes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """What one batch says about one missing record."""

    batch_id: str
    batch_type: str
    batch_status: str
    at: float | None
    """When the batch completed, else started, else was created."""
    category: str
    message: str
    matched_by: Literal["definition", "name", "other_definition", "no_schema"]
    """By definition id; by schema name; by name though the definition ids differ; the batch has no schema at all."""


@dataclass(frozen=True, slots=True)
class Lookalike:
    """An id that was seen and is nearly the same as the missing one."""

    record: Record
    rule: str
    """In plain words: 'differs in letter case', 'leading zeros', 'has the prefix cust_', ..."""
    seen: Literal["pending", "failed"]
    difference: str = ""
    """Makes an invisible difference visible: 'seen id ends with U+000D (carriage return)'; empty where it shows."""


@dataclass(frozen=True, slots=True)
class CauseFinding:
    """Why one missing record is missing, with all evidence. `cause` is the surest that holds."""

    cause: Cause
    action: Action
    failures: tuple[Failure, ...] = ()
    """Ingest errors first (latest first), then later symptoms (PATCH, DELETE)."""
    failures_total: int = 0
    lookalikes: tuple[Lookalike, ...] = ()
    lookalikes_total: int = 0
    in_progress: tuple[str, ...] = ()
    """Ids of batches of its schema that are still processing."""
    expired_rows: int = 0
    """Expired pending resources of this very record."""
    later_batches: int = 0
    """Ingest batches of its schema that completed after the latest failure; they do not list their successes."""


@dataclass(frozen=True, slots=True)
class ActionTally:
    """How many missing records have a cause, and how many live pending resources wait for at least one of them."""

    cause: Cause
    action: Action
    records: int
    waiting: int


# --- what waits ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """Live pending resources (those selected by the filter), each counted once by its id.

    pending = cleared_by_plan + stuck + lists_nothing, where `cleared_by_plan` clear when every missing record arrives.
    """

    pending: int
    batches: int
    """Batches that hold live pending resources."""
    missing_records: int
    """Root blockers."""
    cleared_by_plan: int
    stuck: int
    in_cycles: int
    """Of `stuck`: members of a cycle; the others wait behind one."""
    lists_nothing: int
    cycles: int
    expired: int
    unreadable_expiry: int
    duplicates: int
    """Rows that were listed again and counted once, or that share an id with different content."""
    counters_pending: int
    """Sum of the readable pendingRecords counters of the batches selected."""
    unreadable_resources: int
    batches_with_counter_but_no_rows: int


@dataclass(frozen=True, slots=True)
class Blocker:
    """A missing record: live rows list it, no live row bears it. Counts are of live rows selected by the filter."""

    rank: int
    """Place in the order asked for, from 1."""
    record: Record
    waiting: int
    direct: int
    frees: int
    """Rows that clear, in turn, if it alone arrives."""
    batches: int
    """Batches whose rows list it directly."""
    earliest_expiry: float | None
    """Earliest readable expiry among the rows that wait for it."""
    finding: CauseFinding


@dataclass(frozen=True, slots=True)
class PlanStep:
    position: int
    record: Record
    gain: int
    """Rows that clear in addition once this record has arrived after those before it."""
    running_total: int
    deadline: float | None
    """Earliest expiry among the rows that wait for it."""
    finding: CauseFinding


@dataclass(frozen=True, slots=True)
class UploadOrder:
    """The order in which schemas have to be uploaded: each before those that refer to it."""

    schemas: tuple[tuple[str, ...], ...]
    """Groups; schemas that refer to each other share a group."""
    references: tuple[tuple[str, str, int], ...]
    """(from schema, to schema, rows): the references the order follows from, most rows first."""


@dataclass(frozen=True, slots=True)
class Plan:
    steps: Section[PlanStep]
    cleared_by_all: int
    upload_order: UploadOrder


@dataclass(frozen=True, slots=True)
class Cycle:
    """Records that wait for each other, so that none clears by itself."""

    members: Section[Record]
    """In the order of one walk around where there is one; each waits for the next."""
    leave_out: tuple[tuple[Record, Record], ...]
    """References (from member, to member) that open the whole cycle when left out: resend `from` without `to`."""
    rows: int
    """Live rows of its members."""
    behind: int
    """Stuck rows outside that wait for a member."""
    missing: int
    """Missing records outside the cycle for which its members wait as well."""
    earliest_expiry: float | None


@dataclass(frozen=True, slots=True)
class Holder:
    record: Record
    waiting: int


@dataclass(frozen=True, slots=True)
class ExpiryHour:
    """Live rows that expire in one clock hour (UTC)."""

    start: float
    rows: int
    holders: tuple[Holder, ...]
    """Missing records by how many rows of this hour wait for them, most first (at most three)."""
    holders_total: int
    stuck: int
    """Rows of this hour that are in or behind a cycle."""


@dataclass(frozen=True, slots=True)
class Expiry:
    within_hour: int
    within_day: int
    """Includes `within_hour`."""
    later: int
    unreadable: int
    next_at: float | None
    hours: Section[ExpiryHour]
    """Clock hours that lose rows, soonest first."""


@dataclass(frozen=True, slots=True)
class ExpiredRecord:
    """An expired pending resource: lost; its record has to be sent again."""

    record: Record
    batch_id: str
    expired_at: float
    misses: tuple[Record, ...]
    pending_again: bool
    """A live pending resource of the same record exists, so nothing is lost for good."""


@dataclass(frozen=True, slots=True)
class Expired:
    total: int
    batches: tuple[tuple[str, str, int], ...]
    """(batch id, schema, rows), most rows first; at most as many as `limit`."""
    batches_total: int
    records: Section[ExpiredRecord]


@dataclass(frozen=True, slots=True)
class WaitingResource:
    """One live pending resource."""

    id: str
    record: Record
    batch_id: str
    expires_at: float | None
    created_at: float | None
    misses: tuple[Record, ...]
    misses_total: int


@dataclass(frozen=True, slots=True)
class CounterDifference:
    """A batch whose pendingRecords counter and listed pending resources disagree."""

    batch_id: str
    schema: str
    counter: int | None
    listed: int
    """Rows that the API listed, unreadable and expired ones included."""
    expired: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Chains:
    """How deep rows wait: depth 1 lists only missing records, depth 2 waits for a row of depth 1, and so on."""

    by_depth: tuple[tuple[int, int], ...]
    longest: tuple[Record, ...]
    """One longest chain, from the row that waits most down to the missing record; at most 20 records."""
    longest_steps: int


# --- one record or batch -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Path:
    """A shortest way from what is in focus down to one missing record (or into a cycle), both ends included."""

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

    kind: Literal["pending", "missing", "expired", "failed", "batch", "not_pending"]
    asked: str
    record: Record | None
    batch: BatchSummary | None
    rows: Section[WaitingResource]
    """Its own live pending resources."""
    expired_rows: int
    paths: Section[Path]
    """One per missing record below it; ranked by rows in focus that wait for it."""
    cycles: tuple[Cycle, ...]
    """Every cycle it is in or waits behind."""
    cycles_total: int
    waits_for_it: int
    """Live rows that wait for it, directly or through others."""
    earliest_expiry: float | None
    finding: CauseFinding | None
    """Of the record itself where it is missing, expired or failed."""
    alternatives: tuple[Record, ...] = ()
    """Records that the text may also mean (same name in another definition), or near misses ('did you mean')."""
    ambiguous: bool = False


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
    pending_before: int
    pending_now: int
    new_at_least: int
    gone_at_least: int
    expired_at_most: int
    """Of those gone: how many can have expired."""
    exact: bool
    """`new_at_least` and `gone_at_least` are exact."""
    missing_before: int
    missing_now: int
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
    """Parts left out because the deadline came: in words, e.g. 'plan', 'ranking beyond the first 200 by direct count'."""
    notes: tuple[str, ...] = ()
    """Facts that qualify the answer, as whole sentences in plain English."""


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
