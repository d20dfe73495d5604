"""Faults over real sockets: each is told, bounded in requests, and unknown to the next call."""

from __future__ import annotations

import socket
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from reach_mcp.api.auth import StaticToken
from reach_mcp.api.client import ReachClient
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import NoConnection, Stalled, TLSFailed
from reach_mcp.api.query import BatchQuery
from tests.faults.certificates import write_certificate
from tests.faults.server import BATCHES, HANG, FaultServer, Pieces, Request
from tests.faults.table import CASES, TOKEN, Case, always, meet

pytestmark = pytest.mark.anyio

IDS = [str(one["batchId"]) for one in BATCHES]


def client_of(url: str, *, read_timeout: float = 20.0, max_requests: int = 4) -> ReachClient:
    return ReachClient(url, StaticToken(SecretStr(TOKEN)), read_timeout=read_timeout, max_requests=max_requests)


async def ids_of(client: ReachClient, *, tenant: str | None = None, deadline: Deadline | None = None) -> list[str]:
    page = await client.list_batches(BatchQuery(limit=10), tenant=tenant, deadline=deadline or Deadline(20))
    return [batch.batch_id for batch in page.batches]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_reading_through_a_fault(case: Case) -> None:
    outcome = await meet(case)
    assert (outcome.outcome, outcome.requests) == (case.outcome, case.requests)
    assert "planted" not in outcome.ids
    assert TOKEN not in str(outcome.error)
    assert outcome.outcome != "complete" or set(outcome.ids) == set(IDS)


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


async def test_a_port_without_a_listener_is_no_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        deadline = Deadline(20)
        async with client_of(f"http://127.0.0.1:{free.getsockname()[1]}") as client:
            with pytest.raises(NoConnection, match="HTTPS_PROXY"):
                await ids_of(client, deadline=deadline)
    assert deadline.requests == 4


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("certificate"))


async def test_an_authority_is_unknown_until_ssl_cert_file_names_it(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FaultServer(tls=certificate) as server:
        deadline = Deadline(20)
        async with client_of(server.url) as client:
            with pytest.raises(TLSFailed, match="SSL_CERT_FILE"):
                await ids_of(client, deadline=deadline)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with client_of(server.url) as client:
            assert [await ids_of(client), await ids_of(client)] == [IDS, IDS]
    assert (deadline.requests, len(server.requests)) == (1, 2)


async def test_plain_http_on_the_port_is_told_apart_from_a_certificate() -> None:
    async with FaultServer() as server, client_of(server.url.replace("http:", "https:")) as client:
        with pytest.raises(TLSFailed, match="its port must speak TLS"):
            await ids_of(client)


# Proxies


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FaultServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "localhost,[::1],fd00::/8,10.0.0.0/8")
        async with client_of("http://reach.invalid") as client:
            assert await ids_of(client) == IDS
    assert proxy.requests[0].target.startswith("http://reach.invalid/")


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


@pytest.mark.parametrize("no_proxy", ["localhost,[::1]", "::1/128"])
async def test_no_proxy_with_ipv6_reaches_the_api_directly(no_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    async with FaultServer(host="::1") as server, client_of(server.url) as client:
        assert await ids_of(client) == IDS
