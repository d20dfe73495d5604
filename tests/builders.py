"""Small values for tests: pending resources, batches and pages, as the Reach API writes them.

    page(batch("b1", pending("transactions/t1", "customers/c1")))

A key is written `schema/externalId`; only its first slash divides, so an external id may hold slashes of its own. The
schema's definition id is `sd_` before its name. A time is a number of hours from `NOW`, a moment, or a string that is
passed on as it stands; `None` leaves the field out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import msgspec

from reach_mcp.api.models import Batch

Json: TypeAlias = dict[str, Any]
Time: TypeAlias = float | datetime | str | None
Failures: TypeAlias = Mapping[str, tuple[Sequence[str], Sequence[str]]]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def pending(
    key: str,
    *missing: str,
    id: str | None = None,
    expires: Time = 6.0,
    created: Time = -1.0,
    names: bool = True,
) -> Json:
    """A row of `pendingResources` that lists the `missing` keys in the order given, repeats included.

    Its id follows from its key unless `id` says otherwise: give one when the same resource waits twice. With
    `names=False` neither the row nor what it lists bears a `schemaName`.
    """
    row = {
        "id": id if id is not None else f"pr_{key}",
        "resourceExternalId": split_key(key)[1],
        **_schema(key, names=names),
        "missingDependencies": [_missing(dependency, names=names) for dependency in missing],
        "expiresAt": wire_time(expires),
        "createdAt": wire_time(created),
    }
    return _without_none(row)


def batch(
    batch_id: str,
    *rows: Json,
    status: str = "partial_success",
    type: str = "PARTNER_RESOURCE_JSON_INGEST",
    schema: str | None = "transactions",
    failed: Failures | None = None,
    created: Time = -1.0,
    started: Time = -1.0,
    completed: Time = -1.0,
    message: str | None = None,
    **progress: float,
) -> Json:
    """A batch whose counters add up to its rows and its failures, unless `progress` says otherwise.

    `progress` takes the API's own names: `successfulRecords` (0 by default), `pendingRecords`, `totalRecords`.
    `failed` maps an external id to its errors and their categories. `schema=None` leaves name and definition id out.
    """
    body = {
        "batchId": batch_id,
        "status": status,
        "batchType": type,
        "progress": _progress(pending=len(rows), failed=len(failed or {}), given=progress),
        "createdAt": wire_time(created),
        "startedAt": wire_time(started),
        "completedAt": wire_time(completed),
        "schemaName": schema,
        "schemaDefinitionId": f"sd_{schema}" if schema is not None else None,
        "errors": _errors(failed or {}, message),
        "pendingResources": list(rows),
    }
    return _without_none(body)


def page(*batches: Json, cursor: str | None = None, total: int | None = None) -> Json:
    """The whole body of a 200 answer; there is a next page when a cursor is given."""
    pagination: Json = {"hasNextPage": cursor is not None, "cursor": cursor}
    if total is not None:
        pagination["total"] = total
    return {"success": True, "data": {"results": list(batches), "pagination": pagination}}


def as_read(body: Json) -> Batch:
    """A batch as the client reads it."""
    return msgspec.convert(body, Batch)


def split_key(key: str) -> tuple[str, str]:
    """The schema's name and the external id that `schema/externalId` stands for."""
    schema, slash, external_id = key.partition("/")
    if not slash:
        raise ValueError(f"a key is written schema/externalId, not {key!r}")
    return schema, external_id


def wire_time(time: Time) -> str | None:
    """A time as it stands in JSON: UTC with milliseconds, unless it is a string already."""
    if time is None or isinstance(time, str):
        return time
    moment = time if isinstance(time, datetime) else NOW + timedelta(hours=time)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _schema(key: str, *, names: bool) -> Json:
    schema = split_key(key)[0]
    return {"schemaDefinitionId": f"sd_{schema}"} | ({"schemaName": schema} if names else {})


def _missing(key: str, *, names: bool) -> Json:
    return {**_schema(key, names=names), "externalId": split_key(key)[1]}


def _progress(*, pending: int, failed: int, given: Mapping[str, float]) -> Json:
    counts: Json = {"successfulRecords": 0, "pendingRecords": pending, "failedRecords": failed} | dict(given)
    total = counts["successfulRecords"] + counts["pendingRecords"] + counts["failedRecords"]
    rate = round(100 * counts["successfulRecords"] / total, 2) if total else 100
    return {"totalRecords": total, "processedRecords": total, "successRate": rate} | counts


def _errors(failed: Failures, message: str | None) -> Json | None:
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
