"""Transports below the client: bounded reading of bodies, and the network with its proxy."""

from __future__ import annotations

import gzip
import io
import re
import ssl
import urllib.request
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address, ip_network

import anyio.to_thread
import httpx

from reach_mcp.api.errors import BodyTooLarge, NoConnection, ReachError, UnexpectedStatus
from reach_mcp.settings import ConfigurationError

MAX_ERROR_BYTES = 65_536
"""Bytes of an error answer that are read for the API's message."""

_KEPT_HEADERS = (b"date", b"retry-after", b"x-request-id", b"cf-ray")
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
            body = await read_body(response, self._max_body if response.status_code == 200 else MAX_ERROR_BYTES)
        except (ReachError, httpx.TransportError):
            if response.status_code == 200:
                raise
            body = b""
        finally:
            await response.aclose()
        deadline.size += len(body)
        headers = [(name, value) for name, value in response.headers.raw if name.lower() in _KEPT_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=body)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """The decompressed body. Raises BodyTooLarge as soon as it passes the limit, NoConnection when it is damaged."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise UnexpectedStatus("The answer has a compression that was not asked for.")
    assert isinstance(response.stream, httpx.AsyncByteStream)
    received = bytearray()
    async for chunk in response.stream:
        received += chunk
        if len(received) > limit:
            break
    body = bytes(received)
    if encoding == "gzip" and len(body) <= limit:
        body = await anyio.to_thread.run_sync(_decompress, body, limit)
    if len(body) > limit:
        raise BodyTooLarge(f"The answer is larger than the limit of {limit / 1e6:g} MB.")
    return body


def _decompress(body: bytes, limit: int) -> bytes:
    """The content of a gzip file, of one member or several, up to one byte more than the limit."""
    try:
        return gzip.GzipFile(fileobj=io.BytesIO(body)).read(limit + 1)
    except (EOFError, OSError, zlib.error):
        raise NoConnection("The compressed answer is damaged or broke off.") from None


def network_transport(base_url: str) -> httpx.AsyncBaseTransport:
    """The network, by way of the proxy that the environment names for this address.

    Every request has a connection of its own. A kept one could hand surplus bytes of one answer to the next caller:
    httpcore cannot tell, since TLS and h11 buffer them.
    Raises ConfigurationError where the environment or the address cannot be used.
    """
    try:
        return httpx.AsyncHTTPTransport(
            verify=trusted_context(),
            trust_env=False,
            proxy=proxy_for(base_url, urllib.request.getproxies()),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
    except (httpx.InvalidURL, ValueError, ImportError):
        raise ConfigurationError(
            "REACH_API_URL or a proxy variable (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) can't be used. "
            "Set it to an http or https URL; SOCKS is not supported."
        ) from None


def trusted_context() -> ssl.SSLContext:
    """The certificate authorities that are trusted: those of SSL_CERT_FILE or SSL_CERT_DIR, else the built-in ones.

    Raises ConfigurationError where these can't be read.
    """
    try:
        return httpx.create_ssl_context()
    except OSError:
        raise ConfigurationError("SSL_CERT_FILE or SSL_CERT_DIR names no readable CA bundle.") from None


def proxy_for(base_url: str, proxies: dict[str, str]) -> str | None:
    """The proxy for one address, by the variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.

    NO_PROXY may list `*`, names of hosts or their parents, with a port or without, addresses and ranges of addresses.
    """
    url = httpx.URL(base_url)
    proxy = proxies.get(url.scheme) or proxies.get("all")
    direct = proxies.get("no", "").replace("*.", ".")
    port = "" if url.port else {"http": ":80", "https": ":443"}.get(url.scheme, "")
    by_name = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed does not know it
    if not proxy or by_name(url.netloc.decode() + port, {"no": direct}) or _in_range(url.host, direct):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _in_range(host: str, networks: str) -> bool:
    """Whether a host is an address in one of the networks: `::1,10.0.0.0/8,[fd00::]/8`."""
    for network in re.sub(r"[\[\]\s]", "", networks).split(","):
        with suppress(ValueError):
            if ip_address(host) in ip_network(network, strict=False):
                return True
    return False


def asgi_transport(app: Callable[..., Awaitable[None]]) -> httpx.AsyncBaseTransport:
    """A transport that reaches an ASGI app instead of the network: how the demo is served."""
    return httpx.ASGITransport(app=app)
