"""The client and the tools against Prism: a mock that knows nothing of us, and nothing but the OpenAPI file.

Prism answers over real HTTP, refuses what the contract does not allow, and makes answers up within its bounds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from inline_snapshot import external_file
from mcp import Client
from pydantic import SecretStr

from reach_mcp.api import BatchQuery, ReachClient
from reach_mcp.api.client import Deadline
from reach_mcp.api.credentials import Credential, StaticToken
from reach_mcp.api.errors import (
    BadRequest,
    CredentialMissing,
    Forbidden,
    NotFound,
    RateLimited,
    ReachError,
    Refused,
    ServerFailed,
    Unauthorized,
    UnexpectedShape,
)
from reach_mcp.api.walk import walk
from reach_mcp.server import build_server
from reach_mcp.settings import load_settings
from tests.builders import NOW, as_read
from tests.contract.openapi import GET, LIST, Json, example, query_parameters, read_ours
from tests.contract.test_openapi import EVERY_PARAMETER
from tests.tools.harness import text_of

pytestmark = [pytest.mark.anyio, pytest.mark.instrument, pytest.mark.usefixtures("without_waits")]

TOKEN = SecretStr("not-a-real-token")
ERRORS: dict[int, type[ReachError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    429: RateLimited,
    500: ServerFailed,
}


class Preferring(httpx.AsyncBaseTransport):
    """The network, with a word to Prism on which answer to give; it keeps what was sent and received."""

    def __init__(self, prefer: str = "") -> None:
        self._network = httpx.AsyncHTTPTransport()
        self._prefer = prefer
        self.seen: list[httpx.Request] = []
        self.statuses: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self._prefer:
            request.headers["Prefer"] = self._prefer
        response = await self._network.handle_async_request(request)
        self.statuses.append(response.status_code)
        return response

    async def aclose(self) -> None:
        await self._network.aclose()


@asynccontextmanager
async def reach(url: str, transport: Preferring) -> AsyncIterator[ReachClient]:
    async with ReachClient(url, StaticToken(TOKEN), transport=transport) as client:
        yield client


async def list_page(url: str, transport: Preferring, query: BatchQuery = EVERY_PARAMETER) -> Any:
    async with reach(url, transport) as client:
        return await client.list_batches(query, tenant="northwind", deadline=Deadline(20))


async def get_one(url: str, transport: Preferring, batch_id: str = "bat_1") -> Any:
    async with reach(url, transport) as client:
        return await client.get_batch(batch_id, tenant="northwind", deadline=Deadline(20), include_pending_details=True)


async def test_every_parameter_is_accepted(prism: str) -> None:
    """Prism refuses a value that the contract does not allow: all seven parameters at once are allowed."""
    page = await list_page(prism, Preferring())

    assert page.batches == [as_read(one) for one in example(LIST, "200", "page")["data"]["results"]]
    assert (page.has_next, page.cursor, page.total, page.malformed) == (False, None, 4, [])


async def test_only_documented_parameters_are_sent(prism: str) -> None:
    """Prism lets unknown parameters pass, so what went over the wire is compared with the contract itself."""
    transport = Preferring()

    await list_page(prism, transport)
    await get_one(prism, transport)

    listed, single = transport.seen
    assert sorted(listed.url.params.keys()) == sorted(query_parameters(LIST))
    assert sorted(single.url.params.keys()) == sorted(query_parameters(GET))
    assert [request.headers["reach-tenant-id"] for request in transport.seen] == ["northwind"] * 2
    assert {request.method for request in transport.seen} == {"GET"}


async def test_wrong_value_is_refused_by_the_mock(prism: str) -> None:
    """What proves the two tests above: Prism does look at the values."""
    with pytest.raises(BadRequest):
        await list_page(prism, Preferring(), BatchQuery(sort_by="batchId"))  # type: ignore[arg-type] # the point of it


async def test_missing_credential_sends_nothing(prism: str) -> None:
    """The contract asks for a bearer token; without one there is nothing to ask for."""
    transport = Preferring()

    async with ReachClient(prism, Credential(), transport=transport) as client:
        with pytest.raises(CredentialMissing):
            await client.list_batches(BatchQuery(), tenant=None, deadline=Deadline(20))

    assert transport.seen == []


def test_every_documented_status_is_expected_here() -> None:
    """A status that is added to the contract needs an error, and a line in the table above."""
    for path in (LIST, GET):
        assert sorted(read_ours()["paths"][path]["get"]["responses"]) == sorted(map(str, [200, *ERRORS]))


@pytest.mark.parametrize("status", ERRORS)
@pytest.mark.parametrize("path", [LIST, GET])
async def test_every_documented_status_is_its_own_error(prism: str, path: str, status: int) -> None:
    """Each bears the API's words apart from ours, and the wait where the API asks for one."""
    transport = Preferring(f"code={status}")
    ask = list_page if path == LIST else get_one

    with pytest.raises(ERRORS[status]) as caught:
        await ask(prism, transport)

    (name,) = read_ours()["paths"][path]["get"]["responses"][str(status)]["content"]["application/json"]["examples"]
    said = example(path, str(status), name)
    assert type(caught.value) is ERRORS[status]
    assert caught.value.quotes == (said["message"], *said.get("errors", ()))
    assert caught.value.retry_after == (120 if status == 429 else None)
    assert transport.statuses == [status] * (4 if status == 500 else 1)


