"""ReachClient: one method an endpoint, GET only; the only place that opens a connection to Reach."""

from __future__ import annotations

import email.utils
import http.cookiejar
import re
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC
from functools import cached_property
from typing import Any, Literal, Self
from urllib.parse import quote

import anyio
import httpx
import stamina
from pydantic.alias_generators import to_camel

from reach_mcp.api.credentials import Credential, token_end
from reach_mcp.api.errors import (
    BadRequest,
    BodyTooLarge,
    CredentialMissing,
    Forbidden,
    InvalidArgument,
    NoConnection,
    NotFound,
    RateLimited,
    ReachError,
    Redirected,
    ServerFailed,
    StatusError,
    TimedOut,
    TLSFailed,
    Unauthorized,
    UnexpectedStatus,
)
from reach_mcp.api.models import Batch, Page, parse_batch, parse_error, parse_page
from reach_mcp.settings import ConfigurationError

BatchType = Literal["PARTNER_RESOURCE_JSON_INGEST", "PARTNER_RESOURCE_BATCH_DELETE", "PARTNER_RESOURCE_BATCH_PATCH"]
SortBy = Literal["createdAt", "startedAt", "completedAt"]
SortDirection = Literal["asc", "desc"]

TRIES = 4
"""Most attempts at one request, the first included."""

ERROR_BODY = 65_536
"""Bytes of an error answer that are read for the API's own words."""

INFLATION = 200
"""Most bytes that one compressed byte may become: JSON of this API stays below 40."""

_STATUS: Mapping[int, type[StatusError]] = {
    **{400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound, 429: RateLimited},
    **dict.fromkeys((408, 500, 502, 503, 504), ServerFailed),
}


@dataclass(frozen=True)
class BatchQuery:
    """The query of `GET /api/batches`. What is None is not sent; booleans and `limit` go out as strings."""

    cursor: str | None = None
    limit: int | None = None
    batch_type: BatchType | None = None
    sort_by: SortBy | None = None
    sort_direction: SortDirection | None = None
    include_pending_details: bool | None = None
    only_batches_with_pending_resources: bool | None = None

    def params(self) -> dict[str, str]:
        """The query parameters by their names on the wire."""
        values = {to_camel(field.name): getattr(self, field.name) for field in fields(self)}
        return dict(httpx.QueryParams({name: value for name, value in values.items() if value is not None}))


class Deadline:
    """The time that one call has, and what it has spent. Everything that waits asks it how long it still may."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.requests = 0
        """Requests sent for this call, retries included."""

        self.size = 0
        """Bytes of answers read for this call."""

        self.request_id: str | None = None
        """Reach's id of the last request that was answered with one."""

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())


class ReachClient:
    """The Reach API over HTTP, with credential, retries, and bounds on time, size and requests in flight.

    Every method raises a ReachError, or a ConfigurationError where a setting is wrong. Retried, at most four tries
    within the deadline: connection errors, bodies that break off, 408, 429 and 5xx. A `Retry-After` longer than the
    time left is reported, not slept.
    `transport` replaces the network (the demo does so).
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
    ) -> None:
        self.credential = credential
        self.pinned_tenant = tenant
        self._base_url = base_url
        self._transport = transport
        self._max_body = max_body
        self._slots = anyio.Semaphore(max_requests)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        client = vars(self).pop("_http", None)
        if client is not None:
            await client.aclose()

    async def list_batches(self, query: BatchQuery, *, tenant: str | None, deadline: Deadline) -> Page:
        """`GET /api/batches`: one page."""
        return parse_page(await self._get("/api/batches", query.params(), tenant, deadline))

    async def get_batch(
        self, batch_id: str, *, tenant: str | None, deadline: Deadline, include_pending_details: bool = False
    ) -> tuple[Batch, list[str]]:
        """`GET /api/batches/{batchId}`: one batch, and the names of its rows that could not be read."""
        if batch_id.strip() in ("", ".", ".."):
            raise InvalidArgument("batch_id must name one batch.")
        params = {"includePendingDetails": "true"} if include_pending_details else {}
        path = f"/api/batches/{quote(batch_id, safe='', errors='replace')}"
        return parse_batch(await self._get(path, params, tenant, deadline))

    async def _get(self, path: str, params: dict[str, str], tenant: str | None, deadline: Deadline) -> bytearray:
        if tenant is not None and not re.fullmatch("[!-~]([ -~]*[!-~])?", tenant):
            raise InvalidArgument("tenant_id must be plain ASCII without spaces around it: it is sent in a header.")
        headers = {} if tenant is None else {"reach-tenant-id": tenant}
        backoff = _Backoff(deadline)
        try:
            with anyio.fail_after(deadline.left()):
                async for attempt in stamina.retry_context(
                    on=backoff, attempts=TRIES, timeout=None, wait_initial=0.2, wait_max=5, wait_jitter=0.3
                ):
                    with attempt:
                        backoff.failure = None
                        return await self._get_renewing(path, params, headers, deadline)
        except TimeoutError:
            raise (backoff.failure or TimedOut()) from None
        raise AssertionError("stamina ends with a result or an error")  # pragma: no cover

    async def _get_renewing(
        self, path: str, params: dict[str, str], headers: dict[str, str], deadline: Deadline
    ) -> bytearray:
        """One request; when the credential is refused and can be renewed, once more."""
        token = self.credential.token()
        try:
            return await self._request(path, params, headers, token, deadline)
        except Unauthorized as error:
            if not self.credential.renew(token, server_time=error.server_time):
                raise
        return await self._request(path, params, headers, self.credential.token(), deadline)

    async def _request(
        self, path: str, params: dict[str, str], headers: dict[str, str], token: str, deadline: Deadline
    ) -> bytearray:
        if not re.fullmatch("[!-~]+", token):
            raise CredentialMissing(
                "The Reach credential is not a token.",
                advice="A JWT is one line without spaces: set it without 'Bearer', quotes or line breaks.",
            )
        headers = headers | {"Authorization": f"Bearer {token}"}
        async with self._slots:
            deadline.requests += 1
            try:
                async with self._http.stream("GET", path, params=params, headers=headers) as response:
                    deadline.request_id = _request_id(response) or deadline.request_id
                    body = await self._read(response, token)
                    deadline.size += len(body)
                    return body
            except (httpx.TransportError, ssl.SSLError) as error:
                raise _transport_error(error) from error
            except (httpx.InvalidURL, UnicodeEncodeError):
                raise InvalidArgument("An argument is too long for a URL, or is no text.") from None

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """The connection pool, made at the first request: reading the CA bundle would slow every start."""
        try:
            client = httpx.AsyncClient(
                base_url=self._base_url,
                transport=self._transport,
                follow_redirects=False,
                timeout=httpx.Timeout(None, connect=10),
                headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "reach-mcp"},
                event_hooks={"response": [_forget_location]},
            )
        except OSError:
            raise ConfigurationError("SSL_CERT_FILE or SSL_CERT_DIR names no readable CA bundle.") from None
        except (httpx.InvalidURL, ValueError, ImportError):
            raise ConfigurationError(
                "REACH_API_URL or a proxy variable (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) can't be used. "
                "Name an http or https URL in it; SOCKS is not supported."
            ) from None
        # No call may leave anything behind for the next, which may be another caller's.
        client.cookies.jar.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        return client

    async def _read(self, response: httpx.Response, token: str) -> bytearray:
        if response.status_code == 200:
            return await _read_body(response, self._max_body)
        try:
            body = await _read_body(response, ERROR_BODY)
        except (ReachError, httpx.TransportError):
            body = bytearray()  # the status says enough
        raise _status_error(response, body, token)


class _Backoff:
    """Whether to try again, and after how many seconds: what `Retry-After` says, else stamina's own."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.failure: ReachError | None = None
        """What is waited out now: the answer, should the deadline pass meanwhile."""

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, NoConnection | RateLimited | ServerFailed):
            return False
        self.failure = error
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after < self._deadline.left() else False


