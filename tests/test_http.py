"""Streamable HTTP: who may call, what else is answered, and how it starts and stops."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.tools import Tool
from starlette.types import ASGIApp, Message, Receive, Send

from reach_mcp import __version__
from reach_mcp.http import build_http_app, serve_app, serve_http
from reach_mcp.server import StrictServer, build_server
from reach_mcp.settings import ConfigurationError, Settings, load_settings
from reach_mcp.tools.app import CALLER
from tests.tools.test_turns import settle

pytestmark = pytest.mark.anyio

TOKEN = "callers-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
MODERN = HEADERS | {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}},
}


async def _drive(app: ASGIApp, receive: Receive, send: Send) -> None:
    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[None]:
    """The app's lifespan, as uvicorn drives it."""
    to_app, from_app = anyio.create_memory_object_stream[Message](1), anyio.create_memory_object_stream[Message](1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_drive, app, to_app[1].receive, from_app[0].send)
        with to_app[0], to_app[1], from_app[0], from_app[1]:
            await to_app[0].send({"type": "lifespan.startup"})
            assert (await from_app[1].receive())["type"] == "lifespan.startup.complete"
            yield
            await to_app[0].send({"type": "lifespan.shutdown"})
            assert (await from_app[1].receive())["type"] == "lifespan.shutdown.complete"


