"""Output models of one record or batch in focus, of assumed arrivals and of changes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from reach_mcp.render.models.causes import ExpiredRecord, Missing, Why, explain_cause
from reach_mcp.render.models.common import (
    MAX_NAMED,
    Holding,
    Id,
    Items,
    Model,
    Name,
    Names,
    Note,
    Time,
    first,
)


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
    batch: Id = Field(default="", validation_alias="batch.id")
    why: Missing | None = None
    expired_rows: int = 0
    expired: Items[ExpiredRecord] | None = None
    missing: Items[Holding] | None = Field(default=None, description="Of a batch: the missing records to send for it")
    paths: Items[Path]
    waits_for_it: int = 0
    first_lost: Time = Field(default=None, validation_alias="earliest_expiry")
    alternatives: Annotated[list[Name], first(5)] = Field(default=[])
    ambiguous: bool = False

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
    assumed_total: int = 0
    not_waited_for: Annotated[list[Id], first(MAX_NAMED)] = Field(default=[])
    cleared: int
    rounds: Annotated[list[int], first(MAX_NAMED)] = Field(default=[], description="Cleared in each round")
    rounds_total: int = 0
    still_waiting: int
    stuck: int = 0
    missing: Items[Holding]


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
    moved: Annotated[list[Moved], first(MAX_NAMED)] = Field(default=[])
    unchanged: bool = False
    note: Note = ""
