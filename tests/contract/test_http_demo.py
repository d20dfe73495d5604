"""The whole road through real sockets: client -> MCP server in one process -> Reach API in another.

The demo in memory is the measure. Given the other's start and the moment of its answer, it has to say the same, to the
letter, times included: what lies between the two is transport, and transport changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from inline_snapshot import external_file
from mcp import Client

from reach_mcp.server import build_server
from reach_mcp.settings import load_settings
from tests.builders import NOW
from tests.contract.openapi import Json
from tests.contract.processes import REACH_MCP, environment, serving
from tests.tools.harness import text_of

pytestmark = pytest.mark.anyio

STARTED_LAST = "bat_cus_0952"
"""The demo's batch that is one minute old when the demo starts."""

CALLS: list[tuple[str, Json]] = [
    ("list_batches", {}),
    ("list_batches", {"scope": "all", "schema": "customers", "created_after": "2d"}),
    ("get_batch", {"batch_id": "bat_cus_0912"}),
    ("explain_pending_dependencies", {}),
]
each_call = pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=["one_page", "customers", "get_batch", "explain"])


@pytest.fixture(scope="module")
def demo_api() -> Iterator[str]:
    """The base URL of the demo API in a process of its own."""
    command = [*REACH_MCP, "demo-api", "--port", "0"]
    with serving(command, ready=r"listening on (http://127\.0\.0\.1:\d+)", env=environment()) as url:
        yield url


@pytest.fixture(scope="module")
def server(demo_api: str) -> Iterator[str]:
    """The URL of an MCP server that asks this API as it would ask Reach, and anew for each call."""
    command = [*REACH_MCP, "serve", "--http", "--port", "0"]
    env = environment(REACH_API_URL=demo_api, REACH_API_TOKEN="demo", REACH_MCP_REUSE_SECONDS="0")
    with serving(command, ready=r"listening on (http://127\.0\.0\.1:\d+/mcp)", env=env) as url:
        yield url


@pytest.fixture(scope="module")
def started(demo_api: str) -> datetime:
    """When the demo API started, read off its youngest batch."""
    answer = httpx.get(f"{demo_api}/api/batches/{STARTED_LAST}", headers={"Authorization": "Bearer demo"}, timeout=30)
    created = datetime.fromisoformat(answer.json()["data"]["createdAt"])
    return created + timedelta(minutes=1)


@each_call
@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_answer_over_http_is_the_answer_in_memory(
    server: str, started: datetime, era: Any, tool: str, arguments: Json
) -> None:
    """Two processes, two sockets and two HTTP stacks add nothing and lose nothing."""
    async with Client(server, mode=era) as client:
        far = await client.call_tool(tool, arguments)

    assert not far.is_error
    asked = datetime.fromisoformat(_structured(far)["as_of"])
    near = await _ask_in_memory(tool, arguments, started=started, asked=asked, mark=_mark(far))
    assert text_of(far) == text_of(near)
    assert _structured(far) == _structured(near)


@each_call
async def test_answer_is_as_it_was_recorded(tool: str, arguments: Json, request: pytest.FixtureRequest) -> None:
    """The demo at a fixed moment: what a model reads of it, whole."""
    result = await _ask_in_memory(tool, arguments, started=NOW, asked=NOW, mark="f00d")

    answer = {"text": text_of(result).splitlines(), "structured": _structured(result)}
    assert answer == external_file(f"snapshots/demo_{request.node.callspec.id}.json")


async def test_wrong_credential_is_said_in_our_words(demo_api: str) -> None:
    """The API's 401 arrives as a sentence on what to do, and neither token nor address stands in it."""
    command = [*REACH_MCP, "serve", "--http", "--port", "0"]
    env = environment(REACH_API_URL=demo_api, REACH_API_TOKEN="planted-secret")
    with serving(command, ready=r"listening on (http://127\.0\.0\.1:\d+/mcp)", env=env) as url:
        async with Client(url) as client:
            result = await client.call_tool("list_batches", {})

    assert result.is_error
    assert result.structured_content is None
    assert "401" in text_of(result)
    assert "planted-secret" not in text_of(result)
    assert demo_api not in text_of(result)


async def _ask_in_memory(tool: str, arguments: Json, *, started: datetime, asked: datetime, mark: str) -> Any:
    moments = iter([started])
    server = build_server(load_settings(demo=True), clock=lambda: next(moments, asked), mark=lambda: mark)
    async with Client(server) as client:
        return await client.call_tool(tool, arguments)


def _structured(result: Any) -> Any:
    return result.structured_content


def _mark(result: Any) -> str:
    return str(result.meta["reach/fence"]["mark"])
