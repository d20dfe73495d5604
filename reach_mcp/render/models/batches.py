"""Output models of `list_batches` and `get_batch`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from reach_mcp.analysis import results
from reach_mcp.render.models import common
from reach_mcp.render.models.common import Count, Id, Items, Length, Model, Time, attribute, first, message
from reach_mcp.render.sanitize import exact_id

TYPE_PREFIXES = ("PARTNER_RESOURCE_", "BATCH_")
COUNTERS = ("processed", "successful", "failed", "pending")
NO_SCHEMA = "no schema"


def type_label(batch_type: str) -> str:
    """`JSON_INGEST` for `PARTNER_RESOURCE_JSON_INGEST`; arguments accept both."""
    for prefix in TYPE_PREFIXES:
        batch_type = batch_type.removeprefix(prefix)
    return exact_id(batch_type)


class Batch(Model):
    id: Id
    status: Id
    type: Annotated[str, BeforeValidator(type_label)]
    schema_name: Id = Field(default="", alias="schema")
    created: Time = None
    started: Time = None
    completed: Time = None
    records: Count = Field(default=0, validation_alias="total")
    processed: Count = Field(default=0, description="Where it differs from records")
    successful: Count = 0
    failed: Count = 0
    pending: Count = 0
    live: int | None = Field(default=None, description="Pending, and not expired")
    expired: int | None = None
    unknown: list[str] = Field(default=[], description="Counters that are absent or unreadable")
    categories: Annotated[dict[str, int], common.named_counts(12)] = Field(default={})
    error: Annotated[str, message(160)] = Field(
        default="", description="Of the batch as a whole", validation_alias="message"
    )

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        counters = {"records": result.total} | {name: getattr(result, name) for name in COUNTERS}
        known = result.live or result.expired or result.pending
        unknown = {"unknown": [name for name, count in counters.items() if count is None]}
        return unknown | ({} if known else {"live": None, "expired": None})

    def shorten(self) -> None:
        """Leave out the times and counters that follow from the others in nearly every batch."""
        running = self.status == "processing"
        self.started, self.completed = self.started if running else None, None
        self.processed = self.processed if running or self.processed != self.records else 0
        self.successful = 0
        self.categories = dict(list(self.categories.items())[:3])


class BatchCount(Model):
    batch: Id
    schema_name: Id = Field(default="", serialization_alias="schema")
    count: int


def _highest(counter: str) -> BeforeValidator:
    """Batches by a counter, without those of which it is 0 or unknown."""

    def read(batches: Iterable[results.BatchSummary]) -> list[tuple[str, str, int]]:
        counts = ((each.id, each.schema, getattr(each, counter)) for each in batches)
        return [each for each in counts if each[2]]

    return BeforeValidator(read)


class Census(Model):
    batches: int
    by_status: Annotated[dict[str, int], common.named_counts(8)] = Field(default={})
    by_type: Annotated[dict[str, int], common.named_counts(8, type_label)] = Field(default={})
    by_schema: Annotated[dict[str, int], common.named_counts(10, lambda name: name or NO_SCHEMA)] = Field(default={})
    by_schema_total: Length = Field(default=0, validation_alias="by_schema")
    records: Annotated[dict[str, int], common.named_counts(8)] = Field(default={})
    error_categories: Annotated[dict[str, int], common.named_counts(10)] = Field(
        default={}, validation_alias="categories"
    )
    most_pending: Annotated[list[BatchCount], _highest("pending")] = Field(default=[])
    most_failed: Annotated[list[BatchCount], _highest("failed")] = Field(default=[])
    latest: Annotated[Id, attribute("id")] = ""
    oldest_live: Annotated[Id, attribute("id")] = Field(
        default="", description="Oldest batch with live pending resources"
    )
    all_expired: int = Field(default=0, description="Batches whose pending resources have all expired")
    without_counters: int = Field(default=0, description="Batches that are in no sum")


class Variant(Model):
    error: Annotated[str, message(160)]
    count: int = Field(description="Records; batches where whole_batch")


class ErrorGroup(Model):
    category: Annotated[str, message(60)] = ""
    error: Annotated[str, message(160)] = Field(validation_alias="message")
    records: int
    variants: list[Variant] = Field(default=[])
    examples: Annotated[list[Id], first(5)] = Field(default=[], description="Records; batches where whole_batch")
    whole_batch: bool = Field(default=False, description="Of batches that failed as a whole")
    batches: int = 0


class BatchListReport(common.Report):
    """`list_batches`"""

    filter: common.LeftOut | None = None
    coverage: common.Coverage
    census: Census
    errors: Items[ErrorGroup] | None = Field(default=None, validation_alias="error_groups")
    batches: Items[Batch]


class BatchDetailReport(common.Report):
    """`get_batch`"""

    batch: Batch
    errors: Items[ErrorGroup] = Field(validation_alias="error_groups")
    pending: int = 0
    expired: int = 0
    within_1_h: int = Field(default=0, validation_alias="within_hour")
    within_24_h: int = Field(default=0, description="Includes within_1_h", validation_alias="within_day")
    next_expiry: Time = None
    missing: Items[common.Holding]
    resources: Items[common.Resource] | None = None
    unreadable_resources: int = 0
