"""Batches in the short form of the story, and their JSON form as the Reach API sends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Batch = dict[str, Any]
"""A batch in JSON form."""
Key = tuple[str, str]
"""Schema name and external id."""
Fault = tuple[str, str]
"""Error category and message."""

INGEST = "PARTNER_RESOURCE_JSON_INGEST"
DELETE = "PARTNER_RESOURCE_BATCH_DELETE"
PATCH = "PARTNER_RESOURCE_BATCH_PATCH"

SCHEMA_IDS = {
    "customers": "sch_cus_01",
    "locations": "sch_loc_01",
    "transactions": "sch_txn_01",
    "invoices": "sch_inv_7f3a",
    "appointments": "sch_apt_c21d",
}
WAIT_TIMEOUT = timedelta(hours=24)
QUEUED = timedelta(seconds=20)


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as the API writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass(frozen=True)
class Waiting:
    """A record stored as pending, and the records that it lists as missing."""

    external_id: str
    needs: tuple[Key, ...]


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One batch. `age` (since creation) and `minutes` (its duration) are in minutes.

    The `waiting` rows are stored evenly over that duration. `processed` is set while the batch is processing.
    `message` fails the whole batch. `counted` overrides the pendingRecords counter, `unnamed` leaves schema names out,
    and `omit` leaves out optional fields of the batch.
    """

    id: str
    schema: str
    age: int
    total: int
    minutes: int = 3
    type: str = INGEST
    waiting: Sequence[Waiting] = ()
    failed: Mapping[str, Sequence[Fault]] = field(default_factory=dict)
    message: str | None = None
    status: str | None = None
    processed: int | None = None
    counted: int | None = None
    unnamed: bool = False
    omit: tuple[str, ...] = ()

    def to_wire(self, now: datetime) -> Batch:
        """The JSON form with its pending resources. Optional fields without a value are absent."""
        created = now - timedelta(minutes=self.age)
        started = created + QUEUED
        wire = {
            "batchId": self.id,
            "status": self._status(),
            "batchType": self.type,
            "progress": self._progress(),
            "createdAt": format_time(created),
            "startedAt": format_time(started),
            "completedAt": format_time(started + timedelta(minutes=self.minutes)) if self.processed is None else None,
            **self._schema(self.schema),
            "errors": self._errors(),
            "pendingResources": self._rows(started),
        }
        return {name: value for name, value in wire.items() if value and name not in self.omit}

    def _status(self) -> str:
        if self.processed is not None:
            return "processing"
        partly = "partial_success" if self.failed or self.waiting else "success"
        return self.status or ("failure" if self.message else partly)

    def _progress(self) -> dict[str, float]:
        processed = self.total if self.processed is None else self.processed
        pending = len(self.waiting) if self.counted is None else self.counted
        failed = processed if self.message else len(self.failed)
        successful = processed - pending - failed
        return {
            "totalRecords": self.total,
            "processedRecords": processed,
            "successfulRecords": successful,
            "pendingRecords": pending,
            "failedRecords": failed,
            "successRate": round(100 * successful / self.total, 2),
        }

    def _errors(self) -> dict[str, Any]:
        if self.message:
            return {"message": self.message}
        details = {
            external_id: {"errors": [text for _, text in faults], "categories": [category for category, _ in faults]}
            for external_id, faults in self.failed.items()
        }
        summary = Counter(category for faults in self.failed.values() for category, _ in faults)
        return {"summary": dict(summary), "details": details} if details else {}

    def _rows(self, started: datetime) -> list[dict[str, Any]]:
        pace = timedelta(minutes=self.minutes) / max(len(self.waiting), 1)
        return [self._row(row, index, started + index * pace) for index, row in enumerate(self.waiting)]

    def _row(self, row: Waiting, index: int, created: datetime) -> dict[str, Any]:
        return {
            "id": f"pr_{self.id}_{index:04d}",
            "resourceExternalId": row.external_id,
            **self._schema(self.schema),
            "missingDependencies": [{**self._schema(name), "externalId": needed} for name, needed in row.needs],
            "expiresAt": format_time(created + WAIT_TIMEOUT),
            "createdAt": format_time(created),
        }

    def _schema(self, name: str) -> dict[str, str]:
        return {"schemaDefinitionId": schema_id(name)} | ({} if self.unnamed else {"schemaName": name})


def schema_id(name: str) -> str:
    """The definition id of a schema. A schema that the story does not have uses its name as its id."""
    return SCHEMA_IDS.get(name, name)
