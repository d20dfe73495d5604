"""The demo API behaves as documented by the vendor; where that is silent, as `reach_mcp.demo.api` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from reach_mcp.api.decoding import decode_page
from reach_mcp.demo.api import build_demo_api
from reach_mcp.demo.story import build_story
from reach_mcp.demo.wire import PATCH, Batch, Upload, Waiting
from tests.builders import NOW
from tests.demo.hostile import HOSTILE

pytestmark = pytest.mark.anyio

TENANT, PARTNER = {"Authorization": "Bearer demo"}, {"Authorization": "Bearer demo-partner"}
DETAILED = {"includePendingDetails": "true"}
SMALL = [
    Upload(id="oldest", schema="transactions", age=300, total=5, minutes=200),
    Upload(id="patch", schema="customers", age=200, total=5, type=PATCH),
    Upload(id="waits", schema="transactions", age=100, total=5, waiting=[Waiting("t1", (("customers", "c1"),))]),
    Upload(id="queued", schema="customers", age=2, total=5, processed=0, omit=("startedAt",)),
    Upload(id="running", schema="customers", age=1, total=5, processed=2),
]


async def get(
    path: str = "/api/batches",
    params: Mapping[str, str] | None = None,
    *,
    tenants: Mapping[str, list[Batch]] | None = None,
    headers: dict[str, str] = TENANT,
    method: str = "GET",
) -> httpx.Response:
    known = tenants or {"acme": [upload.to_wire(NOW) for upload in SMALL], "other": []}
    transport = httpx.ASGITransport(app=build_demo_api(known, default_tenant=next(iter(known))))
    async with httpx.AsyncClient(transport=transport, base_url="http://reach.test") as client:
        return await client.request(method, path, params=params, headers=headers)


async def list_ids(**params: str) -> list[str]:
    return [batch["batchId"] for batch in (await get(params=params)).json()["data"]["results"]]


async def read_all(tenants: Mapping[str, list[Batch]], tenant: str, **params: str) -> list[str]:
    """Every batch id, page by page."""
    ids: list[str] = []
    while True:
        response = await get(tenants=tenants, headers=PARTNER | {"reach-tenant-id": tenant}, params=params)
        page = decode_page(response.content)
        assert not page.unreadable
        ids += [batch.batch_id for batch in page.batches]
        if page.cursor is None:
            return ids
        params["cursor"] = page.cursor


def refused(response: httpx.Response, status: int) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["success"]) == (status, False)
    return body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401), ({"Authorization": "Bearer stale"}, 401), ({"Authorization": "Basic demo"}, 401), (TENANT, 200),
        (TENANT | {"reach-tenant-id": "acme"}, 200), (TENANT | {"reach-tenant-id": "other"}, 403),
        (PARTNER | {"reach-tenant-id": "other"}, 200), (PARTNER | {"reach-tenant-id": "unknown"}, 403),
        (PARTNER, 400),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/batches", "/api/batches/waits"])
async def test_a_token_reads_its_own_tenants(headers: dict[str, str], status: int, path: str) -> None:
    response = await get(path, headers=headers)
    found = 404 if "other" in headers.values() and path != "/api/batches" and status == 200 else status

    assert response.status_code == found


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({}, "running queued waits patch oldest"),
        ({"sortDirection": "asc"}, "oldest patch waits queued running"),
        ({"sortBy": "startedAt"}, "running waits patch oldest queued"),
        ({"sortBy": "completedAt", "sortDirection": "asc"}, "patch oldest waits queued running"),
        ({"batchType": "PARTNER_RESOURCE_BATCH_PATCH"}, "patch"),
        ({"onlyBatchesWithPendingResources": "true"}, "waits"),
        ({"onlyBatchesWithPendingResources": "true", "batchType": "PARTNER_RESOURCE_BATCH_PATCH"}, ""),
        ({"status": "failure", "limit": "2"}, "running queued"),
    ],
)
async def test_batches_are_sorted_and_filtered(params: dict[str, str], ids: str) -> None:
    assert await list_ids(**params) == ids.split()


@pytest.mark.parametrize("path", ["/api/batches", "/api/batches/waits"])
@pytest.mark.parametrize("details", ["true", "false", None])
async def test_pending_resources_come_only_when_asked_for(path: str, details: str | None) -> None:
    data = (await get(path, {"includePendingDetails": details} if details else {})).json()["data"]

    assert any("pendingResources" in batch for batch in data.get("results", [data])) is (details == "true")


async def test_every_wrong_parameter_is_named_at_once() -> None:
    wrong = dict.fromkeys(("batchType", "sortBy", "sortDirection", "includePendingDetails"), "x")
    wrong |= {"onlyBatchesWithPendingResources": "1", "limit": "ten", "cursor": "garbled"}
    errors = refused(await get(params=wrong), 400)["errors"]

    assert [error.partition(":")[0] for error in errors] == list(wrong)


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "", "ten", "٣", "9" * 5000])
async def test_a_limit_is_a_positive_integer(limit: str) -> None:
    assert refused(await get(params={"limit": limit}), 400)["errors"] == ["limit: must be a positive integer"]


def many(count: int) -> dict[str, list[Batch]]:
    uploads = [Upload(id=f"b{number:03d}", schema="customers", age=number, total=1) for number in range(count)]
    return {"acme": [upload.to_wire(NOW) for upload in uploads]}


@pytest.mark.parametrize(("params", "size"), [({}, 20), ({"limit": "7"}, 7), ({"limit": "500"}, 100)])
async def test_a_page_has_20_batches_by_default_and_100_at_most(params: dict[str, str], size: int) -> None:
    data = (await get(params=params, tenants=many(130))).json()["data"]

    assert (len(data["results"]), data["pagination"]["total"]) == (size, 130)


@pytest.mark.parametrize("limit", ["1", "4", "12", "100"])
@pytest.mark.parametrize("sort_by", ["createdAt", "completedAt"])
async def test_cursors_lead_through_every_batch_once(limit: str, sort_by: str) -> None:
    assert await read_all(many(12), "acme", limit=limit, sortBy=sort_by) == [f"b{number:03d}" for number in range(12)]


async def test_a_page_beyond_the_end_is_empty() -> None:
    assert await list_ids(cursor="99") == []


@pytest.mark.parametrize("text", ["", "two", "-2", "1.5"])
async def test_a_cursor_of_another_origin_is_refused(text: str) -> None:
    assert refused(await get(params={"cursor": text}), 400)["errors"] == ["cursor: is not valid"]


async def test_one_batch_is_the_object_of_the_list() -> None:
    listed = (await get(params=DETAILED)).json()["data"]["results"][2]

    assert (await get("/api/batches/waits", DETAILED)).json()["data"] == listed
    assert len(refused(await get("/api/batches/waits", {"includePendingDetails": "yes"}), 400)["errors"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/batches/unknown", 404),
        ("GET", "/api/batches/waits%2F", 404),
        ("GET", "/api/contacts", 404),
        ("POST", "/api/batches", 405),
    ],
)
async def test_everything_else_is_refused_in_the_envelope(method: str, path: str, status: int) -> None:
    refused(await get(path, method=method), status)


@pytest.mark.parametrize("tenant", ["northwind", "empty", "healthy"])
async def test_every_tenant_decodes_without_loss(tenant: str) -> None:
    story = build_story(NOW)
    ids = await read_all(story, tenant, limit="50", **DETAILED)

    assert sorted(ids) == sorted(batch["batchId"] for batch in story[tenant])


async def test_hostile_batches_can_be_read_by_their_ids() -> None:
    batches = [upload.to_wire(NOW) for upload in HOSTILE]
    one_line = [batch for batch in batches if "\n" not in batch["batchId"]]
    assert len(one_line) > len(batches) / 2
    for batch in one_line:
        response = await get(f"/api/batches/{quote(batch['batchId'], safe='')}", DETAILED, tenants={"acme": batches})
        assert response.json()["data"] == batch
