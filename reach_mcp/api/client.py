"""ReachClient: one method per endpoint, GET only; the only place that opens a connection to Reach."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from copy import copy
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Self, TypeVar
from urllib.parse import quote
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
import httpx
import stamina

from reach_mcp import __version__
from reach_mcp.api import errors
from reach_mcp.api.auth import BearerAuth, Credential, build_credential, token_end
from reach_mcp.api.deadline import Deadline, clock_skew, http_date, retry_after
from reach_mcp.api.decoding import decode_batch, decode_error, decode_page
from reach_mcp.api.models import Batch, Page
from reach_mcp.api.observed import ObservedTransport
from reach_mcp.api.query import BatchQuery
from reach_mcp.api.redaction import redact, redact_bytes
from reach_mcp.api.transport import BoundedTransport, asgi_transport, network_transport
from reach_mcp.metrics import Metrics
from reach_mcp.settings import Settings

MAX_ATTEMPTS = 4
"""Attempts at one request, the first included."""
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
MAX_TENANT_CHARS = 256
MAX_REQUEST_ID_CHARS = 80
LARGE_BODY_BYTES = 262_144
"""Larger bodies are decoded in a thread, so that the event loop goes on."""

TENANT_NEEDED = "Name the tenant in tenant_id, or set REACH_TENANT_ID."

Decoded = TypeVar("Decoded")
_TENANT = re.compile("[!-~]([ -~]*[!-~])?")
_STATUS_ERRORS: dict[int, type[errors.ReachError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    429: errors.RateLimited,
}


@dataclass(eq=False, repr=False)
class ReachClient:
    """The Reach API over HTTP, with credential, retries, and bounds on time, size and requests in flight.

    Every method raises a ReachError, or a ConfigurationError where a setting is wrong. Retried within the deadline, at
    most four attempts: connection errors, bodies that break off, 408, 429 and 5xx. A `Retry-After` longer than the time
    left is reported, not waited for.
    """

    base_url: str
    credential: Credential
    _: KW_ONLY
    pinned_tenant: str | None = None
    transport: httpx.AsyncBaseTransport | None = None
    """Replaces the network."""
    max_body: int = 32_000_000
    max_requests: int = 4
    """Requests in flight. A named caller or tenant gets half of them, so that its stalls leave slots to others."""
    read_timeout: float = READ_SECONDS
    """A request that brings no byte for so many seconds ends and gives its slot back."""
    clock: Callable[[], float] = time.time
    metrics: Metrics = field(default_factory=Metrics)
    send_trace: bool = False
    """Send `traceparent` to Reach."""
    slot_of_all: Callable[[Mapping[str, int]], AbstractAsyncContextManager[None]] = lambda _: nullcontext()
    """Holds one of the slots that several servers share, by the same bounds as those of this client."""

    def __post_init__(self) -> None:
        self._slots: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        client = vars(self).pop("_http", None)
        if client is not None:
            await client.aclose()

    async def list_batches(self, query: BatchQuery, *, tenant: str | None, deadline: Deadline) -> Page:
        """`GET /api/batches`: one page."""
        return await self._decode(decode_page, await self.fetch_page(query, tenant=tenant, deadline=deadline))

    async def fetch_page(self, query: BatchQuery, *, tenant: str | None, deadline: Deadline) -> bytes:
        """The undecoded body of one page, with whatever the API writes into it."""
        return await self._get("/api/batches", query.params(), tenant, deadline)

    async def get_batch(self, batch_id: str, *, tenant: str | None, deadline: Deadline) -> Batch:
        """`GET /api/batches/{batchId}`, with pending details. Raises UnexpectedAnswer if another batch comes."""
        if batch_id.strip() in ("", ".", ".."):
            raise errors.InvalidArgument("batch_id must name one batch.")
        params = {"includePendingDetails": "true"}
        path = f"/api/batches/{quote(batch_id, safe='', errors='replace')}"
        batch = await self._decode(decode_batch, await self._get(path, params, tenant, deadline, one_batch=True))
        if batch.batch_id.casefold() != batch_id.strip().casefold():
            raise errors.UnexpectedAnswer(
                "Reach answered with another batch than the one asked for.",
                advice="Try again; if it stays so, a proxy or cache may be answering instead of Reach.",
                quotes=[batch.batch_id],
            )
        return batch

    def acting_for(self, token: str) -> ReachClient:
        """This client with the JWT of a caller. It shares connections, slots and bounds with it."""
        other = copy(self)
        vars(other)["_http"] = self._http
        other.credential = Credential(lambda: token)
        other.credential.refusal_advice = "Send a fresh Reach JWT in the header Reach-Authorization."
        return other

    def redact(self, text: str) -> str:
        """The text without any secret that the client holds."""
        return redact(text, self.credential.secrets())

    async def _decode(self, decode: Callable[[bytes], Decoded], body: bytes) -> Decoded:
        secrets = self.credential.secrets()

        def run() -> Decoded:
            return decode(redact_bytes(body, secrets))

        return run() if len(body) <= LARGE_BODY_BYTES else await anyio.to_thread.run_sync(run, abandon_on_cancel=True)

    async def _get(
        self, path: str, params: dict[str, str], tenant: str | None, deadline: Deadline, *, one_batch: bool = False
    ) -> bytes:
        """The body of a 200 answer, with retries."""
        if deadline.expired:
            raise errors.TimedOut
        request, policy = self._build(path, params, tenant, deadline), RetryPolicy(deadline)
        try:
            with anyio.fail_after(deadline.left()):
                async for attempt in stamina.retry_context(
                    on=policy, attempts=MAX_ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=5, wait_jitter=0.3
                ):
                    with attempt:
                        async with self._slot(deadline.caller, tenant):
                            policy.failure = errors.TimedOut()
                            response = await self._send(request, deadline)
                        if response.status_code != 200:
                            raise self._status_error(response, one_batch=one_batch)
                        return response.content
        except TimeoutError:
            raise policy.failure from None
        raise AssertionError("stamina ends with a result or an error")  # pragma: no cover

    def _build(self, path: str, params: dict[str, str], tenant: str | None, deadline: Deadline) -> httpx.Request:
        if tenant is not None and (len(tenant) > MAX_TENANT_CHARS or not _TENANT.fullmatch(tenant)):
            raise errors.InvalidArgument("tenant_id must be plain ASCII, as a header, without spaces around it.")
        headers = {} if tenant is None else {"reach-tenant-id": tenant}
        try:
            return self._http.build_request(
                "GET", path, params=params, headers=headers, extensions={"deadline": deadline}
            )
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise errors.InvalidArgument("An argument is too long for a URL, or is not text.") from None

    async def _send(self, request: httpx.Request, deadline: Deadline) -> httpx.Response:
        """One answer, whatever its status. Keeps its request id and the difference of the clocks for the call."""
        try:
            response = await self._http.send(request, auth=BearerAuth(self.credential))
        except (httpx.TransportError, ssl.SSLError) as error:
            raise self._transport_error(error) from error
        identity = response.headers.get("x-request-id") or response.headers.get("cf-ray", "")
        deadline.request_id = self.redact(identity[:MAX_REQUEST_ID_CHARS]) or deadline.request_id
        deadline.server_time = http_date(response.headers.get("date", ""))
        skew = clock_skew(response.headers, self.clock())
        deadline.clock_skew = deadline.clock_skew if skew is None else skew
        return response

    def _status_error(self, response: httpx.Response, *, one_batch: bool) -> errors.ReachError:
        """The error for an answer whose status is not 200."""
        status, message, advice = response.status_code, "", ""
        quotes = [self.redact(text) for text in decode_error(response.content)]
        kind = _STATUS_ERRORS.get(
            status, errors.ServerFailed if status >= 500 or status == 408 else errors.UnexpectedStatus
        )
        if status == 404 and one_batch and not response.content.lstrip().startswith(b"<"):
            kind = errors.BatchNotFound
        elif status == 404 and (path := re.search("/api(/batches)?$", self.base_url)):
            message = "Reach has nothing at this address (404)."
            advice = f"REACH_API_URL ends in {path[0]}, which every request adds: leave it out."
        elif status == 404 and quotes:
            message, advice = "Reach did not find the list of batches (404).", "Check tenant_id, then REACH_API_URL."
        elif kind is errors.BadRequest and "tenant" in " ".join(quotes).lower():
            named = "reach-tenant-id" in response.request.headers
            advice = "Check tenant_id and REACH_TENANT_ID." if named else TENANT_NEEDED
        elif kind in (errors.ServerFailed, errors.UnexpectedStatus):
            message = f"Reach answered with status {status}{', a redirect' if response.is_redirect else ''}."
        elif kind is errors.Unauthorized:
            advice = self.credential.refusal_advice
            end = token_end(response.request.headers["Authorization"].removeprefix("Bearer "))
            if end is not None and end < self.clock():
                age = timedelta(seconds=int(self.clock() - end))
                message = f"Reach did not accept the credential (401): the token ended {age} h ago."
        identity, wait = response.request.extensions["deadline"].request_id, retry_after(response.headers)
        return kind(message, advice=advice, quotes=quotes, request_id=identity, retry_after=wait)

    def _transport_error(self, error: Exception) -> errors.ReachError:
        """The error for an exception of httpx."""
        cause: BaseException | None = error
        while cause is not None and type(cause) not in (ssl.SSLCertVerificationError, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__  # other subclasses: connections that wait or have ended
        if isinstance(cause, ssl.SSLError):
            return errors.TLSFailed(f"No TLS connection to the Reach API that can be trusted: {cause.args[-1]}.")
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
            return errors.Stalled(f"Reach sent nothing for {self.read_timeout:g} s.")
        return errors.NoConnection()

    @asynccontextmanager
    async def _slot(self, caller: str, tenant: str | None) -> AsyncIterator[None]:
        """Hold a slot out of those of the caller, of the tenant, and of all. There is no bound on an unnamed one."""
        named = {"caller": caller, "tenant": "" if tenant == self.pinned_tenant else tenant}
        half, started = max(1, self.max_requests // 2), time.monotonic()
        bounds = {f"{kind} {name}": half for kind, name in named.items() if name} | {"all": self.max_requests}
        async with AsyncExitStack() as held:
            for name, bound in bounds.items():
                await held.enter_async_context(self._slots.setdefault(name, anyio.Semaphore(bound)))
            await held.enter_async_context(self.slot_of_all(bounds))
            self.metrics.count_wait(time.monotonic() - started)
            yield

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """The HTTP client, made at the first request: reading the CA bundle would slow every start."""
        bounded = BoundedTransport(self.transport or network_transport(self.base_url), self.max_body)
        return httpx.AsyncClient(
            base_url=self.base_url,
            transport=ObservedTransport(bounded, self.metrics, send_context=self.send_trace),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self.read_timeout, connect=CONNECT_SECONDS, pool=None),
            headers={"Accept-Encoding": "gzip", "User-Agent": f"embedreach-mcp/{__version__}"},
        )


class RetryPolicy:
    """Tells stamina whether to try again, and after how many seconds: `Retry-After`, else its own backoff."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.failure: errors.ReachError = errors.Busy("Other calls hold all request slots towards Reach.")
        """The reason for the present wait: raised if the deadline passes meanwhile."""

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, errors.NoConnection | errors.RateLimited | errors.ServerFailed):
            return False
        self.failure = error
        wait = error.retry_after
        return wait is None or (wait if wait < self._deadline.left() else False)


def build_client(
    settings: Settings, transport: httpx.AsyncBaseTransport | None = None, metrics: Metrics | None = None
) -> ReachClient:
    """The client that the settings describe, of the built-in demo if they say so. `transport` replaces the network."""
    url, credential, tenant = settings.api_url, build_credential(settings), settings.tenant_id
    if settings.demo:
        from reach_mcp.demo.api import build_demo_api
        from reach_mcp.demo.story import DEFAULT_TENANT, build_story

        demo = build_demo_api(build_story(datetime.now(UTC)), default_tenant=DEFAULT_TENANT)
        tenant = None if settings.demo_tenant == DEFAULT_TENANT else settings.demo_tenant
        token = "demo" if tenant is None else "demo-partner"  # the default tenant has a token of its own
        url, credential, transport = "http://reach.demo", Credential(lambda: token), transport or asgi_transport(demo)
    return ReachClient(
        url,
        credential,
        pinned_tenant=tenant,
        transport=transport,
        max_body=int(settings.max_body_mb * 1_000_000),
        max_requests=settings.max_requests,
        metrics=metrics or Metrics(),
        send_trace=settings.send_trace,
    )
