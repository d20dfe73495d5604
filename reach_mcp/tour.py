"""What `reach-mcp demo` prints: the real server at work, and how to connect a host to it."""

from __future__ import annotations

import json
import sys
from typing import Any

from mcp import Client
from mcp.server.mcpserver import MCPServer

from reach_mcp import __version__

TOUR: tuple[tuple[str, dict[str, Any]], ...] = (
    ("explain_pending_dependencies", {}),
    ("list_batches", {"scope": "all", "limit": 5}),
    ("get_batch", {"batch_id": "bat_cus_0912"}),
)


async def show(server: MCPServer[Any]) -> str:
    """What a model would get from each tool, and how to connect a host that has one."""
    lines = [f"reach-mcp {__version__}: the real server over a demo API, called by an MCP client in memory.", ""]
    async with Client(server) as client:
        lines += ["Tools:", *(f"  {tool.name}: {tool.title}" for tool in (await client.list_tools()).tools)]
        for tool, arguments in TOUR:
            result = await client.call_tool(tool, arguments)
            text = "\n".join(getattr(part, "text", "") for part in result.content)
            lines += ["", f"--- a model calls {tool} {json.dumps(arguments)} and reads:", "", text]
    return "\n".join([*lines, "", how_to_connect()])


def how_to_connect() -> str:
    """What to write where, for the hosts that people have; with the interpreter that runs this."""
    entry = {"command": sys.executable, "args": ["-m", "reach_mcp"], "env": {"REACH_API_TOKEN": "<your Reach JWT>"}}
    config = json.dumps({"mcpServers": {"reach": entry}}, indent=2)
    start = f"{sys.executable} -m reach_mcp"
    return f"""\
--- To connect a host (put --demo behind reach_mcp to try it without a credential):

Claude Desktop, in claude_desktop_config.json:
{config}

Claude Code:
claude mcp add reach --env REACH_API_TOKEN=<your Reach JWT> -- {start}

An agent over HTTP, at http://127.0.0.1:8765/mcp:
{start} serve --http"""
