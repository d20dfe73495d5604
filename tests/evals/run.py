"""Ask the questions: the real server in this process, called by an MCP client, over an API in memory."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import anyio
from mcp import Client
from mcp_types import TextContent

from benchmarks.api import Api
from benchmarks.tenant import Json
from reach_mcp.server import ReachServer, build_server
from reach_mcp.settings import load_settings
from tests.builders import NOW_SECONDS
from tests.evals.grade import Arm, Question, Reply, compact
from tests.evals.questions import batches_of, questions

LATER = "later"
"""The call that follows a change of the tenant: its `since` is the token of the answer before."""


@cache
def replies(tenant: str, arm: Arm) -> dict[str, Reply]:
    """Answers to all questions about a tenant, in one session with a server of this arm."""
    return ask(batches_of(tenant), arm, questions(tenant), tenant=tenant)


@cache
def detailed(tenant: str, arm: Arm) -> dict[str, Reply]:
    """The same questions, answered in detail."""
    return ask(batches_of(tenant), arm, questions(tenant), tenant=tenant, response_format="detailed")


def ask(batches: list[Json], arm: Arm, questions: Iterable[Question], *, tenant: str, **more: str) -> dict[str, Reply]:
    """Each question is one call; only the question of what changed since needs the token of an earlier one."""
    api = Api(batches)

    async def run() -> dict[str, Reply]:
        async with Client(serve(api, arm)) as client:
            found = {}
            for question in questions:
                arguments = question.arguments | more
                if question.name == LATER:
                    arguments["since"] = token_in(await call(client, question.tool, {"since": "start"}))
                    api.load(batches_of(f"{tenant} {LATER}"))
                    arguments["fresh"] = True
                found[question.name] = await call(client, question.tool, arguments)
            return found

    return anyio.run(run)


def follow(tenant: str) -> list[tuple[Json, Reply]]:
    """Every next call that the answers about a tenant suggest, made as it stands, with its answer."""
    suggested = {
        compact(suggestion): suggestion
        for reply in replies(tenant, "both").values()
        for suggestion in (reply.content or {}).get("next", ())
    }

    async def run() -> list[tuple[Json, Reply]]:
        async with Client(serve(Api(batches_of(tenant)), "both")) as client:
            return [(one, await call(client, one["tool"], one.get("arguments", {}))) for one in suggested.values()]

    return anyio.run(run)


def serve(api: Api, arm: Arm) -> ReachServer:
    """The real server over an API in memory, at a fixed time."""
    settings = load_settings(api_url="http://reach.test", api_token="eval", answer_parts=arm, log_level="ERROR")
    return build_server(settings, transport=api.transport(), clock=lambda: NOW_SECONDS)


async def call(client: Client, tool: str, arguments: Json) -> Reply:
    result = await client.call_tool(tool, arguments)
    text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    return Reply(text, result.structured_content, bool(result.is_error))


def token_in(reply: Reply) -> str:
    """The `since` token of an answer: the one long word that only a token can be."""
    if reply.content and reply.content.get("since"):
        return str(reply.content["since"])
    words = reply.text.replace('"', " ").replace("`", " ").split()
    return max((word for word in words if word.isascii()), key=len, default="")
