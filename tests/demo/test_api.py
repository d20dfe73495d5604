"""The demo API behaves as the vendor's page says; where the page is silent, as `reach_mcp.demo.api` says."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from jsonschema import Draft4Validator

from reach_mcp.demo.api import build_demo_api
from reach_mcp.demo.story import DEFAULT_TENANT, build_story
from reach_mcp.demo.wire import PATCH, Batch, Upload, Waiting
from tests.builders import NOW
from tests.contract.openapi import GET, LIST, answer_schema, strict

pytestmark = pytest.mark.anyio

PARTNER = {"Authorization": "Bearer demo-partner"}
DETAILED = {"includePendingDetails": "true"}
TENANT = {"Authorization": "Bearer demo"}

WAITS = Waiting("t1", (("customers", "c1"),))
SMALL = [
    Upload(id="oldest", schema="transactions", age=300, total=5, minutes=200),
    Upload(id="patch", schema="customers", age=200, total=5, type=PATCH),
    Upload(id="waits", schema="transactions", age=100, total=5, waiting=[WAITS]),
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


READERS = {
    (path, status): Draft4Validator(strict(answer_schema(path, status)))
    for path, status in ((LIST, "200"), (LIST, "400"), (GET, "200"))
}


def data_of(answer: httpx.Response, path: str = LIST) -> Any:
    """What a good answer holds; it has to be, to the letter, what the OpenAPI documents."""
    body = answer.json()
    READERS[path, "200"].validate(body)
    assert body["success"] is True
    return body["data"]


async def ids(**params: str) -> list[str]:
    return [batch["batchId"] for batch in data_of(await get(params=params))["results"]]


async def walk(tenant: str, tenants: Mapping[str, list[Batch]], **params: str) -> list[str]:
    """Every batch id of a tenant, page by page; each page has to have the documented shape."""
    found: list[str] = []
    while True:
        answer = await get(tenants=tenants, headers=PARTNER | {"reach-tenant-id": tenant}, params=params)
        page = data_of(answer)
        found += [batch["batchId"] for batch in page["results"]]
        if page["pagination"]["cursor"] is None:
            return found
        params["cursor"] = page["pagination"]["cursor"]


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """What a refusal says, in the envelope that is documented for 400."""
    assert answer.status_code == status
    body: dict[str, Any] = answer.json()
    READERS[LIST, "400"].validate(body)
    assert body["success"] is False
    return body


# Who may read


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer stale"}, {"Authorization": "Basic demo"}])
async def test_call_without_a_known_bearer_token_is_answered_401(headers: dict[str, str]) -> None:
    """An expired token is the failure that every user meets first: tokens live for an hour."""
    assert refused(await get(headers=headers), 401) == {
        "success": False,
        "message": "Missing or invalid token",
    }


@pytest.mark.parametrize("header", [{}, {"reach-tenant-id": "acme"}])
async def test_tenant_token_sees_its_own_tenant(header: dict[str, str]) -> None:
    """The header is for partner tokens; beside a tenant's own token it may stand, if it says the same."""
    answer = await get(headers=TENANT | header)

    assert data_of(answer)["pagination"]["total"] == len(SMALL)


async def test_tenant_token_cannot_name_another_tenant() -> None:
    """Otherwise any tenant could read any other."""
    refused(await get(headers=TENANT | {"reach-tenant-id": "other"}), 403)


async def test_partner_token_reads_the_tenant_that_it_names() -> None:
    """One token serves a support engineer who looks after many tenants."""
    answer = await get(headers=PARTNER | {"reach-tenant-id": "other"})

    assert data_of(answer)["results"] == []


async def test_partner_token_has_to_name_a_tenant() -> None:
    """The OpenAPI calls the header optional, the guide requires it: the demo holds with the guide."""
    assert refused(await get(headers=PARTNER), 400)["errors"] == ["reach-tenant-id: required with a partner token"]


async def test_partner_token_gets_403_for_a_tenant_that_nobody_knows() -> None:
    """A 404 would tell a stranger which tenants there are."""
    refused(await get(headers=PARTNER | {"reach-tenant-id": "nobody"}), 403)


async def test_tokens_can_be_chosen() -> None:
    """A demo that is reachable from outside must not answer to a token that is printed in its source."""
    app = build_demo_api({"acme": []}, default_tenant="acme", tenant_token="a", partner_token="b")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://reach.test") as client:
        tokens = {"a": {}, "b": {"reach-tenant-id": "acme"}, "demo": {}}
        answers = {
            token: await client.get("/api/batches", headers={"Authorization": f"bearer {token}", **more})
            for token, more in tokens.items()
        }

    assert {token: answer.status_code for token, answer in answers.items()} == {"a": 200, "b": 200, "demo": 401}


