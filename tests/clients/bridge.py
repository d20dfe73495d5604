"""One client of others, driven over stdin: `bridge.py CLIENT URL` or `bridge.py CLIENT COMMAND ARGUMENT…`.

The first line of output has the tools as the client shows them to a model. Then each line of input is a call (`tool`,
`arguments`), and each further line of output its answer: the forms (`text`, `structured`) that the client hands on.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Forms = dict[str, Any]
Call = Callable[[str, dict[str, Any]], Awaitable[Forms]]
Session = AsyncIterator[tuple[dict[str, Any], Call]]


def _forms(result: Any) -> Forms:
    """The forms of a result of the MCP SDK, version 1 or 2."""
    structured = getattr(result, "structured_content", None) or getattr(result, "structuredContent", None)
    return {"text": "\n".join(part.text for part in result.content), "structured": structured}


@asynccontextmanager
async def fastmcp(target: list[str]) -> Session:
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    transport: Any = target[0] if len(target) == 1 else StdioTransport(target[0], target[1:], env=dict(os.environ))
    async with Client(transport) as client:

        async def call(tool: str, arguments: dict[str, Any]) -> Forms:
            return _forms(await client.call_tool(tool, arguments))

        yield {tool.name: tool.input_schema for tool in await client.list_tools()}, call


@asynccontextmanager
async def openai_agents(target: list[str]) -> Session:
    from agents.mcp import MCPServerStdio, MCPServerStreamableHttp
    from agents.mcp.util import MCPUtil

    server: Any = (
        MCPServerStreamableHttp({"url": target[0]}, client_session_timeout_seconds=60)
        if len(target) == 1
        else MCPServerStdio(
            {"command": target[0], "args": target[1:], "env": dict(os.environ)}, client_session_timeout_seconds=60
        )
    )
    async with server:

        async def call(tool: str, arguments: dict[str, Any]) -> Forms:
            return _forms(await server.call_tool(tool, arguments))

        tools = [MCPUtil.to_function_tool(tool, server, True) for tool in await server.list_tools()]
        assert all(tool.strict_json_schema for tool in tools), "a schema can't be made strict"
        yield {tool.name: tool.params_json_schema for tool in tools}, call


@asynccontextmanager
async def pydantic_ai(target: list[str]) -> Session:
    """It hands on the structured content alone."""
    from fastmcp.client.transports import StdioTransport
    from pydantic_ai.mcp import MCPToolset

    transport: Any = target[0] if len(target) == 1 else StdioTransport(target[0], target[1:], env=dict(os.environ))
    async with MCPToolset(transport) as toolset:

        async def call(tool: str, arguments: dict[str, Any]) -> Forms:
            return {"structured": await toolset.direct_call_tool(tool, arguments)}

        yield {tool.name: tool.input_schema for tool in await toolset.list_tools()}, call


@asynccontextmanager
async def google_genai(target: list[str]) -> Session:
    """Its schemas are Gemini's; its calls are those of the SDK's client session."""
    from google.genai._mcp_utils import mcp_to_gemini_tools

    async with _sdk(target) as session:
        listed = (await session.list_tools()).tools
        shown = [tool.function_declarations[0] for tool in mcp_to_gemini_tools(listed)]

        async def call(tool: str, arguments: dict[str, Any]) -> Forms:
            return _forms(await session.call_tool(tool, arguments))

        yield {tool.name: tool.parameters.model_dump(mode="json", exclude_none=True) for tool in shown}, call


@asynccontextmanager
async def _sdk(target: list[str]) -> AsyncIterator[Any]:
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamable_http_client

    streams: Any = (
        streamable_http_client(target[0])
        if len(target) == 1
        else stdio_client(StdioServerParameters(command=target[0], args=target[1:], env=dict(os.environ)))
    )
    async with streams as (read, write, *_), ClientSession(read, write) as session:
        await session.initialize()
        yield session


@asynccontextmanager
async def langchain(target: list[str]) -> Session:
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.tools import load_mcp_tools

    connection: Any = (
        {"transport": "streamable_http", "url": target[0]}
        if len(target) == 1
        else {"transport": "stdio", "command": target[0], "args": target[1:], "env": dict(os.environ)}
    )
    async with MultiServerMCPClient({"reach": connection}).session("reach") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}

        async def call(tool: str, arguments: dict[str, Any]) -> Forms:
            request = {"type": "tool_call", "id": "1", "name": tool, "args": arguments}
            message = await tools[tool].ainvoke(request)
            text = "\n".join(part["text"] for part in message.content)
            return {"text": text, "structured": (message.artifact or {}).get("structured_content")}

        yield {name: tool.args_schema for name, tool in tools.items()}, call


async def main(name: str, target: list[str]) -> None:
    async with globals()[name](target) as (tools, call):
        print(json.dumps(tools), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            print(json.dumps(await call(asked["tool"], asked["arguments"])), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
