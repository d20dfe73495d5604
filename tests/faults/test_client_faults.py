"""Over real sockets: what each fault is told as, how many requests it costs, how long, and that the next call works."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import pytest
from pydantic import SecretStr

from reach_mcp.api.client import BatchQuery, Deadline, ReachClient
from reach_mcp.api.credentials import StaticToken
from reach_mcp.api.errors import (
    BadRequest,
    BodyTooLarge,
    EmptyAnswer,
    Forbidden,
    NoConnection,
    NotFound,
    NotJSON,
    RateLimited,
    ReachError,
    Redirected,
    Refused,
    ServerFailed,
    TimedOut,
    TLSFailed,
    TruncatedJSON,
    Unauthorized,
    UnexpectedShape,
    UnexpectedStatus,
)
from reach_mcp.api.models import Page
from tests.faults.server import BATCHES, LIMIT
from tests.faults.site import Site

pytestmark = pytest.mark.anyio

TOKEN = "the-token-that-must-not-travel"
BREAKS = ("reset-before", "reset-middle", "close-before", "length-too-long", "chunks-cut", "gzip-cut")
IDS = [batch["batchId"] for batch in BATCHES[:LIMIT]]


@dataclass(frozen=True)
class Case:
    """A fault, and what becomes of the call that meets it.

    `told` is the error, whose words `docs/faults.md` holds; nothing where the page comes after all, its batches being
    `ids`.
    """

    fault: str
    told: type[ReachError] | None = None
    requests: int = 1
    times: int = 1
    deadline: float = 20
    seconds: float = 5
    """What the call may take at most."""
    ids: tuple[str, ...] = tuple(IDS)
    malformed: tuple[str, ...] = ()


CASES = [
    # time
    Case("slow-head=0.3"),
    Case("slow-body=0.3"),
    Case("slow-head=30", TimedOut, deadline=0.3, seconds=2),
    Case("slow-body=30", TimedOut, deadline=0.3, seconds=2),
    # connections that end
    *(Case(fault, requests=2) for fault in BREAKS),
    *(Case(fault, NoConnection, requests=4, times=4) for fault in BREAKS),
    # bodies
    Case("chunks"),
    Case("gzipped"),
    Case("length-too-short", TruncatedJSON),
    Case("truncated", TruncatedJSON),
    Case("deep", TruncatedJSON),
    Case("html", NotJSON),
    Case("empty", EmptyAnswer),
    Case("refused", Refused),
    Case("shape", UnexpectedShape),
    Case("big=20"),
    Case("big=64", BodyTooLarge),
    Case("bomb=64", BodyTooLarge),
    # statuses
    Case("status=400", BadRequest),
    Case("status=401", Unauthorized),
    Case("status=403", Forbidden),
    Case("status=404", NotFound),
    Case("status=418", UnexpectedStatus),
    *(Case(f"status={status}", ServerFailed, requests=4, times=4) for status in (408, 500, 502, 503, 504)),
    *(Case(f"status={status}", requests=4, times=3) for status in (408, 429, 500, 502, 503, 504)),
    Case("status=429", RateLimited, requests=4, times=4),
    Case("retry-seconds=90", RateLimited),
    Case("retry-date=90", RateLimited),
    Case("redirect=same", Redirected),
    Case("redirect=other", Redirected),
    Case("redirect=loop", Redirected),
    # pages that are odd
    Case("nulls", ids=("b0", "b1"), malformed=("b2",)),
    Case("unknown"),
    Case("malformed", ids=("b0", "b1"), malformed=("b1: pr_broken", "b_broken")),
    Case("half-pairs", ids=("b0", "b\ufffd", "b2")),
]


def client_of(url: str) -> ReachClient:
    return ReachClient(url, StaticToken(SecretStr(TOKEN)))


async def page_of(client: ReachClient, *, seconds: float = 20, deadline: Deadline | None = None) -> Page:
    return await client.list_batches(BatchQuery(), tenant=None, deadline=deadline or Deadline(seconds))


async def ids_of(client: ReachClient, *, seconds: float = 20) -> list[str]:
    return [batch["batchId"] for batch in (await page_of(client, seconds=seconds)).batches]


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}, {case.times} times")
async def test_fault_is_told_bounded_and_left_behind(case: Case, site: Site) -> None:
    """Whatever happens on the wire, a call ends in time with a page or with what to do; the next one knows nothing."""
    told: type[ReachError] | None = None
    page = Page()
    async with client_of(site.url(case.fault, times=case.times)) as client:
        start = time.monotonic()
        try:
            page = await page_of(client, seconds=case.deadline)
        except ReachError as error:
            told = type(error)
        took = time.monotonic() - start
        requests = site.tally()["requests"]
        next_ids = await ids_of(client)
        kept = site.open_connections(down_to=1)
    tally = site.tally()

    assert told == case.told
    if told is None:
        assert (tuple(batch["batchId"] for batch in page.batches), tuple(page.malformed)) == (case.ids, case.malformed)
    assert requests == case.requests
    assert took < case.seconds
    assert next_ids == IDS
    assert len(kept) <= 1
    assert site.open_connections() == []
    assert (tally["elsewhere"], set(tally["methods"]), set(tally["tokens"])) == (0, {"GET"}, {f"Bearer {TOKEN}"})


async def test_one_batch_goes_the_same_road(site: Site) -> None:
    """`GET /api/batches/{batchId}` has the same retries and bounds."""
    async with client_of(site.url("status=503", times=1)) as client:
        found, malformed = await client.get_batch("b0", tenant=None, deadline=Deadline(10))

    assert (found["batchId"], malformed, site.tally()["requests"]) == ("b0", [], 2)


async def arrived(site: Site) -> None:
    """Return once the server is at work on a request."""
    while not site.tally()["requests"]:
        await anyio.lowlevel.checkpoint()


# Waits


async def test_waits_between_tries_grow_and_stay_short(site: Site) -> None:
    """0.2, 0.4 and 0.8 s with a jitter of 0.3: long enough for a restart behind a balancer, short for a caller."""
    start = time.monotonic()
    async with client_of(site.url("status=503", times=3)) as client:
        ids = await ids_of(client)
    took = time.monotonic() - start

    assert (ids, site.tally()["requests"]) == (IDS, 4)
    assert 1.4 <= took < 3


@pytest.mark.parametrize(("fault", "least"), [("retry-seconds=1", 1), ("retry-date=1", 0.9)])
async def test_short_retry_after_is_waited_out(fault: str, least: float, site: Site) -> None:
    """Asked again at once, a limiter only limits longer."""
    start = time.monotonic()
    async with client_of(site.url(fault)) as client:
        ids = await ids_of(client)
    took = time.monotonic() - start

    assert (ids, site.tally()["requests"]) == (IDS, 2)
    assert least <= took < 3


# Calls that end from our side


@pytest.mark.parametrize("fault", ["slow-head=30", "slow-body=30"])
async def test_cancelled_call_hangs_up_at_once(fault: str, site: Site) -> None:
    """Who no longer listens costs Reach nothing more."""
    async with client_of(site.url(fault)) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(page_of, client)
            await arrived(site)
            group.cancel_scope.cancel()
        left = site.open_connections()
        next_ids = await ids_of(client)

    assert (left, next_ids) == ([], IDS)


@pytest.mark.usefixtures("without_waits")
async def test_many_calls_at_once_through_faults_of_all_kinds_leave_nothing_open(site: Site) -> None:
    """A pool that loses a connection to every tenth fault is empty by the evening."""
    faults = [
        "reset-before",
        "reset-middle",
        "slow-head=30",
        "html",
        "big=40",
        "bomb=64",
        "status=500",
        "redirect=loop",
    ]
    clients = [client_of(site.url(fault, times=1_000)) for fault in faults]

    async def call(client: ReachClient) -> None:
        with suppress(ReachError):
            await page_of(client, seconds=1)

    async with anyio.create_task_group() as group:
        for client in clients * 5:
            group.start_soon(call, client)
    kept = site.open_connections(down_to=len(clients) * 4)
    for client in clients:
        await client.__aexit__(None, None, None)

    assert len(kept) <= len(clients) * 4
    assert site.open_connections() == []


# Connections that do not come about


@pytest.mark.usefixtures("without_waits")
async def test_port_that_nobody_listens_on_is_told_as_no_connection(site: Site) -> None:
    """Four tries: a server that restarts is there again within a second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with client_of(f"http://127.0.0.1:{free.getsockname()[1]}") as client:
            deadline = Deadline(20)
            with pytest.raises(NoConnection) as raised:
                await page_of(client, deadline=deadline)

    assert deadline.requests == 4
    assert str(raised.value) == (
        "The Reach API can't be reached: the connection failed. Check REACH_API_URL, the network and HTTPS_PROXY."
    )