# What may be asked


@pytest.mark.parametrize(
    ("params", "order"),
    [
        ({}, ["running", "queued", "waits", "patch", "oldest"]),
        ({"sortDirection": "asc"}, ["oldest", "patch", "waits", "queued", "running"]),
        ({"sortBy": "startedAt"}, ["running", "waits", "patch", "oldest", "queued"]),
        ({"sortBy": "startedAt", "sortDirection": "asc"}, ["oldest", "patch", "waits", "running", "queued"]),
        ({"sortBy": "completedAt"}, ["waits", "oldest", "patch", "queued", "running"]),
        ({"sortBy": "completedAt", "sortDirection": "asc"}, ["patch", "oldest", "waits", "queued", "running"]),
    ],
)
async def test_batches_are_sorted_and_those_without_the_date_come_last(
    params: dict[str, str], order: list[str]
) -> None:
    """Newest first is the default; a batch at work has no completedAt and still has to stand somewhere."""
    assert await ids(**params) == order


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ({"batchType": "PARTNER_RESOURCE_BATCH_PATCH"}, ["patch"]),
        ({"batchType": "PARTNER_RESOURCE_BATCH_DELETE"}, []),
        ({"onlyBatchesWithPendingResources": "true"}, ["waits"]),
        ({"onlyBatchesWithPendingResources": "true", "batchType": "PARTNER_RESOURCE_BATCH_PATCH"}, []),
        ({"onlyBatchesWithPendingResources": "false"}, ["running", "queued", "waits", "patch", "oldest"]),
        ({"status": "failure", "limit": "2"}, ["running", "queued"]),
    ],
)
async def test_filters_leave_what_they_name(params: dict[str, str], left: list[str]) -> None:
    """A parameter that the page doesn't know is ignored, so a made-up filter looks as if it had matched everything."""
    assert await ids(**params) == left


async def test_total_counts_what_the_filters_left() -> None:
    """Coverage is said in terms of this number."""
    answer = await get(params={"onlyBatchesWithPendingResources": "true"})

    assert data_of(answer)["pagination"] == {"hasNextPage": False, "cursor": None, "total": 1}


@pytest.mark.parametrize("path", ["/api/batches", "/api/batches/waits"])
@pytest.mark.parametrize(
    ("params", "shown"),
    [({}, False), ({"includePendingDetails": "false"}, False), ({"includePendingDetails": "true"}, True)],
)
async def test_pending_rows_come_only_when_asked_for(path: str, params: dict[str, str], shown: bool) -> None:
    """They are nearly all of the bytes: a page of full batches is ten megabytes."""
    data = (await get(path, params)).json()["data"]
    batches = data.get("results", [data])

    assert any("pendingResources" in batch for batch in batches) is shown


async def test_every_wrong_parameter_is_named_at_once() -> None:
    """One 400 says all that is wrong, so that one repair is enough."""
    wrong = {
        "batchType": "INGEST",
        "sortBy": "status",
        "sortDirection": "down",
        "includePendingDetails": "True",
        "onlyBatchesWithPendingResources": "1",
        "limit": "ten",
        "cursor": "garbled",
    }
    answer = await get(params=wrong)

    assert [error.partition(":")[0] for error in refused(answer, 400)["errors"]] == list(wrong)


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "", "ten", "٣", "9" * 5000])
async def test_limit_that_is_no_positive_integer_is_refused(limit: str) -> None:
    """A limit is a string on the wire, so that anything can stand in it."""
    assert refused(await get(params={"limit": limit}), 400)["errors"] == ["limit: must be a positive integer"]


# Pages


def many(count: int) -> dict[str, list[Batch]]:
    uploads = [Upload(id=f"b{n:03d}", schema="customers", age=n, total=1) for n in range(count)]
    return {"acme": [upload.to_wire(NOW) for upload in uploads]}


@pytest.mark.parametrize(("params", "size"), [({}, 20), ({"limit": "7"}, 7), ({"limit": "500"}, 100)])
async def test_page_holds_the_limit_which_is_20_by_default_and_100_at_most(params: dict[str, str], size: int) -> None:
    """No maximum is documented; one that is applied in silence must not look like the end of the list."""
    page = data_of(await get(params=params, tenants=many(130)))
    pagination = page["pagination"]

    assert (len(page["results"]), pagination["hasNextPage"], pagination["total"]) == (size, True, 130)


