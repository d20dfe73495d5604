"""The answer of `GET /api/batches` as the vendor's page describes it, to the letter: no field more, no type bent."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel)


class Dependency(Shape):
    schema_definition_id: str
    schema_name: str = ""
    external_id: str


class PendingResource(Shape):
    id: str
    resource_external_id: str
    schema_definition_id: str
    schema_name: str = ""
    missing_dependencies: list[Dependency]
    expires_at: str
    created_at: str


class RecordErrors(Shape):
    errors: list[str]
    categories: list[str]


class Errors(Shape):
    summary: dict[str, float] = {}
    details: dict[str, RecordErrors] = {}
    message: str = ""


class Progress(Shape):
    total_records: float
    processed_records: float
    successful_records: float
    pending_records: float
    failed_records: float
    success_rate: float


class BatchShape(Shape):
    batch_id: str
    status: Literal["success", "partial_success", "failure", "processing"]
    batch_type: Literal["PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_DELETE", "PARTNER_RESOURCE_BATCH_PATCH"]
    progress: Progress
    completed_at: str = ""
    started_at: str = ""
    created_at: str = ""
    schema_name: str = ""
    schema_definition_id: str = ""
    errors: Errors = Errors()
    pending_resources: list[PendingResource] = []


class Pagination(Shape):
    has_next_page: bool
    cursor: str | None = None
    total: float = 0


class Page(Shape):
    results: list[BatchShape]
    pagination: Pagination


class ListAnswer(Shape):
    success: Literal[True]
    message: str = ""
    data: Page


class GetAnswer(Shape):
    success: Literal[True]
    message: str = ""
    data: BatchShape


class Refused(Shape):
    success: Literal[False]
    message: str
    errors: list[str] = []


S = TypeVar("S", bound=Shape)


def check(shape: type[S], answer: Any) -> S:
    """The answer read as this shape; a ValidationError names what deviates."""
    return shape.model_validate(answer)
