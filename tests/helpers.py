"""The real server as a host calls it. The network to Reach is the one part that is replaced."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
from mcp_types import CallToolResult, TextContent
from starlette.types import ASGIApp

from reach_mcp.server import ReachServer, build_server
from reach_mcp.settings import Settings, load_settings
from reach_mcp.transports.http import build_http_app
from tests.builders import NOW_SECONDS, Json, detail, page
from tests.fakes import Answer, ScriptedTransport

LIST, GET, EXPLAIN = "list_batches", "get_batch", "explain_pending_dependencies"
DELIMITER = "k72"
ERAS = ("legacy", "modern")
"""Protocols with and without a session."""

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
"""Part of each request of the modern protocol."""

_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
TOKEN = "reach-static-token-000111"


@cache
def settings_of(**flags: Any) -> Settings:
    """Settings for a scripted API. Kept, since reading settings takes longer than most calls."""
    return load_settings(**({"api_url": "http://reach.test", "api_token": TOKEN} | flags))


def serve(transport: ScriptedTransport, **flags: Any) -> ReachServer:
    """A server over a scripted API, at a fixed time."""
    return build_server(
        settings_of(**flags), transport=transport, clock=lambda: NOW_SECONDS, draw_delimiter=lambda: DELIMITER
    )


def api_of(batches: Sequence[Json]) -> ScriptedTransport:
    """An API that holds these batches and gives them in pages, as many as asked for."""

    def respond(request: httpx.Request) -> Answer:
        name = request.url.path.removeprefix("/api/batches").strip("/")
        if name:
            found = next((one for one in batches if one["batchId"] == name), None)
            return 404 if found is None else detail(found)
        params = request.url.params
        start, limit = int(params.get("cursor", "0")), int(params.get("limit", "20"))
        rest = start + limit < len(batches)
        shown = batches[start : start + limit]
        return page(*shown, cursor=str(start + limit) if rest else None, total=len(batches))

    return ScriptedTransport(respond)


async def call(server: ReachServer, tool: str, /, **arguments: Any) -> CallToolResult:
    """One call of a tool."""
    result = await server.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    return result


async def ask(server: ReachServer, tool: str, /, **arguments: Any) -> str:
    """The text of a call that is answered."""
    result = await call(server, tool, **arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


async def structured(server: ReachServer, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """The structured content of a call that is answered."""
    result = await call(server, tool, **arguments)
    content: dict[str, Any] | None = result.structured_content
    assert content is not None, text_of(result)
    return content


async def refused(server: ReachServer, tool: str, /, **arguments: Any) -> str:
    """The text of a call that ends in an error, which has nothing but text."""
    result = await call(server, tool, **arguments)
    assert result.is_error
    assert result.structured_content is None
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


@asynccontextmanager
async def http_client(server: ReachServer, **flags: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the HTTP app, which is started and stopped as a web server does."""
    app = build_http_app(server, settings_of(**flags))
    async with lifespan(app), client_of(app) as client:
        yield client


def client_of(app: ASGIApp, address: str = "127.0.0.1") -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 123)), base_url="http://localhost", timeout=30
    )


@asynccontextmanager
async def lifespan(app: ASGIApp) -> AsyncIterator[None]:
    """Run an app's lifespan."""
    inner: Any = app
    while not hasattr(inner, "router"):
        inner = inner.app
    async with inner.router.lifespan_context(inner):
        yield


def request_of(era: str, method: str, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """An MCP request of an era: its body and its headers."""
    headers = {"accept": "application/json, text/event-stream"}
    if era == "modern":
        params = {**params, "_meta": META | params.get("_meta", {})}
        headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        if method in _NAMED:
            headers["mcp-name"] = params[_NAMED[method]]
    return rpc(method, params), headers


def rpc(method: str, params: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}} | envelope


def read_events(response: httpx.Response) -> dict[str, Any]:
    """The last JSON-RPC message of a response, streamed or not."""
    data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    found: dict[str, Any] = json.loads(data[-1] if data else response.text)
    return found
