"""Output models of `list_batches` and `get_batch`."""

from __future__ import annotations

from pydantic import BaseModel, Field

from reach_mcp.render.models.common import Coverage, Head, Holding, Items, LeftOut, Resource, Tail, Time


class Batch(BaseModel):
    id: str
    status: str
    type: str
    schema_name: str = Field(default="", serialization_alias="schema")
    created: Time | None = None
    started: Time | None = None
    completed: Time | None = None
    records: int = 0
    processed: int = Field(default=0, description="Where it differs from records")
    successful: int = 0
    failed: int = 0
    pending: int = 0
    unknown: list[str] = Field(default_factory=list, description="Counters that are absent or unreadable")
    categories: dict[str, int] = Field(default_factory=dict, description="Errors by category")
    error: str = Field(default="", description="Of the batch as a whole")


class BatchCount(BaseModel):
    batch: str
    schema_name: str = Field(default="", serialization_alias="schema")
    count: int


class Census(BaseModel):
    batches: int
    by_status: dict[str, int] = Field(default_factory=dict)
    by_type: dict[str, int] = Field(default_factory=dict)
    by_schema: dict[str, int] = Field(default_factory=dict)
    schemas: int = Field(default=0, description="Where not all are shown")
    records: dict[str, int] = Field(default_factory=dict)
    error_categories: dict[str, int] = Field(default_factory=dict)
    most_pending: list[BatchCount] = Field(default_factory=list)
    most_failed: list[BatchCount] = Field(default_factory=list)
    latest: str = Field(default="", description="Id of the batch created last")
    without_counters: int = Field(default=0, description="Batches that are in no sum")


class Variant(BaseModel):
    error: str
    records: int


class ErrorGroup(BaseModel):
    category: str = ""
    error: str
    records: int
    variants: list[Variant] = Field(default_factory=list)
    examples: list[str] = Field(default_factory=list, description="Records")


class _ListBody(Head):
    filter: LeftOut | None = None
    coverage: Coverage
    census: Census
    errors: Items[ErrorGroup] | None = None
    batches: Items[Batch]


class BatchListReport(Tail, _ListBody):
    """`list_batches`"""


class _DetailBody(Head):
    batch: Batch
    failed_records_named: int = 0
    errors: Items[ErrorGroup] | None = None
    pending: int = 0
    expired: int = 0
    within_1_h: int = 0
    within_24_h: int = Field(default=0, description="Includes within_1_h")
    next_expiry: Time | None = None
    missing: Items[Holding] | None = None
    resources: Items[Resource] | None = None
    unreadable_resources: int = 0


class BatchDetailReport(Tail, _DetailBody):
    """`get_batch`"""
