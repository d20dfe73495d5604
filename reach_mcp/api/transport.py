"""Transports below the client: bounded reading of bodies, and the network with its proxy."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.request import getproxies

import httpx

from reach_mcp.api.errors import BodyTooLarge, NoConnection, ReachError, UnexpectedStatus
from reach_mcp.settings import ConfigurationError

if TYPE_CHECKING:
    from httpx._transports.asgi import _ASGIApp

MAX_ERROR_BYTES = 65_536
"""Bytes of an error answer that are read for the API's message."""

_KEPT_HEADERS = frozenset([b"date", b"retry-after", b"x-request-id", b"request-id", b"x-amzn-requestid", b"cf-ray"])
"""Response headers with a use. Without the others, httpx neither parses redirects nor keeps cookies."""


class BoundedTransport(httpx.AsyncBaseTransport):
    """Reads each answer whole, decompressed, up to a limit, and counts requests and bytes in the call's deadline.

    An answer that breaks off or is too large raises. The body of an error answer is optional: its status is enough.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, max_body: int) -> None:
        self._inner = inner
        self._max_body = max_body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        deadline = request.extensions["deadline"]
        deadline.requests += 1
        response = await self._inner.handle_async_request(request)
        try:
            body = await self._read(response)
        finally:
            await response.aclose()
        deadline.size += len(body)
        headers = [(name, value) for name, value in response.headers.raw if name.lower() in _KEPT_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body))

    async def _read(self, response: httpx.Response) -> bytearray:
        if response.status_code == 200:
            return await read_body(response, self._max_body)
        try:
            return await read_body(response, MAX_ERROR_BYTES)
        except (ReachError, httpx.TransportError):
            return bytearray()

    async def aclose(self) -> None:
        await self._inner.aclose()


async def read_body(response: httpx.Response, limit: int) -> bytearray:
    """The decompressed body. Raises BodyTooLarge as soon as it passes the limit, NoConnection when it is damaged."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise UnexpectedStatus("The answer has a compression that was not asked for.")
    body = bytearray()
    inflater = Inflater(body, limit)
    assert isinstance(response.stream, httpx.AsyncByteStream)
    try:
        async for chunk in response.stream:
            if encoding == "identity":
                body += chunk
            else:
                inflater.feed(chunk)
            if len(body) > limit:
                raise BodyTooLarge(f"The answer is larger than the limit of {limit / 1e6:g} MB.")
    except zlib.error:
        raise NoConnection("The compressed answer is damaged.") from None
    if encoding != "identity" and not inflater.complete:
        raise NoConnection("The compressed answer broke off.")
    return body


class Inflater:
    """Decompresses gzip, of one member or several, or zlib; writes at most one byte more than the limit."""

    def __init__(self, body: bytearray, limit: int) -> None:
        self._body = body
        self._limit = limit
        self._member = zlib.decompressobj(wbits=47)

    def feed(self, chunk: bytes) -> None:
        while chunk and len(self._body) <= self._limit:
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=47)
            self._body += self._member.decompress(chunk, self._limit + 1 - len(self._body))
            chunk = self._member.unused_data or self._member.unconsumed_tail

    @property
    def complete(self) -> bool:
        """Whether the last member has ended."""
        return self._member.eof


def network_transport(base_url: str) -> httpx.AsyncBaseTransport:
    """The network, by way of the proxy that the environment names for this address.

    Every request has a connection of its own. A kept one could hand surplus bytes of one answer to the next caller:
    httpcore cannot tell, since TLS and h11 buffer them.
    Raises ConfigurationError where the environment or the address cannot be used.
    """
    try:
        return httpx.AsyncHTTPTransport(
            verify=httpx.create_ssl_context(),
            trust_env=False,
            proxy=proxy_for(base_url, getproxies()),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
    except OSError:
        raise ConfigurationError("SSL_CERT_FILE or SSL_CERT_DIR names no readable CA bundle.") from None
    except (httpx.InvalidURL, ValueError, ImportError):
        raise ConfigurationError(
            "REACH_API_URL or a proxy variable (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) can't be used. "
            "Set it to an http or https URL; SOCKS is not supported."
        ) from None


def proxy_for(base_url: str, proxies: Mapping[str, str]) -> str | None:
    """The proxy for one address, by the variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""
    url = httpx.URL(base_url)
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or any(_matches(entry.strip().lower(), url) for entry in proxies.get("no", "").split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _matches(entry: str, url: httpx.URL) -> bool:
    """Whether an entry of NO_PROXY names the host: `*`, a name or its parent, an address or a range, with any port."""
    host = url.host.lower()
    if entry == "*" or "/" in entry:
        return entry == "*" or _in_range(host, entry)
    name, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and (name.endswith("]") or ":" not in name):
        default = {"http": 80, "https": 443}.get(url.scheme)
        return _matches(name, url) and int(port) == (url.port or default)
    name = entry.strip("[]").removeprefix("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}") or _in_range(host, name))


def _in_range(host: str, network: str) -> bool:
    """Whether a host is an address in a network such as `10.0.0.0/8` or `[fd00::]/8`."""
    try:
        return ip_address(host) in ip_network(network.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def asgi_transport(app: _ASGIApp) -> httpx.AsyncBaseTransport:
    """A transport that reaches an ASGI app instead of the network: how the demo is served."""
    return httpx.ASGITransport(app=app)
