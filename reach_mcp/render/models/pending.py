"""Output models of `explain_pending_dependencies`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo

from reach_mcp.analysis import results
from reach_mcp.render.formatting import HOUR, clock, to_datetime
from reach_mcp.render.models.causes import Action, ExpiredRecord, Missing, SchemaBatch
from reach_mcp.render.models.common import (
    MAX_ITEMS,
    MAX_NAMED,
    Count,
    Coverage,
    Head,
    Id,
    Items,
    LeftOut,
    Model,
    Name,
    Names,
    Note,
    Resource,
    Tail,
    Time,
    first,
)
from reach_mcp.render.models.focus import Changes, Focus, WhatIf


class Blocker(Missing):
    waiting: int = Field(description="Pending resources that wait for it, directly or through others")
    direct: int = 0
    frees: int = Field(description="Of these, cleared if it alone arrives")
    batches: int = 0
    first_lost: Time = Field(default=None, validation_alias="earliest_expiry")


class Step(Missing):
    gain: int = Field(description="Cleared in addition, once the records above it have arrived")
    freed: int = Field(description="Running total", validation_alias="running_total")
    first_lost: Time = Field(default=None, validation_alias="deadline")


class Tally(Model):
    cause: str
    action: Action
    records: int
    waiting: int


class Reference(Model):
    child: Id
    parent: Id
    rows: int


class Plan(Items[Step]):
    total: int = Field(validation_alias="steps.total")
    offset: int = Field(default=0, validation_alias="steps.offset")
    items: Annotated[list[Step], first(MAX_ITEMS)] = Field(default=[], validation_alias="steps.items")
    upload_order: Annotated[list[Annotated[list[Id], first(5)]], first(20)] = Field(
        default=[], description="Groups of schemas that refer to each other", validation_alias="upload_order.schemas"
    )
    references: Annotated[list[Reference], first(12)] = Field(
        default=[], description="What the order follows from", validation_alias="upload_order.references"
    )


class LeaveOut(Model):
    resend: Name
    without: Name


class Cycle(Model):
    members: Annotated[list[Name], first(200)] = Field(
        description="Each waits for the next, the last for the first", validation_alias="members.items"
    )
    members_total: int = Field(default=0, validation_alias="members.total")
    leave_out: Annotated[list[LeaveOut], first(MAX_NAMED)] = Field(default=[], description="References that open it")
    leave_out_total: int = 0
    rows: int
    behind: int = 0
    also_missing: int = Field(default=0, validation_alias="missing")
    first_lost: Time = Field(default=None, description="Of a member or behind", validation_alias="earliest_expiry")


def _clock(seconds: float, info: ValidationInfo) -> str:
    """The hour as the text writes it: an answer has many, and a whole time costs twice as much."""
    as_of: float = info.context or 0.0
    now, running = to_datetime(as_of), " (now)" if seconds <= as_of < seconds + HOUR else ""
    return clock(to_datetime(seconds), now) + running if now else ""


ClockHour = Annotated[str, BeforeValidator(_clock)]


class Hour(Model):
    hour: ClockHour = Field(description="UTC; with the date where it is not that of as_of", validation_alias="start")
    rows: int
    held_by: dict[Id, int] = Field(default={}, description="Missing records, by resources that wait")
    holders: int = Field(default=0, description="In all", validation_alias="holders_total")
    stuck: int = 0

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        return {"held_by": {holder.record.name: holder.waiting for holder in result.holders}}


class Expiry(Model):
    within_1_h: int = Field(default=0, validation_alias="within_hour")
    within_24_h: int = Field(default=0, description="Includes within_1_h", validation_alias="within_day")
    later: int = 0
    unreadable: int = 0
    first: Time = Field(default=None, validation_alias="next_at")
    hours: Items[Hour]


class ExpiredBatch(Model):
    batch: Id
    schema_name: Id = Field(default="", serialization_alias="schema")
    rows: int


class Expired(Model):
    total: int
    batches: Items[ExpiredBatch]
    records: Items[ExpiredRecord]

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        return {"batches": results.Section(result.batches, result.batches_total)}


class Counter(Model):
    batch: Id = Field(validation_alias="batch_id")
    schema_name: Id = Field(default="", alias="schema")
    counter: int | None = None
    listed: int
    expired: int = 0
    unreadable: int = 0


class Chains(Model):
    by_depth: Annotated[list[int], first(MAX_NAMED)] = Field(
        default=[], description="Resources at depth 1 (missing records only), 2, ..."
    )
    longest: Names = Field(default=[])
    longest_total: int = Field(default=0, description="Where not all are shown")
    steps: int = Field(default=0, validation_alias="longest_steps")

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        return {"by_depth": [rows for _, rows in result.by_depth], "longest_total": result.longest_steps + 1}


class OldestBatch(Model):
    batch: Id
    schema_name: Id = Field(default="", serialization_alias="schema")
    created: Time = None


class Counts(Model):
    """pending = cleared_by_all + stuck + lists_nothing, unless `skipped` names some of these."""

    pending: int
    batches: int = 0
    missing_records: Count = 0
    cleared_by_all: Count = Field(default=0, validation_alias="cleared_by_plan")
    stuck: Count = 0
    in_cycles: Count = 0
    lists_nothing: int = 0
    cycles: Count = 0
    expired: int = 0
    unreadable_expiry: int = 0
    duplicates: int = 0
    pending_by_counters: int = Field(default=0, description="Where it differs from what is listed")
    unreadable_resources: int = 0
    batches_without_rows: int = Field(
        default=0,
        validation_alias="batches_with_counter_but_no_rows",
    )

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        listed = result.pending + result.expired + result.unreadable_resources + result.repeated
        return {"pending_by_counters": result.counters_pending if result.counters_pending != listed else 0}


class _Body(Head):
    cause: Id = Field(default="", description="Restricts blockers and plan")
    order: str = Field(default="", description="Of blockers and plan, where not the default")
    filter: LeftOut | None = None
    coverage: Coverage
    counts: Counts
    oldest_batch: OldestBatch | None = Field(default=None, description="Oldest batch with live pending resources")
    changes: Changes | None = None
    what_if: WhatIf | None = None
    focus: Focus | None = None
    plan: Plan | None = None
    by_cause: list[Tally] = Field(default=[])
    blockers: Items[Blocker] | None = None
    cycles: Items[Cycle] | None = None
    expiry: Expiry | None = None
    expired: Expired | None = None
    resources: Items[Resource] | None = None
    counters: Items[Counter] | None = None
    schema_batches: list[SchemaBatch] = Field(
        default=[], description="Batches of missing records' schemas that failed as a whole or still run"
    )
    chains: Chains | None = None
    since: str = Field(default="", description="Token for the next call's `since`", validation_alias="token")
    skipped: list[Note] = Field(default=[])


class PendingReport(Tail, _Body):
    """`explain_pending_dependencies`"""
