"""Output models of `explain_pending_dependencies`."""

from __future__ import annotations

from pydantic import BaseModel, Field

from reach_mcp.render.models.common import Coverage, Head, Holding, Items, LeftOut, Resource, Tail, Time


class Why(BaseModel):
    """Why a record is missing, the action that calls for, and the evidence."""

    cause: str
    action: str = Field(default="", description="If absent, the one that by_cause gives for the cause")
    batch: str = Field(default="", description="Batch that shows the cause")
    category: str = ""
    error: str = ""
    like: str = Field(default="", description="Seen id that it resembles")
    how: str = Field(default="", description="Why it resembles it, or how the batch was matched")
    others: int = Field(default=0, description="More batches or ids like the one shown")
    later_batches: int = Field(default=0, description="Later batches of the schema; they list no successes")


class _Named(BaseModel):
    record: str = Field(description="schema:external_id")


class Missing(Why, _Named):
    """A missing record, and why it is missing."""


class Blocker(Missing):
    waiting: int = Field(description="Pending resources that wait for it, directly or through others")
    direct: int = 0
    frees: int = Field(default=0, description="Of these, cleared if it alone arrives")
    batches: int = 0
    first_lost: Time | None = None


class Step(Missing):
    gain: int
    freed: int = Field(description="Running total")
    first_lost: Time | None = None


class Tally(BaseModel):
    cause: str
    action: str
    records: int
    waiting: int


class Reference(BaseModel):
    child: str
    parent: str
    rows: int


class Plan(Items[Step]):
    cleared_by_all: int
    upload_order: list[list[str]] = Field(
        default_factory=list, description="Groups of schemas that refer to each other"
    )
    references: list[Reference] = Field(default_factory=list, description="What the order follows from")


class LeaveOut(BaseModel):
    resend: str
    without: str


class Cycle(BaseModel):
    members: list[str] = Field(description="Each waits for the next, the last for the first")
    members_total: int = Field(default=0, description="Where not all are shown")
    leave_out: list[LeaveOut] = Field(default_factory=list, description="References that open the cycle when left out")
    leave_out_total: int = Field(default=0, description="Where not all are shown")
    rows: int
    behind: int = 0
    also_missing: int = 0
    first_lost: Time | None = None


class Hour(BaseModel):
    hour: Time = Field(description="Start of the clock hour, UTC")
    rows: int
    held_by: dict[str, int] = Field(default_factory=dict, description="Missing records, by resources that wait")
    holders: int = Field(default=0, description="In all")
    stuck: int = 0


class Expiry(BaseModel):
    within_1_h: int = 0
    within_24_h: int = Field(default=0, description="Includes within_1_h")
    later: int = 0
    unreadable: int = 0
    first: Time | None = None
    hours: Items[Hour]


class ExpiredBatch(BaseModel):
    batch: str
    schema_name: str = Field(default="", serialization_alias="schema")
    rows: int


class ExpiredRecord(BaseModel):
    record: str
    batch: str
    expired: Time | None = None
    misses: list[str] = Field(default_factory=list)
    pending_again: bool = False


class Expired(BaseModel):
    total: int
    batches: Items[ExpiredBatch] | None = None
    records: Items[ExpiredRecord] | None = None


class Counter(BaseModel):
    batch: str
    schema_name: str = Field(default="", serialization_alias="schema")
    counter: int | None = None
    listed: int
    expired: int = 0
    unreadable: int = 0


class Chains(BaseModel):
    by_depth: list[int] = Field(default_factory=list, description="Resources at depth 1 (missing records only), 2, ...")
    longest: list[str] = Field(default_factory=list)
    steps: int = 0


class _Steps(BaseModel):
    records: list[str] = Field(description="Each waits for the next")
    steps: int
    waiting: int


class Path(Why, _Steps):
    """A way down to a missing record."""


class Focus(BaseModel):
    kind: str
    asked: str = ""
    record: str = ""
    batch: str = ""
    why: Missing | None = None
    expired_rows: int = 0
    paths: Items[Path] | None = None
    waits_for_it: int = 0
    first_lost: Time | None = None
    alternatives: list[str] = Field(default_factory=list)
    ambiguous: bool = False


class WhatIf(BaseModel):
    assumed: list[str] = Field(default_factory=list)
    assumed_total: int = 0
    not_waited_for: list[str] = Field(default_factory=list)
    cleared: int
    rounds: list[int] = Field(default_factory=list, description="Cleared in each round")
    rounds_total: int = 0
    still_waiting: int
    stuck: int = 0
    missing: Items[Holding] | None = None


class Moved(BaseModel):
    record: str = ""
    before: int
    now: int


class Changes(BaseModel):
    since: Time | None = None
    pending_before: int
    pending_now: int
    new: int = 0
    gone: int = 0
    exact: bool = Field(default=True, description="If false, new and gone are minima")
    expired_at_most: int = 0
    missing_before: int
    missing_now: int
    moved: list[Moved] = Field(default_factory=list)
    unchanged: bool = False
    note: str = ""


class Counts(BaseModel):
    """pending = cleared_by_all + stuck + lists_nothing"""

    pending: int
    batches: int = 0
    missing_records: int = 0
    cleared_by_all: int = 0
    stuck: int = 0
    in_cycles: int = 0
    lists_nothing: int = 0
    cycles: int = 0
    expired: int = 0
    unreadable_expiry: int = 0
    duplicates: int = 0
    pending_by_counters: int = Field(default=0, description="Where it differs from what is listed")
    unreadable_resources: int = 0
    batches_without_rows: int = Field(default=0, description="Whose counter says pending, and that list none")


class _Body(Head):
    cause: str = Field(default="", description="Restricts blockers and plan")
    order: str = Field(default="", description="Of blockers and plan, where not the default")
    filter: LeftOut | None = None
    coverage: Coverage
    counts: Counts
    by_cause: list[Tally] = Field(default_factory=list)
    changes: Changes | None = None
    what_if: WhatIf | None = None
    focus: Focus | None = None
    blockers: Items[Blocker] | None = None
    plan: Plan | None = None
    cycles: Items[Cycle] | None = None
    expiry: Expiry | None = None
    expired: Expired | None = None
    resources: Items[Resource] | None = None
    counters: Items[Counter] | None = None
    chains: Chains | None = None
    since: str = Field(default="", description="Token for the next call's `since`")
    skipped: list[str] = Field(default_factory=list)


class PendingReport(Tail, _Body):
    """`explain_pending_dependencies`"""