async def _read_body(response: httpx.Response, limit: int) -> bytearray:
    """The whole body, inflated piece by piece, so that neither size nor compression can exceed the limit."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise UnexpectedStatus("The answer is compressed in a way that was not asked for.")
    inflater = None if encoding == "identity" else zlib.decompressobj(wbits=47)
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            # What has arrived may honestly become so much; small answers may shrink as far as they like.
            honest = 65_536 + INFLATION * response.num_bytes_downloaded
            body += inflater.decompress(chunk, min(limit, honest) + 1) if inflater else chunk
            if len(body) > limit:
                raise BodyTooLarge(f"The answer is larger than the limit of {limit / 1e6:g} MB.")
            if len(body) > honest:
                raise BodyTooLarge(
                    f"The answer is compressed more than {INFLATION}-fold, as no answer of Reach is.",
                    advice="Check REACH_API_URL; a proxy may have answered in Reach's place.",
                )
        if inflater and not inflater.eof:
            raise zlib.error
    except zlib.error:
        raise NoConnection("The compressed answer broke off or is damaged.") from None
    return body


async def _forget_location(response: httpx.Response) -> None:
    """Keep httpx from reading where a redirect leads: it is not followed, and need not even be a URL."""
    response.headers.pop("location", None)


def _status_error(response: httpx.Response, body: bytearray, token: str) -> StatusError:
    status = response.status_code
    kind = Redirected if response.is_redirect else _STATUS.get(status, UnexpectedStatus)
    facts: dict[str, Any] = {"quotes": parse_error(body), "request_id": _request_id(response)}
    if kind in (RateLimited, ServerFailed):
        facts["retry_after"] = _retry_after(response)
    if kind is Unauthorized:
        end, server_time = token_end(token), _http_date(response.headers.get("date", ""))
        ended = 0.0 if end is None else (server_time or time.time()) - end
        if ended > 0:
            facts["message"] = f"Reach did not accept the credential (401): it ended {_age(ended)} ago."
        return Unauthorized(server_time=server_time, **facts)
    return kind(kind.message.format(status=status), **facts)


def _transport_error(error: Exception) -> ReachError:
    causes = {type(cause) for cause in _causes(error)}
    if ssl.SSLCertVerificationError in causes:
        return TLSFailed()
    if ssl.SSLError in causes:  # its other subclasses tell of a connection that waits or has ended
        return TLSFailed(
            "No secure connection to the Reach API can be agreed on.",
            advice="Check REACH_API_URL: its port must speak TLS, and no proxy may stand in between.",
        )
    if isinstance(error, httpx.ConnectTimeout):
        return NoConnection("The Reach API can't be reached: connecting took over 10 s.")
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
        return NoConnection("The connection to Reach broke off before the answer was whole.")
    return NoConnection()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait, from either form of `Retry-After`; None when it is absent or can't be read."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    moment = _http_date(value)
    now = _http_date(response.headers.get("date", "")) or time.time()
    return None if moment is None else max(0.0, moment - now)


def _http_date(value: str) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _request_id(response: httpx.Response) -> str | None:
    names = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")
    return next((str(response.headers[name])[:80] for name in names if name in response.headers), None)


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def asgi_transport(app: Any) -> httpx.AsyncBaseTransport:
    """A transport that reaches an ASGI app instead of the network: how the demo is served."""
    return httpx.ASGITransport(app=app)
