"""The HTTP app: who is let in, what is served in spite of small differences, and what is refused, by name."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from reach_mcp.server import CALLER_KEY
from reach_mcp.settings import ConfigurationError
from reach_mcp.transports.auth import AuthMiddleware, build_callers
from reach_mcp.transports.callers import StaticCallers
from reach_mcp.transports.connections import guarded
from reach_mcp.transports.http import build_http_app, listen
from reach_mcp.transports.middleware import BodyMiddleware, check_body
from reach_mcp.transports.observing import RefusalMiddleware
from tests.builders import batch
from tests.fakes import ScriptedTransport
from tests.helpers import LIST, api_of, client_of, http_client, read_events, rpc, serve, settings_of

pytestmark = pytest.mark.anyio

CALL = rpc("tools/call", {"name": LIST, "arguments": {}})
JSON = {"content-type": "application/json"}
LONG_TOKEN = "a-long-random-token-1"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/mcp", {}),
        ("/mcp/", {}),
        ("/mcp", {"accept": "text/event-stream"}),
        ("/mcp", {"accept": ""}),
        ("/mcp", {"accept": "*/*"}),
        ("/mcp", {"accept": "application/json;q=0.9"}),
        ("/mcp", {"content-type": "application/json; charset=utf-8"}),
        ("/mcp", {"content-type": "Application/JSON"}),
        ("/mcp", {"host": "LOCALHOST:8000"}),
        ("/mcp", {"host": "mcp.example.com"}),
        ("/mcp", {"origin": "http://localhost:3000"}),
        ("/mcp", {"origin": "https://Chat.example.com"}),
    ],
)
async def test_small_differences_are_served(path: str, headers: dict[str, str]) -> None:
    flags = {"auth": "none", "allowed_hosts": "mcp.example.com", "allowed_origins": "https://chat.example.com"}
    async with http_client(serve(api_of([batch("b1")])), **flags) as client:
        response = await client.post(path, json=CALL, headers=headers)

    assert response.status_code == 200
    assert not read_events(response)["result"].get("isError")


@pytest.mark.parametrize(
    ("request_of", "status", "words"),
    [
        ({"headers": {"host": "evil.example"}}, 421, "REACH_MCP_ALLOWED_HOSTS"),
        ({"headers": {"origin": "https://evil.example"}}, 403, "REACH_MCP_ALLOWED_ORIGINS"),
        ({"method": "GET"}, 405, ""),
        ({"method": "DELETE"}, 405, ""),
        ({"url": "/other"}, 404, "The MCP endpoint is /mcp"),
        ({"content": b" " * 1_000_001}, 413, "too large"),
        ({"headers": {"accept": "text/html"}}, 406, ""),
        ({"headers": {"content-type": "text/plain"}}, 415, "is 'text/plain'. It must be application/json"),
        ({"headers": {"content-type": ""}}, 415, "There is no Content-Type"),
        ({"content": b"{"}, 400, "-32700"),
        ({"json": rpc("ping", id=1.5)}, 400, "-32600"),
        ({"json": rpc("ping", id=None)}, 400, "-32600"),
        ({"json": rpc("ping", id="x" * 257)}, 400, '"id":null'),
        ({"content": rb'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a\ud800":1}}'}, 400, '"id":7'),
    ],
)
async def test_wrong_request_is_refused_with_a_word(request_of: dict[str, Any], status: int, words: str) -> None:
    sent = {"method": "POST", "url": "/mcp", "headers": {}} | request_of
    if sent["method"] == "POST" and not {"json", "content"} & sent.keys():
        sent["json"] = CALL
    sent["headers"] = JSON | sent["headers"]
    async with http_client(serve(api_of([]))) as client:
        response = await client.request(**sent)

    assert response.status_code == status
    assert words in response.text


@pytest.mark.parametrize(("method", "name"), [("m" * 200_000, ""), ("resources/read", "u" * 200_000)])
async def test_errors_repeat_little_of_the_request(method: str, name: str) -> None:
    async with http_client(serve(api_of([]))) as client:
        response = await client.post("/mcp", json=rpc(method, {"uri": name} if name else {}))

    assert len(response.content) < 500
    assert "error" in read_events(response)


@pytest.mark.parametrize(("method", "params"), [("m" * 900, {}), ("notifications/x", {"uri": "u" * 9000})])
async def test_long_notification_is_ignored(
    method: str, params: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with http_client(serve(api_of([]))) as client:
        response = await client.post("/mcp", json={"jsonrpc": "2.0", "method": method, "params": params})

    assert response.status_code == 202
    assert caplog.text == ""


async def test_health_and_readiness_are_two_questions() -> None:
    async with http_client(serve(ScriptedTransport(), api_token=None)) as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
    async with http_client(serve(api_of([]))) as client:
        configured = await client.get("/readyz", headers={"host": "10.0.0.1"})

    assert (alive.status_code, ready.status_code, configured.status_code) == (200, 503, 200)
    assert "REACH_API_TOKEN" in ready.json()["reason"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_browser_may_ask_from_a_named_origin(method: str) -> None:
    flags = {"allowed_origins": "https://chat.example.com", "auth_token": LONG_TOKEN}
    origin = {"origin": "https://chat.example.com"}
    asks = {
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,mcp-protocol-version",
    }
    async with http_client(serve(api_of([])), **flags) as client:
        preflight = await client.options("/mcp", headers=origin | asks)
        answer = await client.post("/mcp", json=CALL, headers=origin | {"authorization": f"Bearer {LONG_TOKEN}"})

    assert preflight.status_code == 200
    assert method in preflight.headers["access-control-allow-methods"]
    assert answer.headers["access-control-expose-headers"] == "Mcp-Session-Id, Retry-After, WWW-Authenticate"


@pytest.mark.parametrize("shown", ["", "Bearer wrong", f"Basic {LONG_TOKEN}", "Bearer \u00e9"])
async def test_caller_without_a_token_is_refused_and_logged(shown: str, caplog: pytest.LogCaptureFixture) -> None:
    async with http_client(serve(api_of([])), auth_token=LONG_TOKEN) as client:
        responses = [
            await client.post("/mcp", json=CALL, headers=[(b"authorization", shown.encode("latin-1"))])
            for _ in range(3)
        ]

    assert {response.status_code for response in responses} == {401}
    assert responses[0].headers["www-authenticate"].startswith("Bearer")
    assert "static bearer token from this server's operator" in responses[0].text
    refusals = [record for record in caplog.records if record.message == "request refused"]
    facts = [record.facts for record in refusals]  # type: ignore[attr-defined]
    # The others are counted in the next line.
    assert facts == [
        {"status": 401, "address": "127.0.0.1", "reason": responses[0].json()["error"]["message"], "count": 1}
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"jsonrpc": "2.0", "id": true, "method": "jane@example.com"}', "JSON-RPC error -32600"),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": "jane"}', "JSON-RPC error -32602"),
    ],
)
async def test_log_repeats_nothing_of_a_refused_request(
    body: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with http_client(serve(api_of([]))) as client:
        answer = await client.post("/mcp", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    logged = [record for record in caplog.records if record.message == "request refused"]
    assert [record.facts["reason"] for record in logged] == [reason]  # type: ignore[attr-defined]


async def test_refusal_of_another_kind_is_logged_without_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    app = RefusalMiddleware(Response("Customer Jane Doe", 500), serve(api_of([])).context)
    async with client_of(app) as client:
        await client.post("/mcp")

    assert "Jane" not in caplog.text
    facts = [record.facts for record in caplog.records if record.message == "request refused"]  # type: ignore[attr-defined]
    assert facts == [{"status": 500, "address": "127.0.0.1", "reason": "", "count": 1}]


async def test_token_is_checked_before_the_body_is_read() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    app = build_http_app(serve(api_of([])), settings_of(auth_token=LONG_TOKEN))
    scope = {"type": "http", "method": "POST", "path": "/mcp", "root_path": "", "query_string": b"",
             "headers": [(b"host", b"localhost")]}  # fmt: skip
    await app(scope, receive, send)

    assert sent[0]["status"] == 401


class Seen:
    """Remembers the scope that reaches the endpoint."""

    scope: Scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        self.scope = scope
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("flags", "shown", "caller"),
    [
        ({"auth_token": f"alice:{LONG_TOKEN}, bob:another-long-token-2"}, "another-long-token-2", "bob"),
        ({"auth_token": f"alice:{LONG_TOKEN}, bob:another-long-token-2"}, LONG_TOKEN, "alice"),
        ({}, "whatever", "10.1.2.3"),
    ],
)
async def test_callers_are_told_apart_by_name_and_their_token_goes_no_further(
    flags: dict[str, str], shown: str, caller: str
) -> None:
    seen, settings = Seen(), settings_of(**flags)
    async with client_of(AuthMiddleware(seen, build_callers(settings), settings), "10.1.2.3") as client:
        await client.get("/", headers={"authorization": f"bearer {shown}", "x-forwarded-for": "9.9.9.9"})

    assert seen.scope[CALLER_KEY].name == caller
    assert not [name for name, _ in seen.scope["headers"] if name == b"authorization"]


async def test_token_file_is_read_again_when_it_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"alice:{LONG_TOKEN}\n")
    tokens = StaticCallers(settings_of(auth_token_file=file))
    assert (await tokens.find(LONG_TOKEN)).name == "alice"

    file.write_text(f"alice:{LONG_TOKEN}\nunnamed-long-token-3\n")
    unnamed = await tokens.find("unnamed-long-token-3")
    file.unlink()

    assert unnamed.name.startswith("token-")
    assert (await tokens.find(LONG_TOKEN)).name == "alice"
    assert "the callers read before stay valid" in caplog.text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"host": "0.0.0.0"}, "needs REACH_MCP_CALLERS_FILE, REACH_MCP_AUTH_TOKEN"),
        ({"allowed_hosts": "mcp.example.com"}, "server behind a proxy, which needs REACH_MCP_CALLERS_FILE"),
        ({"trusted_proxies": "127.0.0.1"}, "all callers, set REACH_MCP_AUTH=none"),
        ({"host": "0.0.0.0", "auth_token": "short"}, "too short"),
        ({"auth_token": " , "}, "nothing but white space"),
        ({"auth_token_file": Path("/nonexistent")}, "REACH_MCP_AUTH_TOKEN_FILE can't be read"),
        ({"auth": "static"}, "REACH_MCP_AUTH=static needs REACH_MCP_CALLERS_FILE"),
        ({"auth": "none", "auth_token": LONG_TOKEN}, "REACH_MCP_AUTH=none takes no static tokens"),
        ({"auth": "none", "host": "0.0.0.0"}, "or REACH_MCP_AUTH=oauth. Without one, listen on 127.0.0.1"),
        ({"auth": "oauth"}, "needs REACH_MCP_OAUTH_ISSUER"),
        ({"auth": "oauth", "oauth_issuer": "https://login.example.com"}, "and REACH_MCP_OAUTH_AUDIENCE"),
        ({"auth": "oauth", "auth_token": LONG_TOKEN}, "takes no static tokens"),
    ],
)
def test_app_that_would_be_open_or_is_contradicted_does_not_start(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        build_http_app(serve(api_of([])), settings_of(**flags))


def test_app_that_checks_callers_or_was_told_not_to_starts() -> None:
    proxied = {"auth": "none", "allowed_hosts": "mcp.example.com"}
    for flags in ({"host": "::", "auth_token": LONG_TOKEN}, {"host": "::1"}, proxied):
        build_http_app(serve(api_of([])), settings_of(**flags))


async def test_slow_and_endless_bodies_are_refused() -> None:
    async def drip() -> Any:
        yield b"{"
        await anyio.sleep_forever()

    async def flood() -> Any:
        for _ in range(20):
            yield b" " * 10

    async with client_of(BodyMiddleware(Seen(), seconds=0.01, max_bytes=100)) as client:
        slow = await client.post("/", content=drip(), headers=JSON)
        large = await client.post("/", content=flood(), headers=JSON)

    assert (slow.status_code, large.status_code) == (408, 413)


@pytest.mark.parametrize("body", [b"[]", b"{", b"[" * 100_000, b'{"method": "x"}', b'{"id": 1}', b'{"id": "a"}'])
def test_body_that_the_sdk_can_answer_is_passed_on(body: bytes) -> None:
    assert check_body(body) is None


def test_listening_socket_sends_without_delay() -> None:
    listener, address = listen("127.0.0.1", 0)
    with listener:
        assert listener.proto == socket.IPPROTO_TCP
        assert address == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_address_in_use_is_named() -> None:
    listener, _ = listen("127.0.0.1", 0)
    with listener, pytest.raises(ConfigurationError, match=r"Can.t listen on 127"):
        listen("127.0.0.1", listener.getsockname()[1])


class Memory:
    """The part of a transport that the protocol uses."""

    closed = False

    def get_extra_info(self, _: str) -> None: ...
    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    close = abort

    def write(self, _: bytes) -> None: ...
    def resume_reading(self) -> None: ...


async def test_connection_that_does_not_read_its_answer_is_closed() -> None:
    protocol, transport = guarded(2)(uvicorn.Config(Seen(), log_config=None), ServerState(), {}), Memory()
    protocol.write_seconds = 0.01
    protocol.connection_made(transport)  # type: ignore[arg-type]
    protocol.pause_writing()
    protocol.resume_writing()
    assert protocol._stalled is not None
    assert protocol._stalled.cancelled()
    protocol.pause_writing()
    while not transport.closed:
        await anyio.lowlevel.checkpoint()
    protocol.connection_lost(None)


async def test_silent_and_surplus_connections_are_closed(caplog: pytest.LogCaptureFixture) -> None:
    """A connection that sends no headers ends, one that was answered does not, and there is a bound on both."""
    state, config = ServerState(), uvicorn.Config(Seen(), ws="none", log_config=None)
    config.load()
    refused: list[int] = []

    def connect() -> tuple[Any, Memory]:
        protocol, transport = guarded(2, lambda: refused.append(1))(config, state, {}), Memory()
        protocol.header_seconds = 0.01
        protocol.connection_made(transport)  # type: ignore[arg-type]
        return protocol, transport

    caplog.set_level(logging.WARNING)
    (silent, first), (calling, second), (_, third) = connect(), connect(), connect()
    calling.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert calling._headers.cancelled()
    silent.data_received(b"GET / HTTP/1.1")
    while not first.closed:
        await anyio.lowlevel.checkpoint()
    assert not second.closed
    calling.data_received(b"GET / HTTP/1.1")  # once it was answered, the next headers are awaited
    while not second.closed:
        await anyio.lowlevel.checkpoint()
    for protocol in (silent, calling):
        protocol.connection_lost(None)

    assert third.closed
    assert refused == [1]
    assert "too many connections" in caplog.text
