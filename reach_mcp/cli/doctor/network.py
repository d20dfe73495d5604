"""Checks of the way to Reach: proxy, DNS, TCP, TLS. The last three use a socket, and raise one of `FAILURES`."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
from urllib.parse import unquote, urlsplit

from reach_mcp.api.transport import network_transport, trusted_context
from reach_mcp.cli.doctor.findings import Examination, Finding, ok, skip, unreachable, warn
from reach_mcp.tools.shared_cache import build_shared_cache

SECONDS = 5.0
"""Time for a connection, and for each answer of a handshake."""
FAILURES = (OSError, UnicodeError, http.client.HTTPException)
"""What a socket raises; UnicodeError for a host whose name can't be encoded."""
EXPIRED, OTHER_NAME = (9, 10), (62, 64)
"""Codes of OpenSSL for certificates. Most others mean an authority that is not trusted."""


async def check_proxy(examination: Examination) -> Finding:
    """The variables of proxies, and which of them counts for the API's address. Raises ConfigurationError."""
    network_transport(examination.settings.api_url)
    given = {name.upper(): value for name, value in examination.environment.items() if value}
    named = [name for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY") if name in given]
    seen = f"Set: {', '.join(named)}." if named else "No variable names one."
    seen += f" NO_PROXY is {given['NO_PROXY']}." if "NO_PROXY" in given else ""
    proxy, (host, port) = examination.proxy, examination.target
    return ok(f"{seen} Requests go by way of {proxy.scheme}://{host}:{port}." if proxy else f"{seen} None is used.")


async def check_cache(examination: Examination) -> Finding:
    """Whether the shared cache answers. Raises ConfigurationError."""
    cache = build_shared_cache(examination.settings)
    if cache is None:
        return skip("No shared cache is set.")
    reason = await cache.check()
    await cache.close()
    told = f"The shared cache does not answer ({reason}). Each replica reads Reach for itself."
    return warn(told, "Check REACH_MCP_CACHE_URL: host, port and password.") if reason else ok("It answers.")


async def check_dns(examination: Examination) -> Finding:
    """The addresses of the API's host, or of the proxy's."""
    host, port = examination.target
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return ok(f"{host} is {', '.join(dict.fromkeys(str(each[4][0]) for each in found))}.")


async def check_tcp(examination: Examination) -> Finding:
    """Whether the port takes connections."""
    socket.create_connection(examination.target, SECONDS).close()
    return ok("Port {1} of {0} takes connections.".format(*examination.target))


async def check_tls(examination: Examination) -> Finding:
    """A TLS connection to the API, through the proxy if there is one, with a certificate that is trusted."""
    api, proxy = urlsplit(examination.settings.api_url), examination.proxy
    if api.scheme == "http":
        return skip("REACH_API_URL is an http address.")
    if proxy and proxy.scheme != "http":
        return skip("The proxy speaks TLS itself: the request below tries both.")
    connection = http.client.HTTPSConnection(*examination.target, timeout=SECONDS, context=trusted_context())
    if proxy:
        pair = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
        headers = {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"} if proxy.username else {}
        connection.set_tunnel(api.hostname or "", api.port or 443, headers)
    with contextlib.closing(connection):
        connection.connect()
        version = connection.sock.version()
    trusted = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if examination.environment.get(name)), None)
    return ok(f"{version}, with a certificate that {trusted or 'the built-in authorities'} can confirm.")


def explain_failure(error: Exception, host: str, port: int) -> Finding:
    """The finding for an error of a socket."""
    seen = f"{host} port {port}: {getattr(error, 'verify_message', '') or getattr(error, 'strerror', '') or error}."
    match error:
        case ssl.SSLCertVerificationError(verify_code=code) if code in EXPIRED:
            advice = "Check this machine's clock. If it is right, the server's certificate has to be renewed."
            return unreachable(f"{seen} The certificate is expired or not yet valid.", advice)
        case ssl.SSLCertVerificationError(verify_code=code) if code in OTHER_NAME:
            advice = "Check REACH_API_URL: another server answers."
            return unreachable(f"{seen} The certificate is for another host name.", advice)
        case ssl.SSLCertVerificationError():
            advice = (
                "Behind a corporate proxy, ask for its CA as a PEM file and set SSL_CERT_FILE=/path/to/ca.pem next to "
                "the other settings. It replaces the built-in authorities."
            )
            return unreachable(f"{seen} The certificate is self-signed, or by a CA that is not trusted here.", advice)
        case ssl.SSLError():
            return unreachable(
                f"{seen} This is no TLS.", "Check REACH_API_URL: its port has to speak TLS 1.2 or later."
            )
        case socket.gaierror() | UnicodeError():
            advice = f"Check REACH_API_URL or HTTPS_PROXY for a slip, and the network or VPN: `nslookup {host}`."
            return unreachable(f"{seen} The name has no address.", advice)
        case ConnectionRefusedError():
            return unreachable(f"{seen} Nothing listens there.", "Check host and port of REACH_API_URL or HTTPS_PROXY.")
        case TimeoutError():
            advice = "A firewall drops it: ask for access to this host and port, or set HTTPS_PROXY."
            return unreachable(f"{seen} No answer within {SECONDS:g} s.", advice)
    if "Tunnel connection failed" in seen:
        advice = "Ask for access, or add the API's host to NO_PROXY. 407 asks for http://NAME:PASSWORD@host:port."
        return unreachable(f"{seen} The proxy refuses the connection.", advice)
    return unreachable(f"{seen} The connection failed or broke off.", "Check the network, VPN, proxy and firewall.")