async def test_certificate_of_an_unknown_authority_is_told_once(site: Site) -> None:
    """No retry makes it known; the text names the way out behind a corporate proxy."""
    async with client_of(site.url("good", origin=site.origin("tls", scheme="https"))) as client:
        deadline = Deadline(20)
        with pytest.raises(TLSFailed) as raised:
            await page_of(client, deadline=deadline)

    assert str(raised.value) == (
        "The Reach API's TLS certificate was not accepted. "
        "Behind a corporate proxy, name its CA bundle in SSL_CERT_FILE; otherwise check REACH_API_URL."
    )
    assert (deadline.requests, site.tally()["requests"], site.open_connections()) == (1, 0, [])


async def test_authority_named_in_ssl_cert_file_is_trusted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the text above advises works, over a connection that breaks off as well."""
    monkeypatch.setenv("SSL_CERT_FILE", str(site.authority))
    for fault, requests in (("good", 1), ("reset-middle", 3)):
        async with client_of(site.url(fault, times=2, origin=site.origin("tls", scheme="https"))) as client:
            assert await ids_of(client) == IDS
            assert site.tally()["requests"] == requests

    assert site.open_connections() == []


async def test_name_that_the_certificate_does_not_bear_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A known authority is not enough: the certificate has to be for this host."""
    monkeypatch.setenv("SSL_CERT_FILE", str(site.authority))

    async with client_of(site.url("good", origin=site.origin("misnamed", scheme="https", host="[::1]"))) as client:
        with pytest.raises(TLSFailed) as raised:
            await page_of(client)

    assert raised.value.message == "The Reach API's TLS certificate was not accepted."


