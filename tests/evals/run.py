"""Asking the questions: the real server, one call after the other, and what would change anything turned down."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import anyio
import httpx
from mcp import MCPError

from reach_mcp.server import StrictServer
from tests.builders import page
from tests.evals.grade import Call, Problem, Question, grade
from tests.evals.tenants import start
from tests.tools.harness import Reply, answer_page, ask, refused, serve


@cache
def _server(tenant: str) -> StrictServer:
    return start(tenant)


def answer(question: Question) -> Reply:
    """The answer to a question: that of its last call."""
    return anyio.run(_answer, question)


async def _answer(question: Question) -> Reply:
    reply: Reply | None = None
    for call in question.calls:
        server, given = _server(call.tenant or question.tenant), call.given(reply)
        if question.refused:
            reply = Reply(call.tool, await refused(server, call.tool, **given), {}, {})
        else:
            reply = await ask(server, call.tool, **given)
            reply.check()
    assert reply is not None, "a question has at least one call"
    return reply


def evaluate(question: Question) -> tuple[Reply, list[Problem]]:
    """The answer to a question, and all that is wrong with it."""
    reply = answer(question)
    return reply, [*grade(question, reply), *anyio.run(_able, question)]


async def _able(question: Question) -> list[Problem]:
    """What the server offers, or does, that it must not."""
    definitions = [
        (tool.name, sorted(tool.input_schema["properties"])) for tool in await _server(question.tenant).list_tools()
    ]
    accepted = [problem async for problem in _attempted(question.attempts)]
    return [*offered(question, definitions), *accepted]


def offered(question: Question, definitions: list[tuple[str, list[str]]]) -> Iterator[Problem]:
    """Tools and arguments whose names promise what is forbidden."""
    for tool, arguments in definitions:
        for name in (tool, *arguments):
            if any(word in name for word in question.forbidden) and name not in ALLOWED:
                yield f"{tool} offers {name}"


ALLOWED = frozenset({"tenant_id", "created_after", "created_before", "include_pending_details"})
"""Arguments that only read, though a forbidden word stands in some of them (`create`)."""


async def _attempted(attempts: tuple[Call, ...]) -> Any:
    for call in attempts:
        sent: list[httpx.Request] = []

        def reach(request: httpx.Request, sent: list[httpx.Request] = sent) -> httpx.Response:
            sent.append(request)
            return answer_page(page())

        try:
            await refused(serve(handler=reach), call.tool, **call.given(None))
        except MCPError:
            pass  # there is no such tool
        except AssertionError:
            yield f"{call.tool}({call.given(None)}) is accepted"
        if sent:
            yield f"{call.tool}({call.given(None)}) reached Reach"
