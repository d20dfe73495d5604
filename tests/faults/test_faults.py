"""Faults over real sockets: each is told, bounded in requests, and unknown to the next call."""

from __future__ import annotations

import anyio
import pytest

from reach_mcp.api.auth import Credential
from reach_mcp.api.client import ReachClient
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import NoConnection, Stalled, TLSFailed
from reach_mcp.api.query import BatchQuery
from tests.faults.server import BATCHES, HANG, FaultServer, Pieces, Request
from tests.faults.table import CASES, TOKEN, Case, always, meet

pytestmark = pytest.mark.anyio

IDS = [str(one["batchId"]) for one in BATCHES]


def client_of(url: str, *, read_timeout: float = 20.0, max_requests: int = 4) -> ReachClient:
    return ReachClient(url, Credential(lambda: TOKEN), read_timeout=read_timeout, max_requests=max_requests)


async def ids_of(client: ReachClient, *, tenant: str | None = None, deadline: Deadline | None = None) -> list[str]:
    page = await client.list_batches(BatchQuery(limit=10), tenant=tenant, deadline=deadline or Deadline(20))
    return [batch.batch_id for batch in page.batches]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_reading_through_a_fault(case: Case) -> None:
    outcome, requests, ids = await meet(case)
    assert (outcome, requests) == (case.outcome, case.requests)
    assert "planted" not in ids
    assert outcome != "complete" or set(ids) == set(IDS)


async def test_a_stalled_request_gives_its_slot_back_at_its_read_timeout() -> None:
    def stall(request: Request, body: bytes) -> Pieces:
        return [HANG] if request.headers.get("reach-tenant-id") == "a" else []

    async def stalled() -> None:
        with pytest.raises(Stalled, match=r"nothing for 0\.2 s"):
            await ids_of(client, tenant="a")

    async with (
        FaultServer(stall, last=1) as server,
        client_of(server.url, read_timeout=0.2, max_requests=1) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(stalled)
        await server.arrived.wait()
        assert await ids_of(client, tenant="b") == IDS


async def test_a_cancelled_call_hangs_up() -> None:
    async with FaultServer(always(HANG), last=1) as server, client_of(server.url) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ids_of, client)
            await server.arrived.wait()
            tasks.cancel_scope.cancel()
        await server.all_closed()
        assert await ids_of(client) == IDS


# TLS


async def test_plain_http_on_the_port_is_told_apart_from_a_certificate() -> None:
    async with FaultServer() as server, client_of(server.url.replace("http:", "https:")) as client:
        with pytest.raises(TLSFailed, match="its port must speak TLS"):
            await ids_of(client)


# Proxies


async def test_a_proxy_that_refuses_is_no_connection_and_does_not_get_the_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with FaultServer() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client_of("https://reach.invalid") as client:
            with pytest.raises(NoConnection, match="HTTPS_PROXY"):
                await ids_of(client)
    assert {request.method for request in proxy.requests} == {"CONNECT"}
    assert TOKEN not in str(proxy.requests)


async def test_addresses_of_no_proxy_are_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost,[::1],fd00::/8,127.0.0.0/8")
    async with FaultServer() as server, client_of(server.url) as client:
        assert await ids_of(client)
