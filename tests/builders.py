"""Builders of wire JSON for tests: pending resources, batches and pages as the Reach API writes them.

    page(batch("b1", pending("transactions:t1", "customers:c1")))

A record is written `schema:external_id`; only the first colon divides, so an external id may contain more of them.
Its definition id is then `sd_` and the schema's name. `Ref` gives definition id and name apart. A time is a number of
hours from `NOW`, a datetime, or a string that is passed on unchanged; `None` leaves the field out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import msgspec

from reach_mcp.api.models import Batch

Json: TypeAlias = dict[str, Any]
Time: TypeAlias = float | datetime | str | None
Failed: TypeAlias = Mapping[str, tuple[Sequence[str], Sequence[str]]] | Sequence[str]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NOW_SECONDS = NOW.timestamp()

INGEST = "PARTNER_RESOURCE_JSON_INGEST"
PATCH = "PARTNER_RESOURCE_BATCH_PATCH"
DELETE = "PARTNER_RESOURCE_BATCH_DELETE"


class Ref(NamedTuple):
    """A record whose definition id does not follow from the schema's name. `name=None`: no `schemaName`."""

    schema_id: str
    external_id: str
    name: str | None = None


Key: TypeAlias = str | Ref


def pending(
    key: Key,
    *missing: Key,
    id: str | None = None,
    expires: Time = 6.0,
    created: Time = -1.0,
    names: bool = True,
) -> Json:
    """A pending resource that lists the `missing` records in the order given, repeats included.

    Its id follows from its record unless `id` is given: do so when the same record waits twice. `names=False` leaves
    every `schemaName` out.
    """
    record = reference(key)
    row = {
        "id": id if id is not None else f"pr_{record.name or record.schema_id}_{record.external_id}",
        "resourceExternalId": record.external_id,
        "schemaDefinitionId": record.schema_id,
        "schemaName": record.name if names else None,
        "missingDependencies": [_dependency(reference(one), names=names) for one in missing],
        "expiresAt": wire_time(expires),
        "createdAt": wire_time(created),
    }
    return _without_none(row)


def batch(
    batch_id: str,
    *rows: Json,
    status: str = "partial_success",
    type: str = INGEST,
    schema: str | None = "transactions",
    schema_id: str | None = "",
    failed: Failed = (),
    created: Time = -1.0,
    started: Time = -1.0,
    completed: Time = -1.0,
    message: str | None = None,
    details: bool = True,
    **progress: float | str | None,
) -> Json:
    """A batch whose counters add up to its rows and its failures, unless `progress` says otherwise.

    `progress` takes the API's own names: `successfulRecords` (0 by default), `pendingRecords`, `totalRecords`; None
    leaves a counter out. `failed` maps an external id to its errors and their categories, or lists external ids.
    `schema=None` leaves out the name; the definition id follows from the name unless `schema_id` is given (None: left
    out). `details=False`: read without pending details, so the batch has no `pendingResources`.
    """
    failures = failed if isinstance(failed, Mapping) else {one: (["refused"], ["VALIDATION"]) for one in failed}
    body = {
        "batchId": batch_id,
        "status": status,
        "batchType": type,
        "progress": _progress(pending=len(rows), failed=len(failures), given=progress),
        "createdAt": wire_time(created),
        "startedAt": wire_time(started),
        "completedAt": wire_time(completed),
        "schemaName": schema,
        "schemaDefinitionId": f"sd_{schema}" if schema_id == "" and schema is not None else schema_id or None,
        "errors": _errors(failures, message),
        "pendingResources": list(rows) if details else None,
    }
    return _without_none(body)


def page(*batches: Json, cursor: str | None = None, total: int | None = None) -> Json:
    """The whole body of a 200 answer to a list request; there is a next page when a cursor is given."""
    pagination: Json = {"hasNextPage": cursor is not None, "cursor": cursor}
    if total is not None:
        pagination["total"] = total
    return {"success": True, "data": {"results": list(batches), "pagination": pagination}}


def detail(body: Json) -> Json:
    """The whole body of a 200 answer to a request for one batch."""
    return {"success": True, "data": body}


def decode(body: Json) -> Batch:
    """A batch as wire struct."""
    return msgspec.convert(body, Batch)


def reference(key: Key) -> Ref:
    """The definition id, external id and schema name of a record."""
    if isinstance(key, Ref):
        return key
    schema, colon, external_id = key.partition(":")
    if not colon:
        raise ValueError(f"write a record as schema:external_id, not {key!r}")
    return Ref(f"sd_{schema}", external_id, schema)


def wire_time(time: Time) -> str | None:
    """A time in JSON: UTC with milliseconds, unless it is a string already."""
    if time is None or isinstance(time, str):
        return time
    moment = time if isinstance(time, datetime) else NOW + timedelta(hours=time)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _dependency(record: Ref, *, names: bool) -> Json:
    fields: Json = {"schemaDefinitionId": record.schema_id, "externalId": record.external_id}
    return fields | ({"schemaName": record.name} if names and record.name is not None else {})


def _progress(*, pending: int, failed: int, given: Mapping[str, float | str | None]) -> Json:
    counts: Json = {"successfulRecords": 0, "pendingRecords": pending, "failedRecords": failed} | dict(given)
    parts = [counts[name] for name in ("successfulRecords", "pendingRecords", "failedRecords")]
    total = sum(part for part in parts if isinstance(part, int | float))
    successful = counts["successfulRecords"]
    rate = round(100 * successful / total, 2) if total and isinstance(successful, int | float) else 100
    return _without_none({"totalRecords": total, "processedRecords": total, "successRate": rate} | counts)


def _errors(failed: Mapping[str, tuple[Sequence[str], Sequence[str]]], message: str | None) -> Json | None:
    if not failed and message is None:
        return None
    summary = Counter(category for _, categories in failed.values() for category in categories)
    details = {
        external_id: {"errors": list(errors), "categories": list(categories)}
        for external_id, (errors, categories) in failed.items()
    }
    return _without_none({"summary": dict(summary), "details": details, "message": message})


def _without_none(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
