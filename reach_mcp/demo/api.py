"""The Reach API in memory: what the vendor's page promises, and nothing more helpful than that.

Where the page is silent, one plausible behaviour is chosen and kept:

- `limit` above 100 is cut to 100 without a word.
- A cursor carries the order that it was made for; `sortBy` and `sortDirection` beside it don't change that. Filters
  it doesn't carry: whoever follows it has to repeat them.
- A batch without the date that is sorted by comes last, in both directions.
- Query parameters that the page doesn't name are ignored.
- A tenant that the token may not see is answered 403, whether or not it exists.
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

from reach_mcp.demo.query import Place, Refusal, find_wrong_enums, read_page_query, refuse_if
from reach_mcp.demo.wire import Batch


class AnyText(PathConvertor):
    """A batch id may hold whatever a path can carry once it is decoded, line ends included."""

    regex = r"(?s:.*)"


register_url_convertor("any_text", AnyText())


def build_demo_api(
    tenants: Mapping[str, Sequence[Batch]],
    *,
    default_tenant: str,
    tenant_token: str = "demo",
    partner_token: str = "demo-partner",
) -> Starlette:
    """An ASGI app that serves these tenants' batches.

    `tenant_token` sees the default tenant, without a header or with its own name in it. `partner_token` sees every
    tenant, and has to name one. Batches are in wire form, pending resources inside; they are read at each request.
    """

    def find_tenant(request: Request) -> Sequence[Batch]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in (tenant_token, partner_token):
            raise Refusal(401, "Missing or invalid token")
        asked = request.headers.get("reach-tenant-id", default_tenant if token == tenant_token else None)
        if asked is None:
            raise Refusal(400, "Tenant is required", ["reach-tenant-id: required with a partner token"])
        if asked not in tenants or (token == tenant_token and asked != default_tenant):
            raise Refusal(403, "This token has no access to this tenant")
        return tenants[asked]

    async def list_batches(request: Request) -> Response:
        return _answer({"success": True, "message": "Batches retrieved", "data": _page(find_tenant(request), request)})

    async def get_batch(request: Request) -> Response:
        batches, wanted = find_tenant(request), request.path_params["batch_id"]
        refuse_if(find_wrong_enums(request.query_params, ["includePendingDetails"]))
        found = next((batch for batch in batches if batch["batchId"] == wanted), None)
        if found is None:
            raise Refusal(404, "Batch not found")
        return _answer({"success": True, "data": _shown(found, request.query_params)})

    routes = [Route("/api/batches", list_batches), Route("/api/batches/{batch_id:any_text}", get_batch)]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse})


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    errors = getattr(error, "errors", [])
    body = {"success": False, "message": error.detail} | ({"errors": errors} if errors else {})
    return _answer(body, error.status_code)


def _page(batches: Sequence[Batch], request: Request) -> dict[str, Any]:
    params = request.query_params
    limit, place = read_page_query(params)
    chosen = _order([batch for batch in batches if _matches(batch, params)], place)
    end = place.offset + limit
    more = end < len(chosen)
    return {
        "results": [_shown(batch, params) for batch in chosen[place.offset : end]],
        "pagination": {
            "hasNextPage": more,
            "cursor": place._replace(offset=end).to_cursor() if more else None,
            "total": len(chosen),
        },
    }


def _matches(batch: Batch, params: Mapping[str, str]) -> bool:
    wanted_type = params.get("batchType", batch["batchType"])
    waiting_only = params.get("onlyBatchesWithPendingResources") == "true"
    return wanted_type == batch["batchType"] and (batch["progress"]["pendingRecords"] > 0 or not waiting_only)


def _order(batches: Sequence[Batch], place: Place) -> list[Batch]:
    dated = [batch for batch in batches if place.sort_by in batch]
    undated = [batch for batch in batches if place.sort_by not in batch]
    dated.sort(key=lambda batch: str(batch[place.sort_by]), reverse=place.sort_direction == "desc")
    return dated + undated


def _shown(batch: Batch, params: Mapping[str, str]) -> Batch:
    detailed = params.get("includePendingDetails") == "true"
    return {name: value for name, value in batch.items() if detailed or name != "pendingResources"}
