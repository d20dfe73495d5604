"""Requests that no client sends: whatever they hold, the answer is no 500, no traceback, and comes in time."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import EXPLAIN, GET, LIST, api_of, http_client, serve

PATHS = ("/mcp",) * 5 + (
    "/mcp/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/.well-known/oauth-protected-resource",
    "/",
    "//mcp",
)
NAMES = (LIST, GET, EXPLAIN, "triage_stuck_batches", "reach://batches/b1", "")
METHODS = ("initialize", "tools/call", "tools/list", "resources/read", "prompts/get", "completion/complete", "ping",
           "notifications/cancelled", "server/discover", "")  # fmt: skip
ARGUMENTS = ("batch_id", "tenant_id", "limit", "cursor", "focus", "assume_arrived", "since", "created_after", "schema")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
arguments = st.dictionaries(st.sampled_from(ARGUMENTS) | st.text(max_size=10), values, max_size=4)
parameters = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(NAMES) | values,
        "uri": st.sampled_from(NAMES) | values,
        "arguments": arguments | values,
        "protocolVersion": st.sampled_from(("2025-06-18", "2026-07-28")) | values,
        "ref": values,
        "_meta": values,
    },
)
calls = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(METHODS), "id": st.integers(0, 9), "params": parameters}
)
tools = arguments.flatmap(
    lambda given: st.sampled_from(NAMES).map(
        lambda name: {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": given}}
    )
)
messages = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | values, "method": st.sampled_from(METHODS) | values},
    optional={"id": values, "params": parameters | values},
)
bodies = st.binary(max_size=200) | (tools | calls | messages | st.lists(messages, max_size=3) | values).map(
    lambda found: json.dumps(found).encode()
)
headers = st.dictionaries(
    st.sampled_from(("accept", "content-type", "mcp-protocol-version", "mcp-session-id", "mcp-method", "origin",
                     "host", "reach-tenant-id", "reach-authorization", "authorization", "last-event-id")),
    st.sampled_from(("application/json", "text/event-stream", "2026-07-28", "2025-06-18", "tools/call", "acme", ""))
    | st.binary(max_size=20).map(lambda raw: raw.hex()),
    max_size=4,
)  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE", "OPTIONS", "PUT"])
@given(st.sampled_from(PATHS), bodies, st.just({}) | headers, st.booleans())
def test_no_request_makes_the_server_fail(
    method: str, path: str, body: bytes, given_headers: dict[str, str], as_json: bool
) -> None:
    sent = {"host": "localhost"} | given_headers | ({"content-type": "application/json"} if as_json else {})
    response = anyio.run(_send, method, path, body, sent)

    assert response.status_code < 500 or (path == "/readyz" and response.status_code == 503)
    assert "Traceback" not in response.text
    assert "site-packages" not in response.text


async def _send(method: str, path: str, body: bytes, sent: dict[str, Any]) -> httpx.Response:
    with anyio.fail_after(20):
        async with http_client(serve(api_of([]))) as client:
            return await client.request(method, path, content=body, headers=sent)
