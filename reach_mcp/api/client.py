"""ReachClient: one method per endpoint, GET only; the only place that opens a connection to Reach."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Self, TypeVar
from urllib.parse import quote

import anyio
import anyio.to_thread
import httpx
import stamina
from pydantic import SecretStr

from reach_mcp.api.auth import BearerAuth, Credential, StaticToken, build_credential
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.decoding import decode_batch, decode_page
from reach_mcp.api.errors import Busy, InvalidArgument, TimedOut, WrongBatch
from reach_mcp.api.failures import RetryPolicy, status_error, transport_error
from reach_mcp.api.headers import clock_skew, request_id
from reach_mcp.api.models import Batch, Page
from reach_mcp.api.query import BatchQuery
from reach_mcp.api.redaction import redact, redact_bytes
from reach_mcp.api.slots import RequestSlots
from reach_mcp.api.transport import BoundedTransport, asgi_transport, network_transport
from reach_mcp.settings import Settings

MAX_ATTEMPTS = 4
"""Attempts at one request, the first included."""
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
"""A request that brings no byte for so long ends and gives its slot back."""
LARGE_BODY_BYTES = 262_144
"""Larger bodies are decoded in a thread, so that the event loop goes on."""
MAX_TENANT_CHARS = 256

Decoded = TypeVar("Decoded")


class ReachClient:
    """The Reach API over HTTP, with credential, retries, and bounds on time, size and requests in flight.

    Every method raises a ReachError, or a ConfigurationError where a setting is wrong. Retried within the deadline, at
    most four attempts: connection errors, bodies that break off, 408, 429 and 5xx. A `Retry-After` longer than the time
    left is reported, not waited for. `transport` replaces the network, `clock` the time of day.
    """

    def __init__(
        self,
        base_url: str,
        credential: Credential,
        *,
        tenant: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        max_body: int = 32_000_000,
        max_requests: int = 4,
        read_timeout: float = READ_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.credential = credential
        self.pinned_tenant = tenant
        self._base_url = base_url
        self._transport = transport
        self._max_body = max_body
        self._slots = RequestSlots(max_requests)
        self._read_timeout = read_timeout
        self._clock = clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        client = vars(self).pop("_http", None)
        if client is not None:
            await client.aclose()

    async def list_batches(self, query: BatchQuery, *, tenant: str | None, deadline: Deadline) -> Page:
        """`GET /api/batches`: one page."""
        body = await self._get("/api/batches", query.params(), tenant, deadline)
        return await self._decode(decode_page, body)

    async def get_batch(
        self, batch_id: str, *, tenant: str | None, deadline: Deadline, include_pending_details: bool = True
    ) -> Batch:
        """`GET /api/batches/{batchId}`: one batch. Raises WrongBatch if the answer is about another one."""
        if batch_id.strip() in ("", ".", ".."):
            raise InvalidArgument("batch_id must name one batch.")
        params = {"includePendingDetails": "true"} if include_pending_details else {}
        path = f"/api/batches/{quote(batch_id, safe='', errors='replace')}"
        batch = await self._decode(decode_batch, await self._get(path, params, tenant, deadline, one_batch=True))
        if batch.batch_id.casefold() != batch_id.strip().casefold():
            raise WrongBatch(quotes=[batch.batch_id], request_id=deadline.request_id)
        return batch

    def redact(self, text: str) -> str:
        """The text without any secret that the client holds."""
        return redact(text, self.credential.secrets())

    async def _decode(self, decode: Callable[[bytes], Decoded], body: bytes) -> Decoded:
        secrets = self.credential.secrets()

        def run() -> Decoded:
            return decode(redact_bytes(body, secrets))

        if len(body) <= LARGE_BODY_BYTES:
            return run()
        return await anyio.to_thread.run_sync(run, abandon_on_cancel=True)

    async def _get(
        self, path: str, params: dict[str, str], tenant: str | None, deadline: Deadline, *, one_batch: bool = False
    ) -> bytes:
        """The body of a 200 answer, with retries."""
        check_tenant(tenant)
        if deadline.expired:
            raise TimedOut
        policy = RetryPolicy(deadline)
        try:
            with anyio.fail_after(deadline.left()):
                async for attempt in stamina.retry_context(
                    on=policy, attempts=MAX_ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=5, wait_jitter=0.3
                ):
                    with attempt:
                        response = await self._request(path, params, tenant, deadline, policy)
                        if response.status_code != 200:
                            raise status_error(response, self.credential, one_batch=one_batch, now=self._clock())
                        return response.content
        except TimeoutError:
            raise (policy.failure or TimedOut()) from None
        raise AssertionError("stamina ends with a result or an error")  # pragma: no cover

    async def _request(
        self, path: str, params: dict[str, str], tenant: str | None, deadline: Deadline, policy: RetryPolicy
    ) -> httpx.Response:
        """One answer, whatever its status. Twice asked where the credential is renewed after a 401."""
        policy.failure = policy.failure or Busy("Other calls hold all request slots towards Reach.")
        # A pinned tenant is alone here.
        async with self._slots.hold(None if tenant == self.pinned_tenant else tenant):
            policy.failure = None
            try:
                response = await self._http.get(
                    path,
                    params=params,
                    headers={} if tenant is None else {"reach-tenant-id": tenant},
                    auth=BearerAuth(self.credential),
                    extensions={"deadline": deadline},
                )
            except (httpx.TransportError, ssl.SSLError) as error:
                raise transport_error(error, self._read_timeout) from error
            except (httpx.InvalidURL, UnicodeEncodeError):
                raise InvalidArgument("An argument is too long for a URL, or is not text.") from None
        self._note(response, deadline)
        return response

    def _note(self, response: httpx.Response, deadline: Deadline) -> None:
        """Keep the request id and the difference of the clocks for the call."""
        identity = request_id(response.headers)
        if identity is not None:
            deadline.request_id = self.redact(identity)
        skew = clock_skew(response.headers, self._clock())
        deadline.clock_skew = deadline.clock_skew if skew is None else skew

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """The HTTP client, made at the first request: reading the CA bundle would slow every start."""
        return httpx.AsyncClient(
            base_url=self._base_url,
            transport=BoundedTransport(self._transport or network_transport(self._base_url), self._max_body),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._read_timeout, connect=CONNECT_SECONDS, pool=None),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Connection": "close",
                "User-Agent": "reach-mcp",
            },
        )


def check_tenant(tenant: str | None) -> None:
    """Raise InvalidArgument unless a tenant id can be sent in a header."""
    if tenant is not None and (len(tenant) > MAX_TENANT_CHARS or not re.fullmatch("[!-~]([ -~]*[!-~])?", tenant)):
        raise InvalidArgument("tenant_id must be plain ASCII without spaces around it: it is sent in a header.")


def build_client(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> ReachClient:
    """The client that the settings describe, of the built-in demo if they say so. `transport` replaces the network."""
    if settings.demo:
        url, credential, tenant, demo = _describe_demo(settings.demo_tenant)
        transport = transport or demo
    else:
        url, credential, tenant = settings.api_url, build_credential(settings), settings.tenant_id
    return ReachClient(
        url,
        credential,
        tenant=tenant,
        transport=transport,
        max_body=int(settings.max_body_mb * 1_000_000),
        max_requests=settings.max_requests,
    )


def _describe_demo(tenant: str) -> tuple[str, Credential, str | None, httpx.AsyncBaseTransport]:
    """Address, credential, tenant and transport of the demo. Its default tenant has a token of its own."""
    from reach_mcp.demo.api import build_demo_api
    from reach_mcp.demo.story import DEFAULT_TENANT, build_story

    app = build_demo_api(build_story(datetime.now(UTC)), default_tenant=DEFAULT_TENANT)
    named = None if tenant == DEFAULT_TENANT else tenant
    token = "demo" if named is None else "demo-partner"
    return "http://reach.demo", StaticToken(SecretStr(token)), named, asgi_transport(app)