async def test_list_without_data_is_empty(prism: str) -> None:
    """`data` is not required."""
    page = await list_page(prism, Preferring("code=200, example=bare"))

    assert (page.batches, page.has_next) == ([], False)


async def test_batch_without_data_is_no_batch(prism: str) -> None:
    """An empty answer to a question about one batch is an error, not a batch without facts."""
    with pytest.raises(UnexpectedShape):
        await get_one(prism, Preferring("code=200, example=bare"))


async def test_failure_under_status_200_is_a_refusal(prism: str) -> None:
    """The envelope's own word counts, whatever the status."""
    with pytest.raises(Refused) as caught:
        await list_page(prism, Preferring("code=200, example=refused"))

    assert caught.value.quotes == ("Batches are not available for this tenant",)


async def test_walk_ends_when_a_cursor_repeats(prism: str) -> None:
    """Prism gives the same first page to every cursor: a naive walk would never end."""
    found: list[Any] = []

    async with reach(prism, Preferring("code=200, example=first")) as client:
        coverage = await walk(client, BatchQuery(), tenant=None, deadline=Deadline(20), fold=found.append)

    assert (coverage.stop, coverage.complete) == ("cursor_repeats", False)


@pytest.mark.parametrize("attempt", range(5))
async def test_made_up_pages_are_read(prism: str, attempt: int) -> None:
    """Answers that nobody wrote: floats for counters, texts for dates, fields that are absent or unknown."""
    transport = Preferring("code=200, dynamic=true")

    try:
        page = await list_page(prism, transport)
        batch, malformed = await get_one(prism, transport)
    except (Refused, UnexpectedShape):
        return  # `success: false`, or no `data`: both may be made up as well
    assert page.malformed == malformed == []
    assert {"batchId", "status", "batchType", "progress"} <= batch.keys()


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_batches", {"include_pending_details": True, "tenant_id": "northwind"}),
        ("get_batch", {"batch_id": "bat_txn_0922"}),
        ("explain_pending_dependencies", {}),
    ],
)
async def test_tools_answer_from_the_mock(prism: str, tool: str, arguments: Json) -> None:
    """The whole road over real HTTP, from the contract's own examples to what a model reads."""
    server = build_server(load_settings(api_url=prism, api_token=TOKEN), clock=lambda: NOW, mark=lambda: "f00d")

    async with Client(server) as client:
        result = await client.call_tool(tool, arguments)

    answer = {"text": text_of(result).splitlines(), "structured": result.structured_content}
    assert not result.is_error
    assert answer == external_file(f"snapshots/prism_{tool}.json")


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize(("tool", "arguments"), [("list_batches", {}), ("get_batch", {"batch_id": "b"})])
async def test_tools_survive_made_up_answers(prism: str, tool: str, arguments: Json, attempt: int) -> None:
    """Whatever the contract allows ends in an answer or in an error that we wrote; never in a crash."""
    server = build_server(load_settings(api_url=prism, api_token=TOKEN), transport=Preferring("dynamic=true"))

    async with Client(server) as client:
        result = await client.call_tool(tool, arguments)

    assert text_of(result)
    assert text_of(result) != f"Error executing tool {tool}"
