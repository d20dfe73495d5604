"""What waits, for which missing records, and until when."""

from __future__ import annotations

from dataclasses import dataclass

from reach_mcp.analysis.results.common import CauseFinding, Record, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Live pending resources (those selected by the filter), each counted once by its id.

    pending = cleared_by_plan + stuck + lists_nothing, where `cleared_by_plan` clear when every missing record arrives.
    """

    pending: int
    batches: int
    """Batches that hold live pending resources."""
    missing_records: int | None = None
    """Root blockers. This and the other counts that need the graph are None where there was no time for them."""
    cleared_by_plan: int | None = None
    stuck: int | None = None
    in_cycles: int | None = None
    """Of `stuck`: members of a cycle; the others wait behind one."""
    lists_nothing: int
    cycles: int | None = None
    expired: int
    unreadable_expiry: int
    duplicates: int
    """Rows that share an id with another one: equal ones count once, different ones are kept apart."""
    counters_pending: int
    """Sum of the readable pendingRecords counters of the batches selected."""
    unreadable_resources: int
    batches_with_counter_but_no_rows: int
    repeated: int = 0
    """Rows that the API listed again and that count once. It listed `pending`, `expired`, unreadable and these."""
    unreadable_counters: int = 0
    """Batches whose pendingRecords counter is no sensible number."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A missing record: live rows list it, no live row has it. Counts are of live rows selected by the filter."""

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
    """In the order of one walk around if `one_walk`: each waits for the next, the last for the first."""
    leave_out: tuple[tuple[Record, Record], ...]
    """References (from member, to member) that open the whole cycle when left out: resend `from` without `to`."""
    rows: int
    """Live rows of its members."""
    behind: int
    """Stuck rows outside that wait for a member."""
    missing: int
    """Missing records outside the cycle for which its members wait as well."""
    earliest_expiry: float | None
    one_walk: bool = True
    """False where several cycles share members, so that no single walk leads through all of them."""


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
