"""The real server over tenants of the tests' own, as a host calls it; the network is the one thing replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from mcp_types import CallToolResult, TextContent
from pydantic import SecretStr

from reach_mcp.api.client import ReachClient, asgi_transport
from reach_mcp.api.credentials import StaticToken
from reach_mcp.demo.api import build_demo_api
from reach_mcp.render import Fence
from reach_mcp.render.batch import write_batch
from reach_mcp.render.batches import write_listing
from reach_mcp.render.explanation import write_explanation
from reach_mcp.server import StrictServer, build_server
from reach_mcp.settings import Settings, load_settings
from reach_mcp.tools import App
from reach_mcp.tools.schemas import OUTPUT
from tests.builders import NOW, Json
from tests.contract.tokens import count_tokens
from tests.tools.tracing import find_untold

LIST, GET, EXPLAIN = "list_batches", "get_batch", "explain_pending_dependencies"
MARK = "k72"
FENCED = re.compile(rf'{MARK}"[^"]*"')
BROKEN = re.compile(r".*(?:[:;,] ?[,;.)]|(?<!\w)\( ?[,;.)]|:$(?!\n- )|[,;(]$).*", re.MULTILINE)
"""A sentence from which a list has gone that it was to introduce."""

WRITERS = {LIST: write_listing, GET: write_batch, EXPLAIN: write_explanation}


@dataclass(frozen=True)
class Reply:
    """What a host gets: text, structured content, and what the answer says about itself."""

    tool: str
    text: str
    content: Json
    meta: Json

    @property
    def tokens(self) -> tuple[int, int]:
        """Real tokens of the text, and of the text with the structured content."""
        words = count_tokens(self.text)
        return words, words + count_tokens(compact(self.content))

    @property
    def plain(self) -> str:
        """The text without what is fenced."""
        return FENCED.sub("", self.text)

    def check(self) -> None:
        """The content keeps to its published schema, and each number of the text is that of the fact it tells."""
        Draft202012Validator(OUTPUT[self.tool]).validate(self.content)
        write, fence = WRITERS[self.tool], Fence(MARK)
        assert self.text == write(self.content, fence)
        assert find_untold(lambda content: write(content, fence), self.content, FENCED) == []
        assert BROKEN.findall(FENCED.sub('""', self.text)) == [], self.text


def serve(
    batches: Sequence[Json] = (),
    *,
    handler: Callable[..., Any] | None = None,
    clock: Callable[[], datetime] = lambda: NOW,
    **flags: Any,
) -> StrictServer:
    """A server whose Reach holds these batches, or answers each request as `handler` does."""
    transport = _transport(batches) if handler is None else httpx.MockTransport(handler)
    return build_server(_settings(**flags), transport=transport, clock=clock, mark=lambda: MARK)


def build_app(batches: Sequence[Json]) -> App:
    """What the tools need, for what is called without a server around it."""
    client = ReachClient("http://reach.test", StaticToken(SecretStr("demo")), transport=_transport(batches))
    return App(client=client, settings=_settings(), clock=lambda: NOW, mark=lambda: MARK)


def _transport(batches: Sequence[Json]) -> httpx.AsyncBaseTransport:
    return asgi_transport(build_demo_api({"tests": batches}, default_tenant="tests"))


@cache
def _settings(**flags: Any) -> Settings:
    """Kept, since reading settings takes longer than most calls; they are frozen."""
    return load_settings(**({"api_url": "http://reach.test", "api_token": "demo"} | flags))


def answer_page(body: Json, status: int = 200, **headers: str) -> httpx.Response:
    """An answer of Reach as it comes off a socket."""
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(compact(body).encode()))


def serve_demo(tenant: str = "northwind", **flags: Any) -> StrictServer:
    """The server as `--demo` starts it, at a fixed time."""
    return build_server(load_settings(demo=True, demo_tenant=tenant, **flags), clock=lambda: NOW, mark=lambda: MARK)


async def ask(server: StrictServer, tool: str, /, **arguments: Any) -> Reply:
    """One call that is answered."""
    result = await _call(server, tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return Reply(tool, text_of(result), result.structured_content, dict(result.meta or {}))


async def refused(server: StrictServer, tool: str, /, **arguments: Any) -> str:
    """The text of one call that ends in an error, which bears nothing but text."""
    result = await _call(server, tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    return text_of(result)


async def follow(server: StrictServer, reply: Reply, name: str) -> list[Reply]:
    """This answer and all that follow when its next call with the argument `name` is called as it stands."""
    found = [reply]
    while call := next((call for call in found[-1].content["next_calls"] if name in call["arguments"]), None):
        assert len(found) < 200, "the calls lead nowhere"
        found.append(await ask(server, call["tool"], **call["arguments"]))
    return found


async def _call(server: StrictServer, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
    result = await server.call_tool(tool, dict(arguments))
    assert isinstance(result, CallToolResult)
    return result


def text_of(result: CallToolResult) -> str:
    """The text of an answer or of an error."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def compact(content: Any) -> str:
    """JSON as it goes over the wire."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
