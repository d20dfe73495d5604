"""Wire structs: what the vendor's page documents for `GET /api/batches`, tolerant of what it does not.

msgspec decodes only the fields that are declared here. Unknown fields are dropped, unknown enum values pass, optional
fields may be absent or null. Times stay strings: the contract gives them no format (`analysis.times` reads them).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


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

    total_records: int | None = None
    processed_records: int | None = None
    successful_records: int | None = None
    pending_records: int | None = None
    failed_records: int | None = None
    success_rate: float | None = None


class RecordErrors(msgspec.Struct, rename="camel"):
    errors: list[str]
    categories: list[str]


class BatchErrors(msgspec.Struct, rename="camel"):
    summary: dict[str, int] | None = None
    details: dict[str, RecordErrors] | None = None
    message: str | None = None


class Batch(msgspec.Struct, rename="camel"):
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
    unreadable_resources: int = 0
    """Pending resources that the API listed and that could not be decoded. Not a field of the API."""
    unreadable_counters: tuple[str, ...] = ()
    """API names of counters that held no sensible number. Not a field of the API."""


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
