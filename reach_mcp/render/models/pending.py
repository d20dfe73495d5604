"""Output models of `explain_pending_dependencies`."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo

from reach_mcp.analysis import results
from reach_mcp.render.formatting import HOUR, clock, to_datetime
from reach_mcp.render.models import common
from reach_mcp.render.models.causes import Action, ExpiredRecord, Missing, SchemaBatch, Why, explain_cause
from reach_mcp.render.models.common import Count, Id, Items, Length, Model, Name, Names, Time, attribute, first


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
    upload_order: Annotated[list[Annotated[list[Id], first(5)]], first(20)] = Field(
        default=[], description="Groups of schemas that refer to each other", validation_alias="schemas"
    )
    references: Annotated[list[Reference], first(12)] = Field(default=[])
    references_total: int = 0

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        order = result.upload_order
        return common.attributes(result.steps) | common.attributes(order) | {"references_total": len(order.references)}


class LeaveOut(Model):
    resend: Name
    without: Name


class Cycle(Model):
    members: Annotated[list[Name], first(200), attribute("items")] = Field(
        description="Each waits for the next, the last for the first, unless overlapping"
    )
    overlapping: Annotated[bool, BeforeValidator(operator.not_)] = Field(
        default=False, description="Cycles that share members", validation_alias="one_walk"
    )
    members_total: Annotated[int, attribute("total")] = Field(default=0, validation_alias="members")
    leave_out: Annotated[list[LeaveOut], first(common.MAX_NAMED)] = Field(
        default=[], description="References that open it"
    )
    leave_out_total: Length = Field(default=0, validation_alias="leave_out")
    rows: int
    behind: int = 0
    also_missing: int = Field(default=0, validation_alias="missing")
    first_lost: Time = Field(default=None, description="Of a member or behind", validation_alias="earliest_expiry")


def _clock(seconds: float, info: ValidationInfo) -> str:
    """The hour as the text writes it: an answer has many, and a whole time costs twice as much."""
    as_of: float = info.context or 0.0
    running = " (now)" if seconds <= as_of < seconds + HOUR else ""
    return clock(to_datetime(seconds), datetime.fromtimestamp(as_of, UTC)) + running


def _by_name(holders: Iterable[results.Holder]) -> dict[str, int]:
    return {holder.record.name: holder.waiting for holder in holders}


ClockHour = Annotated[str, BeforeValidator(_clock)]


class Hour(Model):
    hour: ClockHour = Field(description="UTC; with the date where it is not that of as_of", validation_alias="start")
    rows: int
    held_by: Annotated[dict[Id, int], BeforeValidator(_by_name)] = Field(
        default={}, description="Missing records, by resources that wait", validation_alias="holders"
    )
    holders: int = Field(default=0, validation_alias="holders_total")
    stuck: int = 0


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
    by_depth: Annotated[
        list[int], first(common.MAX_NAMED), BeforeValidator(lambda pairs: [rows for _, rows in pairs])
    ] = Field(default=[], description="Resources at depth 1 (missing records only), 2, ...")
    longest: Names = Field(default=[])
    steps: int = Field(default=0, validation_alias="longest_steps")


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
    pending_by_counters: int = Field(default=0, description="Where it differs from what is listed")
    unreadable_resources: int = 0

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        listed = result.pending + result.expired + result.unreadable_resources + result.repeated
        return {"pending_by_counters": result.counters_pending if result.counters_pending != listed else 0}


class _Steps(Model):
    records: Names = Field(description="Each waits for the next; the last is missing, the others are pending")
    steps: int
    waiting: int


class Path(Why, _Steps):
    """A way down to a missing record."""


class Focus(Model):
    kind: str
    asked: Id = Field(default="", description="Where it is neither a record nor a batch")
    record: Name = ""
    batch: Annotated[Id, attribute("id")] = ""
    why: Missing | None = None
    expired_rows: int = 0
    expired: Items[ExpiredRecord] | None = None
    missing: Items[common.Holding] | None = Field(
        default=None, description="Of a batch: the missing records to send for it"
    )
    paths: Items[Path]
    waits_for_it: int = 0
    first_lost: Time = Field(default=None, validation_alias="earliest_expiry")
    alternatives: Annotated[list[Name], first(5)] = Field(default=[])

    @property
    def name(self) -> str:
        return self.record or self.batch or self.asked

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        record, finding = result.record, result.finding
        return {
            "asked": "" if record or result.kind == "batch" else result.asked,
            "expired": result.expired if result.expired.total else None,
            "missing": result.missing if result.missing.total else None,
            "why": {"record": record, **explain_cause(finding)} if record and finding else None,
        }


class WhatIf(Model):
    assumed: Names = Field(default=[])
    assumed_total: Length = Field(default=0, validation_alias="assumed")
    not_waited_for: Annotated[list[Id], first(common.MAX_NAMED)] = Field(default=[])
    cleared: int
    rounds: Annotated[list[int], first(common.MAX_NAMED)] = Field(default=[])
    rounds_total: Length = Field(default=0, validation_alias="rounds")
    still_waiting: int
    stuck: int = 0
    missing: Items[common.Holding]


class Moved(Model):
    record: Name = ""
    before: int
    now: int


class Changes(Model):
    since: Time = None
    pending_before: int | None = Field(default=None, description="Absent where then and now can't be compared")
    pending_now: int | None = None
    new: int = Field(default=0, validation_alias="new_at_least")
    gone: int = Field(default=0, validation_alias="gone_at_least")
    exact: bool = Field(default=True, description="If false, new and gone are minima")
    expired_at_most: int = 0
    missing_before: int | None = None
    missing_now: int | None = None
    moved: Annotated[list[Moved], first(common.MAX_NAMED)] = Field(default=[])
    unchanged: bool = False
    note: common.Note = ""


class PendingReport(common.Report):
    """`explain_pending_dependencies`"""

    cause: Id = ""
    order: str = ""
    filter: common.LeftOut | None = None
    coverage: common.Coverage
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
    resources: Items[common.Resource] | None = None
    counters: Items[Counter] | None = None
    schema_batches: list[SchemaBatch] = Field(
        default=[], description="Batches of missing records' schemas that failed as a whole or still run"
    )
    chains: Chains | None = None
    since: str = Field(default="", validation_alias="token")
    skipped: list[common.Note] = Field(default=[])
