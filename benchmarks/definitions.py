"""Tokens and bytes of the tool definitions and of answers: `python -m benchmarks.definitions`.

Tokens are those of o200k. A model pays for name, description and input schema. Answers are those to calls without
arguments (and a few with one) on the demo and on a tenant with 400 batches and 3,000 pending resources.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from functools import cache
from typing import Any

import anyio
import bpe_openai
from mcp import Client
from mcp_types import TextContent

from benchmarks.api import Api
from benchmarks.measure import print_table
from benchmarks.tenant import Json, Size, build_tenant
from reach_mcp.server import build_server
from reach_mcp.settings import load_settings

EXPLAIN = "explain_pending_dependencies"
CALLS: tuple[tuple[str, Json], ...] = (
    ("list_batches", {}),
    ("list_batches", {"scope": "all"}),
    (EXPLAIN, {}),
    *((EXPLAIN, {"view": view}) for view in ("blockers", "plan", "expiry", "expired", "cycles", "resources")),
    (EXPLAIN, {"cause": "failed"}),
    (EXPLAIN, {"response_format": "detailed"}),
)


@cache
def _encoder() -> Any:
    return bpe_openai.get_encoding("o200k_base")


def tokens(text: str) -> int:
    return len(_encoder().encode(text))


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size(text: str) -> list[str]:
    return [f"{tokens(text):,}", f"{len(text.encode()):,}"]


async def definitions() -> list[list[str]]:
    """Rows of the table: one for each tool, and their sum."""
    async with Client(build_server(load_settings(demo=True, log_level="ERROR"))) as client:
        tools = (await client.list_tools()).tools
        instructions = client.instructions or ""
    rows, whole = list[list[str]](), ["", ""]
    for tool in tools:
        wire = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        paid = compact({name: wire[name] for name in ("name", "description", "inputSchema")})
        rows.append([tool.name, *size(paid), *size(compact(wire))])
        whole = [whole[0] + paid, whole[1] + compact(wire)]
    sums = ["all three", *size(whole[0]), *size(whole[1])]
    return [*rows, sums, ["instructions", *size(instructions), "", ""]]


async def answers() -> list[list[str]]:
    """Rows of the table: one for each call on each tenant."""
    api = Api(build_tenant(Size(), now=datetime.now(UTC)).batches)
    planted = load_settings(api_url="http://reach.test", api_token="bench", log_level="ERROR")
    servers = {
        "demo": build_server(load_settings(demo=True, log_level="ERROR")),
        "3,000 pending": build_server(planted, transport=api.transport()),
    }
    rows = []
    for tenant, server in servers.items():
        async with Client(server) as client:
            for tool, arguments in CALLS:
                result = await client.call_tool(tool, arguments)
                text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
                rows.append(
                    [tenant, f"`{tool} {compact(arguments)}`", *size(text), *size(compact(result.structured_content))]
                )
    return rows


def main() -> None:
    logging.disable(logging.WARNING)
    paid = ("tool", "tokens for the model", "bytes", "tokens of the whole definition", "bytes")
    print_table(paid, anyio.run(definitions))
    print()
    columns = ("tenant", "call", "text tokens", "bytes", "structured tokens", "bytes")
    print_table(columns, anyio.run(answers))


if __name__ == "__main__":
    main()
