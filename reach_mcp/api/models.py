"""Wire structs: what the vendor's page documents for `GET /api/batches`, tolerant of what it does not.

msgspec decodes only the fields that are declared here. Unknown fields are dropped, unknown enum values pass, optional
fields may be absent or null. Times stay strings: the contract gives them no format (`analysis.times` reads them).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import msgspec

_SENSIBLE = msgspec.Meta(ge=0, le=2**53)  # the largest integer that JSON carries exactly everywhere
Count = Annotated[int, _SENSIBLE]
Rate = Annotated[float, _SENSIBLE]


class MissingDependency(msgspec.Struct, gc=False, rename="camel"):
    schema_definition_id: str
    external_id: str
    schema_name: str | None = None


class PendingResource(msgspec.Struct, gc=False, rename="camel"):
    id: str
    resource_external_id: str
    schema_definition_id: str
    missing_dependencies: list[MissingDependency]
    expires_at: str
    created_at: str
    schema_name: str | None = None


class Progress(msgspec.Struct, gc=False, rename="camel"):
    """Counters of a batch. A counter that is no sensible number (negative, fractional, 1e400) is decoded as None."""

    total_records: Count | None = None
    processed_records: Count | None = None
    successful_records: Count | None = None
    pending_records: Count | None = None
    failed_records: Count | None = None
    success_rate: Rate | None = None


class RecordErrors(msgspec.Struct, rename="camel"):
    errors: list[str]
    categories: list[str]


class BatchErrors(msgspec.Struct, rename="camel"):
    summary: dict[str, Count] | None = None
    details: dict[str, RecordErrors] | None = None
    message: str | None = None


class Batch(msgspec.Struct, rename="camel"):
    """One batch. The last two fields are not the API's: their names on the wire are ones that it does not send."""

    batch_id: str
    status: str
    batch_type: str
    progress: Progress
    completed_at: str | None = None
    started_at: str | None = None
    created_at: str | None = None
    schema_name: str | None = None
    schema_definition_id: str | None = None
    errors: BatchErrors | None = None
    pending_resources: list[PendingResource] | None = None
    unreadable_resources: int = msgspec.field(default=0, name="(unreadable resources)")
    """Pending resources that the API listed and that could not be decoded."""
    unreadable_counters: tuple[str, ...] = msgspec.field(default=(), name="(unreadable counters)")
    """API names of counters that held no sensible number."""


@dataclass
class Page:
    """One page of batches. `unreadable` names batches of the page that could not be decoded at all."""

    batches: list[Batch] = field(default_factory=list)
    has_next: bool = False
    cursor: str | None = None
    total: int | None = None
    unreadable: list[str] = field(default_factory=list)
    size: int = 0
    """Bytes of the decoded body."""
