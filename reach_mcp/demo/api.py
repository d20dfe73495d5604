"""The Reach API in memory, as the vendor documents it.

Where the documentation is silent, the demo chooses one plausible behaviour:

- A `limit` above 100 counts as 100.
- A cursor is an offset. It carries neither filters nor an order: repeat them.
- A batch without the date that the list is sorted by comes last, in both directions.
- Undocumented query parameters are ignored.
- A tenant that the token may not see is a 403, whether or not it exists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reach_mcp.demo.wire import Batch

TENANT_TOKEN, PARTNER_TOKEN = "demo", "demo-partner"
MAX_PAGE_SIZE = 100
BOOLEAN = ("true", "false")
ENUMS = {
    "batchType": ("PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_DELETE", "PARTNER_RESOURCE_BATCH_PATCH"),
    "sortBy": ("createdAt", "startedAt", "completedAt"),
    "sortDirection": ("asc", "desc"),
    "includePendingDetails": BOOLEAN,
    "onlyBatchesWithPendingResources": BOOLEAN,
}


class Refusal(HTTPException):
    """A response other than 200. `errors` is the list that a 400 may carry."""

    def __init__(self, status_code: int, message: str, errors: Sequence[str] = ()) -> None:
        super().__init__(status_code, message)
        self.errors = list(errors)


def build_demo_api(tenants: Mapping[str, Sequence[Batch]], *, default_tenant: str) -> Starlette:
    """An ASGI app that serves the batches of `tenants`, which are in JSON form with their pending resources.

    The token `demo` sees the default tenant, with or without naming it. The token `demo-partner` sees every tenant and
    has to name one. Batches are read at each request, so that a test can change them.
    """

    def find_tenant(request: Request) -> Sequence[Batch]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in (TENANT_TOKEN, PARTNER_TOKEN):
            raise Refusal(401, "Missing or invalid token")
        tenant = request.headers.get("reach-tenant-id", default_tenant if token == TENANT_TOKEN else None)
        if tenant is None:
            raise Refusal(400, "Tenant is required", ["reach-tenant-id: required with a partner token"])
        if tenant not in tenants or (token == TENANT_TOKEN and tenant != default_tenant):
            raise Refusal(403, "This token has no access to this tenant")
        return tenants[tenant]

    async def list_batches(request: Request) -> Response:
        found = _page(find_tenant(request), request.query_params)
        return _respond({"success": True, "message": "Batches retrieved", "data": found})

    async def get_batch(request: Request) -> Response:
        batches, batch_id = find_tenant(request), request.path_params["batch_id"]
        _refuse_if(_find_wrong_enums(request.query_params, ["includePendingDetails"]))
        batch = next((batch for batch in batches if batch["batchId"] == batch_id), None)
        if batch is None:
            raise Refusal(404, "Batch not found")
        return _respond({"success": True, "data": _strip(batch, request.query_params)})

    routes = [Route("/api/batches", list_batches), Route("/api/batches/{batch_id:path}", get_batch)]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse})


def _respond(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    errors = getattr(error, "errors", [])
    body = {"success": False, "message": error.detail} | ({"errors": errors} if errors else {})
    return _respond(body, error.status_code)


def _find_wrong_enums(params: Mapping[str, str], names: Iterable[str]) -> list[str]:
    wrong = [name for name in names if name in params and params[name] not in ENUMS[name]]
    return [f"{name}: must be one of {', '.join(ENUMS[name])}" for name in wrong]


def _refuse_if(errors: Sequence[str]) -> None:
    if errors:
        raise Refusal(400, "Validation failed", errors)


def _page(batches: Sequence[Batch], params: Mapping[str, str]) -> dict[str, Any]:
    limit, cursor = params.get("limit", "20"), params.get("cursor", "0")
    errors = _find_wrong_enums(params, ENUMS)
    errors += [] if re.fullmatch("0*[1-9][0-9]{0,8}", limit) else ["limit: must be a positive integer"]
    errors += [] if re.fullmatch("[0-9]{1,9}", cursor) else ["cursor: is not valid"]
    _refuse_if(errors)
    start = int(cursor)
    end = start + min(int(limit), MAX_PAGE_SIZE)
    matching = _sort([batch for batch in batches if _matches(batch, params)], params)
    following = str(end) if end < len(matching) else None
    return {
        "results": [_strip(batch, params) for batch in matching[start:end]],
        "pagination": {"hasNextPage": following is not None, "cursor": following, "total": len(matching)},
    }


def _matches(batch: Batch, params: Mapping[str, str]) -> bool:
    batch_type = params.get("batchType", batch["batchType"])
    only_pending = params.get("onlyBatchesWithPendingResources") == "true"
    return batch_type == batch["batchType"] and (batch["progress"]["pendingRecords"] > 0 or not only_pending)


def _sort(batches: Sequence[Batch], params: Mapping[str, str]) -> list[Batch]:
    date = params.get("sortBy", "createdAt")
    dated = [batch for batch in batches if date in batch]
    dated.sort(key=lambda batch: str(batch[date]), reverse=params.get("sortDirection") != "asc")
    return dated + [batch for batch in batches if date not in batch]


def _strip(batch: Batch, params: Mapping[str, str]) -> Batch:
    """The batch without its pending resources, unless they were asked for."""
    detailed = params.get("includePendingDetails") == "true"
    return {name: value for name, value in batch.items() if detailed or name != "pendingResources"}
