"""The server on a real socket, in front of a Reach API whose tenants have the same batch ids and different contents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import uvicorn

from reach_mcp.transports.connections import guarded
from reach_mcp.transports.http import build_http_app, listen
from tests.builders import batch, detail, page, pending
from tests.fakes import Answer, ScriptedTransport
from tests.helpers import read_events, request_of, serve, settings_of

TENANTS = ("acme", "globex", "initech")
TOKENS = {"one": "token-of-one-000001", "two": "token-of-two-000002", "any": "token-of-any-000003"}
ALLOWED = {"one": ("acme",), "two": ("acme", "globex"), "any": TENANTS}


def reach() -> ScriptedTransport:
    """Each answer names its tenant in ids and messages: `acme-secret`, for instance."""

    def respond(request: httpx.Request) -> Answer:
        tenant = request.headers.get("reach-tenant-id")
        if tenant is None:
            return 400
        row = pending(f"transactions:{tenant}-secret", f"customers:{tenant}-secret")
        failed: Any = {f"{tenant}-secret": ([f"{tenant}-secret is wrong"], ["VALIDATION"])}
        one = batch("b1", row, failed=failed)
        if request.url.path.endswith("/b1"):
            return detail(one)
        return page(
            one, batch(f"{tenant}-secret-2"), cursor=f"{tenant}-cursor" if request.url.params["limit"] == "1" else None
        )

    return ScriptedTransport(respond)


def callers_file(folder: Path) -> Path:
    """One caller of one tenant, one of two, one of any."""
    lines = []
    for name, token in TOKENS.items():
        tenants = "any" if name == "any" else list(ALLOWED[name])
        lines += [f"[callers.{name}]", f'tokens = ["sha256:{hashlib.sha256(token.encode()).hexdigest()}"]']
        lines += [f"tenants = {json.dumps(tenants)}"]
    file = folder / "callers.toml"
    file.write_text("\n".join(lines))
    return file


@asynccontextmanager
async def service(api: ScriptedTransport, port: int = 0, **flags: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the server, which listens on this port, else on a port of its own."""
    app = build_http_app(serve(api, **flags), settings_of(**flags))
    listener, address = listen("127.0.0.1", port)
    config = uvicorn.Config(app, http=guarded(64), log_config=None, ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    with listener:  # uvicorn closes it too, but not where a test fails
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            try:
                async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
                    yield client
            finally:
                server.should_exit = True


async def post(
    client: httpx.AsyncClient,
    era: str,
    method: str,
    params: dict[str, Any],
    *headers: tuple[str, str],
    url: str = "/mcp",
) -> httpx.Response:
    """One MCP request of an era. Headers may be repeated."""
    body, sent = request_of(era, method, params)
    return await client.post(url, json=body, headers=[*sent.items(), *headers])


def bearer(name: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {TOKENS[name]}"


def text_of(response: httpx.Response) -> str:
    """The text of a tool's answer, errors included."""
    return str(read_events(response)["result"]["content"][0]["text"])