async def test_plain_http_where_tls_is_expected_is_told_apart_from_a_certificate(site: Site) -> None:
    """`https://` with the port of `http://` is a slip of the base URL; no CA bundle mends it."""
    async with client_of(site.url("good", origin=site.origin("plain", scheme="https"))) as client:
        with pytest.raises(ReachError) as raised:
            await page_of(client)

    assert (type(raised.value), str(raised.value)) == (
        TLSFailed,
        "No secure connection to the Reach API can be agreed on. "
        "Check REACH_API_URL: its port must speak TLS, and no proxy may stand in between.",
    )


async def test_reach_is_reached_over_ipv6_alone(site: Site) -> None:
    """Some networks have nothing else."""
    async with client_of(site.url("good", origin=site.origin("six", host="[::1]"))) as client:
        assert await ids_of(client) == IDS


# Proxies


async def test_http_proxy_of_the_environment_is_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host of the URL need not be known here: the proxy answers for it."""
    monkeypatch.setenv("HTTP_PROXY", site.origin("plain"))

    async with client_of(site.url("good", origin="http://reach.invalid")) as client:
        assert await ids_of(client) == IDS

    tally = site.tally()
    assert (tally["requests"], tally["proxied"], site.open_connections()) == (1, 1, [])


async def test_tls_goes_through_a_proxy_without_showing_the_credential(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy carries bytes that it can't read."""
    monkeypatch.setenv("HTTPS_PROXY", site.origin("plain"))
    monkeypatch.setenv("SSL_CERT_FILE", str(site.authority))

    async with client_of(site.url("good", origin=site.origin("tls", scheme="https", host="localhost"))) as client:
        assert await ids_of(client) == IDS

    tunnels = site.tally()["tunnels"]
    assert [tunnel.split("\r\n")[0] for tunnel in tunnels] == [f"CONNECT localhost:{site.ports['tls']} HTTP/1.1"]
    assert TOKEN not in "".join(tunnels)
    assert site.open_connections() == []


@pytest.mark.usefixtures("without_waits")
async def test_proxy_that_refuses_is_told_as_no_connection(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text names the variable to look at."""
    monkeypatch.setenv("HTTPS_PROXY", site.origin("plain"))

    async with client_of(site.url("good", origin="https://reach.invalid")) as client:
        with pytest.raises(NoConnection, match="HTTPS_PROXY"):
            await page_of(client)

    assert site.open_connections() == []


async def test_no_proxy_of_the_environment_is_heeded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Reach inside the network is reached without the proxy that leads out of it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async with client_of(site.url("good")) as client:
        assert await ids_of(client) == IDS
