"""ASGI middlewares in front of the MCP endpoint, for HTTP requests alone. Each has one concern.

All but the last refuse before a body is read.
"""

from __future__ import annotations

import json
import re
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reach_mcp.settings import Settings, split_list
from reach_mcp.transports.refusals import refuse
from reach_mcp.transports.request_ids import WRONG_ID, usable_id
from reach_mcp.wrong_values import quote_name

MCP_PATH = "/mcp"
MAX_BODY_BYTES = 250_000
"""Bytes of a request. The longest lists of arguments take half of it, most calls a few hundred, and each byte of what
strangers send is read on the event loop."""

BODY_SECONDS = 10.0

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_PORT = re.compile(r":\d+$")


class NormalizeMiddleware:
    """Serves requests that differ from the protocol's letter where the meaning is plain: path, Accept, Content-Type."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].rstrip("/") != MCP_PATH:
            return await Response(f"Not found. The MCP endpoint is {MCP_PATH}.", 404)(scope, receive, send)
        if scope["method"] != "POST":
            # A GET would be a stream that never says anything: there are no events outside of calls.
            return await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
        scope = {**scope, "path": MCP_PATH, "raw_path": MCP_PATH.encode(), "headers": list(scope["headers"])}
        headers = MutableHeaders(scope=scope)
        accepted = {part.split(";")[0].strip().lower() for part in headers.get("accept", "").split(",")}
        if accepted & {"", "application/json", "text/event-stream", "*/*"}:
            headers["accept"] = "application/json, text/event-stream"  # the SDK asks for both, and sends one of them
        if "content-type" in headers:
            headers["content-type"] = headers["content-type"].lower()
        return await self._app(scope, receive, send)


class HostMiddleware:
    """Refuses unknown Host and Origin headers, against DNS rebinding. The answer names the setting to change."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = {*_LOCAL_HOSTS, *(host.lower() for host in split_list(settings.allowed_hosts))}
        if settings.host not in ("", "0.0.0.0", "::"):  # noqa: S104 - compared with, not listened on
            self._hosts.add(bracketed(settings.host))
        self._origins = {origin.lower() for origin in split_list(settings.allowed_origins)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._refuse(Headers(scope=scope)) or self._app)(scope, receive, send)

    def _refuse(self, headers: Headers) -> Response | None:
        host, origin = headers.get("host", "").lower(), headers.get("origin", "").lower()
        if host not in self._hosts and _PORT.sub("", host) not in self._hosts:
            return refuse(421, "This Host header is not accepted. Add the host to REACH_MCP_ALLOWED_HOSTS.")
        local = _PORT.sub("", origin) in {f"http://{name}" for name in _LOCAL_HOSTS}
        if origin and not local and origin not in self._origins:
            return refuse(403, "This origin is not accepted. Add it to REACH_MCP_ALLOWED_ORIGINS.")
        return None


class BodyMiddleware:
    """Bounds size and time of a body. Refuses other types than JSON, and bodies that would fail without a word."""

    def __init__(self, app: ASGIApp, *, seconds: float = BODY_SECONDS, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._seconds = seconds
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = Headers(scope=scope).get("content-type", "").split(";")[0].strip()
        if kind != "application/json":
            said = f"The Content-Type is {quote_name(kind)}" if kind else "There is no Content-Type"
            return await refuse(415, f"{said}. It must be application/json.")(scope, receive, send)
        body, more = bytearray(), True
        with anyio.move_on_after(self._seconds):
            while more and len(body) <= self._max_bytes:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
        if len(body) > self._max_bytes:
            return await refuse(413, "The request is too large.")(scope, receive, send)
        if more:
            return await refuse(408, "The request took too long.")(scope, receive, send)
        wrong = check_body(bytes(body))
        if wrong is not None:
            return await JSONResponse(wrong, 400)(scope, receive, send)
        return await self._app(scope, _replay(bytes(body), receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def check_body(body: bytes) -> dict[str, Any] | None:
    """The JSON-RPC error for a body with an unusable id or text that is no Unicode; None where the SDK can answer."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or "id" not in message:
        return None
    if usable_id(message["id"]) is None:
        return _error(None, -32600, WRONG_ID)
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        known = message["id"] if isinstance(message["id"], int) or message["id"].isascii() else None
        return _error(known, -32700, "The request contains text that is not valid Unicode.")
    return None


def _error(request_id: object, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def bracketed(address: str) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address.lower()
