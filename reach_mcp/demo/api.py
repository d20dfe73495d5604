"""The Reach API in memory, as the vendor documents it.

Where the documentation is silent, the demo chooses one plausible behaviour:

- A `limit` above 100 counts as 100.
- A cursor carries its sort order and ignores `sortBy` and `sortDirection`. It carries no filters: repeat them.
- A batch without the date that the list is sorted by comes last, in both directions.
- Undocumented query parameters are ignored.
- A tenant that the token may not see is a 403, whether or not it exists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reach_mcp.demo.query import Cursor, Refusal, find_wrong_enums, read_page_query, refuse_if
from reach_mcp.demo.wire import Batch


class AnyText(PathConvertor):
    """A batch id may contain every character that a decoded path can, line ends included."""

    regex = r"(?s:.*)"


register_url_convertor("any_text", AnyText())


def build_demo_api(
    tenants: Mapping[str, Sequence[Batch]],
    *,
    default_tenant: str,
    tenant_token: str = "demo",
    partner_token: str = "demo-partner",
) -> Starlette:
    """An ASGI app that serves the batches of `tenants`, which are in JSON form with their pending resources.

    `tenant_token` sees the default tenant, with or without naming it. `partner_token` sees every tenant and has to
    name one. Batches are read at each request, so that a test can change them.
    """

    def find_tenant(request: Request) -> Sequence[Batch]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in (tenant_token, partner_token):
            raise Refusal(401, "Missing or invalid token")
        tenant = request.headers.get("reach-tenant-id", default_tenant if token == tenant_token else None)
        if tenant is None:
            raise Refusal(400, "Tenant is required", ["reach-tenant-id: required with a partner token"])
        if tenant not in tenants or (token == tenant_token and tenant != default_tenant):
            raise Refusal(403, "This token has no access to this tenant")
        return tenants[tenant]

    async def list_batches(request: Request) -> Response:
        return _respond({"success": True, "message": "Batches retrieved", "data": _page(find_tenant(request), request)})

    async def get_batch(request: Request) -> Response:
        batches, batch_id = find_tenant(request), request.path_params["batch_id"]
        refuse_if(find_wrong_enums(request.query_params, ["includePendingDetails"]))
        batch = next((batch for batch in batches if batch["batchId"] == batch_id), None)
        if batch is None:
            raise Refusal(404, "Batch not found")
        return _respond({"success": True, "data": _strip(batch, request.query_params)})

    routes = [Route("/api/batches", list_batches), Route("/api/batches/{batch_id:any_text}", get_batch)]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse})


def _respond(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    errors = getattr(error, "errors", [])
    body = {"success": False, "message": error.detail} | ({"errors": errors} if errors else {})
    return _respond(body, error.status_code)


def _page(batches: Sequence[Batch], request: Request) -> dict[str, Any]:
    params = request.query_params
    limit, cursor = read_page_query(params)
    matching = _sort([batch for batch in batches if _matches(batch, params)], cursor)
    end = cursor.offset + limit
    has_next = end < len(matching)
    return {
        "results": [_strip(batch, params) for batch in matching[cursor.offset : end]],
        "pagination": {
            "hasNextPage": has_next,
            "cursor": cursor._replace(offset=end).encode() if has_next else None,
            "total": len(matching),
        },
    }


def _matches(batch: Batch, params: Mapping[str, str]) -> bool:
    batch_type = params.get("batchType", batch["batchType"])
    only_pending = params.get("onlyBatchesWithPendingResources") == "true"
    return batch_type == batch["batchType"] and (batch["progress"]["pendingRecords"] > 0 or not only_pending)


def _sort(batches: Sequence[Batch], cursor: Cursor) -> list[Batch]:
    dated = [batch for batch in batches if cursor.sort_by in batch]
    undated = [batch for batch in batches if cursor.sort_by not in batch]
    dated.sort(key=lambda batch: str(batch[cursor.sort_by]), reverse=cursor.sort_direction == "desc")
    return dated + undated


def _strip(batch: Batch, params: Mapping[str, str]) -> Batch:
    """The batch without its pending resources, unless they were asked for."""
    detailed = params.get("includePendingDetails") == "true"
    return {name: value for name, value in batch.items() if detailed or name != "pendingResources"}
