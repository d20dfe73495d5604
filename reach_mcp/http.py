"""Serves a server over Streamable HTTP: who may call, what is answered besides, and how it starts and stops.

A caller's bearer token is compared here and goes no further: what Reach is shown is never the caller's.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import sys
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reach_mcp import __version__
from reach_mcp.server import CALLER_KEY, LABEL
from reach_mcp.settings import LOOPBACK, ConfigurationError, Settings

PATH = "/mcp"
LARGEST_REQUEST = 1_000_000
"""Bytes of a request; our tools' arguments take a few hundred."""

_LOCAL = ("127.0.0.1", "localhost", "[::1]")


def build_http_app(server: MCPServer[Any], settings: Settings) -> ASGIApp:
    """The ASGI app, with its lifespan. ConfigurationError when it would be open to callers that nobody checked."""
    token = settings.caller_token()
    if token == "":
        raise ConfigurationError("REACH_MCP_AUTH_TOKEN holds nothing but white space. Set a long random value.")
    if token is None and settings.host not in LOOPBACK:
        raise ConfigurationError(
            f"Listening on {settings.host} needs REACH_MCP_AUTH_TOKEN or REACH_MCP_AUTH_TOKEN_FILE, "
            "a long random value that callers show as a bearer token. Without one, listen on 127.0.0.1."
        )
    origins = _split(settings.allowed_origins)
    inner = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=LARGEST_REQUEST,
        transport_security=TransportSecuritySettings(
            allowed_hosts=_hosts(settings), allowed_origins=[*(f"http://{host}:*" for host in _LOCAL), *origins]
        ),
    )
    door = Door(inner, token)
    if not origins:
        return door
    return CORSMiddleware(door, allow_origins=origins, allow_methods=["POST"], allow_headers=["*"])


class Door:
    """Lets POST /mcp in, with the token where one is set; answers /healthz to anybody and turns all else away.

    A GET of /mcp would be a stream that never says anything and never ends, since no server-side events exist here.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._bearer = None if token is None else f"bearer {token}".encode()
        self._key = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        answer = self._answer(scope)
        if answer is not None:
            return await answer(scope, receive, send)
        kept = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        inner = {**scope, "headers": kept, CALLER_KEY: self._caller(scope)}
        return await self._app(inner, receive, _labelling(scope, send))

    def _caller(self, scope: Scope) -> str:
        """Tells callers apart by address, so that none can keep the others waiting.

        What a caller can choose, such as a token that nobody checks, is not looked at. The key is drawn at each start,
        so that nothing can be learnt from the name.
        """
        address = (scope.get("client") or ("",))[0]
        return hmac.digest(self._key, address.encode(), "sha256").hex()

    def _answer(self, scope: Scope) -> Response | None:
        """What to say instead of letting the request in; None lets it in."""
        allowed = {PATH: ("POST",), "/healthz": ("GET", "HEAD")}.get(scope["path"])
        if allowed is None:
            return Response(f"Not found. The MCP endpoint is {PATH}.", status_code=404)
        if scope["method"] not in allowed:
            return Response(status_code=405, headers={"Allow": allowed[0]})
        if scope["path"] != PATH:
            return JSONResponse({"status": "ok", "server": "reach-mcp", "version": __version__})
        scheme, _, shown = Headers(scope=scope).get("authorization", "").partition(" ")
        bearer = f"{scheme.lower()} {shown.strip()}".encode("latin-1")
        if self._bearer is not None and not hmac.compare_digest(bearer, self._bearer):
            return Response("Bearer token missing or wrong.", status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return None


def _labelling(scope: Scope, send: Send) -> Send:
    """Give a host of the handshake era a label to show from then on, by which it can cancel its calls.

    To the host it is a session id, but nothing is kept under it: any replica takes it, and none is as good.
    """
    headers = Headers(scope=scope)
    if LABEL in headers or "mcp-method" in headers:
        return send

    async def send_labelled(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            MutableHeaders(scope=message)[LABEL] = secrets.token_hex(16)
        await send(message)

    return send_labelled


def _hosts(settings: Settings) -> list[str]:
    named = [*_LOCAL, *_split(settings.allowed_hosts)]
    if settings.host not in ("", "0.0.0.0", "::"):  # noqa: S104 - compared with, not listened on
        named.append(_as_host(settings.host))
    return [form for host in named for form in (host, f"{host}:*")]


def _as_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


async def serve_http(server: MCPServer[Any], settings: Settings) -> None:
    """Serve until a signal comes; open calls then have `shutdown_seconds` to end."""
    app = build_http_app(server, settings)
    await serve_app(app, settings.host, settings.port, grace=settings.shutdown_seconds, path=PATH)


async def serve_app(app: ASGIApp, host: str, port: int, *, grace: int, path: str = "") -> None:
    """Serve an ASGI app by uvicorn and say on stderr where; ConfigurationError when the address can't be had."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(f"Can't listen on {host}, port {port}: {error.strerror or error}.") from None
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=grace
    )
    address = f"http://{_as_host(host)}:{listener.getsockname()[1]}{path}"
    print(f"listening on {address}", file=sys.stderr, flush=True)  # the socket already takes connections
    await uvicorn.Server(config).serve(sockets=[listener])
