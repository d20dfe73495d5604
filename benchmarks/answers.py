"""The largest answers on a big tenant, whatever the arguments: `python -m benchmarks.answers` prints and judges them.

Tokens are the server's own bound, which is never below the count of o200k (the tests hold it against the tokenizer).
Exit code 1 when an answer exceeds the budget that was set.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

import anyio
from mcp import Client
from mcp_types import CallToolResult, TextContent
from pydantic import SecretStr

from benchmarks.measure import running_api
from reach_mcp.logs import configure_logging
from reach_mcp.render.answer import LARGEST
from reach_mcp.render.tokens import bound_tokens
from reach_mcp.server import build_server
from reach_mcp.settings import load_settings

BUDGETS = (800, 4_000, 20_000)
"""The least that can be set, the default, and the most."""

LIST, GET, EXPLAIN = "list_batches", "get_batch", "explain_pending_dependencies"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__)
    parser.add_argument("--batches", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=200_000, help="pending resources")
    options = parser.parse_args()
    with running_api(batches=options.batches, rows=options.rows) as url:
        sys.exit(anyio.run(measure, url))


async def measure(url: str) -> int:
    """Every call under every budget; 1 when one answer is too large."""
    wrong = 0
    print(f"{'budget':>7} {'tokens':>7} {'characters':>10}  call")
    for budget in BUDGETS:
        settings = load_settings(
            api_url=url, api_token=SecretStr("bench"), answer_tokens=budget, reuse_seconds=600, log_level="ERROR"
        )
        configure_logging(settings)
        async with Client(build_server(settings)) as client:
            first = await client.call_tool(EXPLAIN, {"response_format": "detailed"})
            for tool, arguments in calls(first):
                tokens, characters = size(await client.call_tool(tool, arguments))
                bad = tokens > budget or characters > LARGEST
                wrong += bad
                shown = json.dumps(arguments)
                shown = shown if len(shown) < 90 else f"{shown[:90]}… ({len(shown)} characters)"
                print(f"{budget:>7,} {tokens:>7,} {characters:>10,}  {tool} {shown}{'  TOO LARGE' if bad else ''}")
    return int(wrong > 0)


def calls(first: CallToolResult) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls that bring most: everything there is, from the start and from far behind."""
    document = first.structured_content or {}
    handles = [blocker["handle"] for blocker in document["blockers"]]
    detailed = {"response_format": "detailed"}
    for form in ({}, detailed):
        yield EXPLAIN, form
        yield EXPLAIN, {"offset": 10_000, **form}
        yield EXPLAIN, {"assume_arrived": (handles * 200)[:200], **form}
        yield EXPLAIN, {"since": document["since"], **form}
        yield LIST, {"scope": "all", **form}
        yield LIST, {"limit": 1000, "include_pending_details": True, **form}
        for handle in handles[:2]:
            yield EXPLAIN, {"focus": handle, **form}
        for one in document.get("disagreements", [])[:1]:
            yield EXPLAIN, {"focus": one["batch"], **form}
            yield GET, {"batch_id": one["batch"], **form}


def size(result: CallToolResult) -> tuple[int, int]:
    """Tokens at most, and characters, of text and structured content together."""
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    if result.structured_content is not None:
        texts.append(json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":")))
    return sum(map(bound_tokens, texts)), sum(map(len, texts))


if __name__ == "__main__":
    main()