@pytest.mark.parametrize("limit", ["1", "4", "9", "12", "100"])
@pytest.mark.parametrize("sort_by", ["createdAt", "startedAt", "completedAt"])
async def test_cursors_lead_through_every_batch_once(limit: str, sort_by: str) -> None:
    """Whatever is counted over all pages counts nothing twice and misses nothing."""
    tenants = many(12)

    assert await walk("acme", tenants, limit=limit, sortBy=sort_by) == [f"b{n:03d}" for n in range(12)]


async def test_cursor_keeps_the_order_that_it_was_made_for() -> None:
    """Who follows a cursor without repeating the order still gets the next page of the same list."""
    first = await get(params={"limit": "2", "sortBy": "completedAt", "sortDirection": "asc"})
    cursor = first.json()["data"]["pagination"]["cursor"]

    assert await ids(cursor=cursor) == ["waits", "queued", "running"]


async def test_cursor_beyond_the_end_brings_an_empty_page() -> None:
    """The list may have become shorter since the cursor was made."""
    assert await ids(cursor=sealed("createdAt:desc:99")) == []


def sealed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "abc",
        "ümlaut",
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        sealed("createdAt:desc"),
        sealed("createdAt:desc:two"),
        sealed("createdAt:desc:-2"),
        sealed("createdAt:desc:0"),
        sealed("createdAt:desc:+2"),
        sealed("status:desc:2"),
        sealed("createdAt:down:2"),
        sealed("createdAt:desc:2") + "\n",
    ],
)
async def test_cursor_that_this_api_did_not_write_is_refused(cursor: str) -> None:
    """A cursor that a model has retyped from memory must fail loudly, not start over at the first page."""
    assert refused(await get(params={"cursor": cursor}), 400)["errors"] == ["cursor: is not valid"]


# One batch


async def test_one_batch_is_the_same_object_as_in_the_list() -> None:
    """Two endpoints, one truth: a client may read either with one model."""
    listed = (await get(params=DETAILED)).json()["data"]["results"][2]
    got = data_of(await get("/api/batches/waits", DETAILED), GET)

    assert got["batchId"] == "waits"
    assert got == listed


async def test_one_batch_ignores_the_parameters_of_the_list() -> None:
    """Only includePendingDetails is documented for it, and only that is checked."""
    assert (await get("/api/batches/waits", {"limit": "ten", "cursor": "garbled"})).status_code == 200
    assert len(refused(await get("/api/batches/waits", {"includePendingDetails": "yes"}), 400)["errors"]) == 1


@pytest.mark.parametrize("batch_id", ["nope", "", "waits%2F", "../batches/nope"])
async def test_batch_that_is_not_there_is_answered_404(batch_id: str) -> None:
    """A typing error in an id is told from an empty batch."""
    refused(await get(f"/api/batches/{batch_id}"), 404)


async def test_batch_of_another_tenant_is_not_there() -> None:
    """An id that leaked isn't a key."""
    refused(await get("/api/batches/waits", headers=PARTNER | {"reach-tenant-id": "other"}), 404)


async def test_one_batch_needs_a_token_too() -> None:
    """An id alone opens nothing."""
    refused(await get("/api/batches/waits", headers={}), 401)


# All else


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/api/batches", 405), ("GET", "/api/contacts", 404)])
async def test_other_methods_and_paths_are_refused_in_the_envelope(method: str, path: str, status: int) -> None:
    """The demo is read-only, and a wrong base URL looks like an error of the API."""
    refused(await get(path, method=method), status)


@pytest.mark.parametrize("tenant", [DEFAULT_TENANT, "empty", "healthy", "hostile"])
@pytest.mark.parametrize("details", ["true", "false"])
async def test_every_tenant_answers_in_the_documented_shape(tenant: str, details: str) -> None:
    """The rest of the project is built against this API: where it deviates, the project is wrong about Reach."""
    story = build_story(NOW)

    assert sorted(await walk(tenant, story, includePendingDetails=details, limit="50")) == sorted(
        batch["batchId"] for batch in story[tenant]
    )


async def test_every_hostile_batch_can_be_asked_for_by_its_id() -> None:
    """Line ends, slashes and escapes in an id are data; a trick that can't be fetched can't be tested against."""
    story = build_story(NOW)
    for batch in story["hostile"]:
        path = f"/api/batches/{quote(batch['batchId'], safe='')}"
        answer = await get(path, DETAILED, tenants=story, headers=PARTNER | {"reach-tenant-id": "hostile"})
        assert data_of(answer, GET) == batch


async def test_half_a_character_travels_as_an_escape() -> None:
    """A server that cuts texts by UTF-16 units can split an emoji; JSON carries the half, and a reader may choke."""
    cut: dict[str, Any] = Upload(id="b", schema="s", age=1, total=1, message="no \ud83d").to_wire(NOW)

    assert rb"\ud83d" in (await get(tenants={"acme": [cut]})).content