@asynccontextmanager
async def calling(server: MCPServer[Any] | None = None, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client before the app."""
    with anyio.fail_after(30):
        chosen = load_settings(demo=True, **settings)
        app = build_http_app(server or build_server(chosen), chosen)
        transport = httpx.ASGITransport(app=app)
        base_url = "http://127.0.0.1:8765"
        async with running(app), httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            yield client


async def test_both_eras_are_served(demo_settings: Settings) -> None:
    async with calling() as client:
        legacy = await client.post("/mcp", headers=HEADERS, json=INITIALIZE)
        modern = await client.post("/mcp", headers=MODERN, json=LIST_TOOLS | {"params": {"_meta": META}})

    [data] = re.findall(r"^data: (\{.*)$", legacy.text, re.MULTILINE)
    assert json.loads(data)["result"]["protocolVersion"] == "2025-06-18"
    assert "mcp-session-id" not in modern.headers
    assert len(modern.json()["result"]["tools"]) == 3


async def test_label_is_no_session() -> None:
    """Any replica takes any label or none, and gives one to hosts of the handshake era that show none."""
    async with calling() as client:
        first = await client.post("/mcp", headers=HEADERS, json=INITIALIZE)
        label = first.headers["mcp-session-id"]
        second = await client.post("/mcp", headers=HEADERS | {"Mcp-Session-Id": label}, json=LIST_TOOLS)
        other = await client.post("/mcp", headers=HEADERS | {"Mcp-Session-Id": "another"}, json=LIST_TOOLS)
        wrong = await client.post("/mcp", headers={"Accept": "text/plain"}, json=LIST_TOOLS)

    assert re.fullmatch("[0-9a-f]{32}", label)
    assert [reply.status_code for reply in (second, other, wrong)] == [200, 200, 406]
    assert not any("mcp-session-id" in reply.headers for reply in (second, other, wrong))


async def test_only_the_call_that_a_host_names_under_its_own_label_is_cancelled() -> None:
    """Every host counts its requests from the same number."""
    started, ended = anyio.Event(), list[str]()

    async def wait() -> str:
        """Waits."""
        started.set()
        await anyio.sleep_forever()
        raise AssertionError

    server = StrictServer("small", tools=[Tool.from_function(wait)])
    params = {"name": "wait", "arguments": {}}
    async with calling(server) as client, anyio.create_task_group() as tasks:

        async def call() -> None:
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            reply = await client.post("/mcp", headers=HEADERS | {"Mcp-Session-Id": "mine"}, json=message)
            ended.append(reply.text)

        async def cancel(label: str, request: int) -> None:
            named = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request}}
            reply = await client.post("/mcp", headers=HEADERS | {"Mcp-Session-Id": label}, json=named)
            assert reply.status_code == 202
            await settle()

        tasks.start_soon(call)
        await started.wait()
        await cancel("another", 1)
        await cancel("mine", 2)
        assert ended == []
        await cancel("mine", 1)

    assert "Request cancelled" in ended[0]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
async def test_only_post_is_taken(method: str) -> None:
    """Answered by the SDK, a GET would be a stream without end that hosts open again and again."""
    async with calling() as client:
        response = await client.request(method, "/mcp", headers={"Accept": "text/event-stream"})

    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_other_paths_are_told_where_the_endpoint_is() -> None:
    async with calling() as client:
        response = await client.post("/", json=LIST_TOOLS)

    assert (response.status_code, response.text) == (404, "Not found. The MCP endpoint is /mcp.")


async def test_health_is_answered_to_anybody_and_tells_nothing() -> None:
    """What asks is a load balancer, which has no token."""
    async with calling(auth_token=TOKEN) as client:
        response = await client.get("/healthz")
        head = await client.head("/healthz")
        post = await client.post("/healthz")

    assert response.json() == {"status": "ok", "server": "reach-mcp", "version": __version__}
    assert head.status_code == 200
    assert (post.status_code, post.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer caller\u00b4s-t\u00f6ken".encode("latin-1")},
    ],
)
async def test_call_without_the_token_is_refused(headers: dict[str, Any]) -> None:
    async with calling(auth_token=TOKEN) as client:
        response = await client.post("/mcp", headers=httpx.Headers(HEADERS | headers), json=INITIALIZE)

    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN not in response.text


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
async def test_call_with_the_token_is_served(header: str) -> None:
    async with calling(auth_token=TOKEN) as client:
        response = await client.post("/mcp", headers=HEADERS | {"Authorization": header}, json=INITIALIZE)

    assert response.status_code == 200


async def test_callers_token_goes_no_further_than_the_door() -> None:
    """What is shown to us is never shown to Reach: a tool that looked for it would find nothing."""
    server, seen = MCPServer("small"), list[dict[str, str]]()

    async def look(ctx: Context) -> str:
        """Looks at the headers."""
        seen.append(dict(ctx.headers or {}))
        return "looked"

    server.add_tool(look)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "look", "_meta": META}}
    headers = MODERN | BEARER | {"Mcp-Method": "tools/call", "Mcp-Name": "look"}
    async with calling(server, auth_token=TOKEN) as client:
        response = await client.post("/mcp", headers=headers, json=call)

    assert response.status_code == 200
    assert "mcp-name" in seen[0]
    assert "authorization" not in seen[0]


@pytest.mark.parametrize("settings", [{}, {"auth_token": TOKEN}])
async def test_callers_are_told_apart_by_what_they_can_not_choose(settings: dict[str, Any]) -> None:
    """A flood from one must not keep the others waiting: another token each time makes nobody another caller."""
    seen = list[str]()

    async def look() -> str:
        """Looks at who calls."""
        seen.append(CALLER.get().id)
        return "looked"

    server = StrictServer("small", tools=[Tool.from_function(look)])
    app = build_http_app(server, load_settings(demo=True, **settings))
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "look", "_meta": META}}
    headers = MODERN | {"Mcp-Method": "tools/call", "Mcp-Name": "look"}
    async with running(app):
        for address, token in (("10.0.0.1", TOKEN), ("10.0.0.2", TOKEN), ("10.0.0.1", TOKEN if settings else "other")):
            transport = httpx.ASGITransport(app=app, client=(address, 5000 + len(seen)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
                bearer = {"Authorization": f"Bearer {token}"}
                assert (await client.post("/mcp", headers=headers | bearer, json=call)).status_code == 200

    assert seen[0] == seen[2] != seen[1]
    assert not any(TOKEN in caller or "10.0.0" in caller for caller in seen)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:9"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:8765"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "mcp.example.com"}, 421),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://chat.example.com"}, 403),
        ({"Content-Type": "text/plain"}, 400),
    ],
)
async def test_pages_of_other_sites_can_not_call(headers: dict[str, str], status: int) -> None:
    """A site that a user visits may point its own name at 127.0.0.1 and call from the user's browser."""
    async with calling() as client:
        response = await client.post("/mcp", headers=HEADERS | headers, json=INITIALIZE)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "mcp.example.com"}, 200),
        ({"Host": "mcp.example.com:8080"}, 200),
        ({"Host": "127.0.0.1:8765"}, 200),
        ({"Host": "10.0.0.7:8765"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://chat.example.com"}, 200),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
async def test_named_hosts_and_origins_can_call(headers: dict[str, str], status: int) -> None:
    names: dict[str, Any] = {"allowed_hosts": " mcp.example.com, ", "allowed_origins": "https://chat.example.com"}
    async with calling(auth_token=TOKEN, host="10.0.0.7", **names) as client:
        response = await client.post("/mcp", headers=HEADERS | BEARER | headers, json=INITIALIZE)

    assert response.status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_address_that_stands_for_all_is_no_name_to_call_by(host: str) -> None:
    async with calling(auth_token=TOKEN, host=host) as client:
        response = await client.post("/mcp", headers=HEADERS | BEARER | {"Host": "0.0.0.0:8765"}, json=INITIALIZE)

    assert response.status_code == 421


async def test_browser_of_a_named_origin_is_told_that_it_may_call() -> None:
    """A browser asks before it sends JSON or a token; that question bears no token."""
    ask = {
        "Origin": "https://chat.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version",
    }
    async with calling(auth_token=TOKEN, allowed_origins="https://chat.example.com") as client:
        asked = await client.options("/mcp", headers=ask)
        other = await client.options("/mcp", headers=ask | {"Origin": "https://evil.example"})
        get = await client.get("/mcp")

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == "https://chat.example.com"
    assert "mcp-protocol-version" in asked.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in other.headers
    assert get.status_code == 405


async def test_request_too_large_to_be_one_of_ours_is_refused() -> None:
    async with calling() as client:
        response = await client.post("/mcp", headers=HEADERS, content=b" " * 1_000_001)

    assert response.status_code == 413


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "reach.internal", "::", ""])
def test_listening_beyond_loopback_without_a_token_is_refused(host: str, demo_settings: Settings) -> None:
    settings = demo_settings.model_copy(update={"host": host})

    with pytest.raises(ConfigurationError, match="needs REACH_MCP_AUTH_TOKEN or REACH_MCP_AUTH_TOKEN_FILE"):
        build_http_app(build_server(settings), settings)


def test_token_of_white_space_is_refused() -> None:
    """It would let everybody in who shows none."""
    settings = load_settings(demo=True, auth_token="  ")

    with pytest.raises(ConfigurationError, match="nothing but white space"):
        build_http_app(build_server(settings), settings)


def test_token_file_that_can_not_be_read_is_refused() -> None:
    settings = load_settings(demo=True, auth_token_file=Path("/nowhere"))

    with pytest.raises(ConfigurationError, match="REACH_MCP_AUTH_TOKEN_FILE can't be read"):
        build_http_app(build_server(settings), settings)


async def test_address_in_use_is_a_matter_of_configuration(demo_settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = demo_settings.model_copy(update={"port": port})

        with pytest.raises(ConfigurationError, match=rf"Can't listen on 127\.0\.0\.1, port {port}: .*in use"):
            await serve_http(build_server(settings), settings)


async def test_host_that_is_none_is_a_matter_of_configuration() -> None:
    async def app(*_: Any) -> None:
        """Is never called."""

    with pytest.raises(ConfigurationError, match="Can't listen on no such host"):
        await serve_app(app, "no such host", 0, grace=0)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_real_client_over_real_http_gets_answers_until_the_server_is_stopped(
    mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The whole road: uvicorn, the door, both eras, and an end that a service manager sees as clean."""
    settings = load_settings(demo=True, port=0, auth_token=TOKEN)
    caught: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: caught.append(number))
    try:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve_http, build_server(settings), settings)
                address = await _address(capfd)
                async with streamable_client(address) as transport, Client(transport, mode=mode) as client:
                    result = await client.call_tool("list_batches", {"limit": 1})
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert not result.is_error
    assert caught == [signal.SIGTERM]


@asynccontextmanager
async def streamable_client(address: str) -> AsyncIterator[Any]:
    """The SDK's transport, with the caller's token."""
    async with httpx2.AsyncClient(headers=BEARER) as http:
        yield streamable_http_client(address, http_client=http)


def as_bytes(headers: dict[str, str], message: dict[str, Any]) -> bytes:
    """A POST as it goes over the wire."""
    body = json.dumps(message).encode()
    lines = ["POST /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def _address(capfd: pytest.CaptureFixture[str]) -> str:
    said = ""
    while "\n" not in said:
        await anyio.sleep(0.01)
        said += capfd.readouterr().err
    found = re.fullmatch(r"listening on (http://127\.0\.0\.1:[1-9]\d*/mcp)\n", said)
    assert found, said
    return found[1]


def test_call_that_does_not_end_is_cut_off_when_the_grace_is_over() -> None:
    """A service manager would otherwise have to kill it, with its connections to Reach open."""
    script = """
import anyio, sys
from contextlib import asynccontextmanager
from mcp.server.mcpserver import MCPServer
from reach_mcp.http import serve_http
from reach_mcp.settings import load_settings
@asynccontextmanager
async def lifespan(_):
    yield
    print("closed", flush=True)
async def wait() -> str:
    "Waits."
    print("waiting", flush=True)
    await anyio.sleep_forever()
server = MCPServer("small", lifespan=lifespan)
server.add_tool(wait)
anyio.run(serve_http, server, load_settings(port=0, shutdown_seconds=1))
"""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "wait", "_meta": META}}
    headers = MODERN | {"Mcp-Method": "tools/call", "Mcp-Name": "wait"}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            address = urlsplit(process.stderr.readline().split()[-1])
            with socket.create_connection((address.hostname, address.port)) as connection:
                connection.sendall(as_bytes(headers | {"Host": address.netloc}, call))
                assert process.stdout.readline() == "waiting\n"
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=15) == -signal.SIGTERM
            assert process.stdout.read() == "closed\n"
        finally:
            process.kill()
