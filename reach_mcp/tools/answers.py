"""Runs one call and turns its outcome into a result: an answer in the forms that are wanted, or an error in text."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anyio
from mcp_types import CallToolResult, TextContent

from reach_mcp.analysis.errors import QuestionError
from reach_mcp.analysis.stop import AnalysisStopped
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import InvalidArgument, ReachError, TimedOut
from reach_mcp.render.errors import render_error
from reach_mcp.render.options import Rendered, RenderOptions
from reach_mcp.settings import ConfigurationError
from reach_mcp.tools.argument_reader import read_arguments
from reach_mcp.tools.arguments import ToolArguments
from reach_mcp.tools.context import CALLER, Call, ToolContext

A = TypeVar("A", bound=ToolArguments)

DETAILED_FACTOR = 3
"""A detailed answer may be this many times as long as a concise one."""

PASSING = ("no_connection", "rate_limited", "server_failed", "stalled", "timed_out")
"""Kinds of errors that may pass by themselves."""

ASK_AGAIN_SECONDS = 60.0
"""The wait for these where neither Reach nor we know a better one."""

OVERTIME_SECONDS = 2.0
"""Seconds after its deadline at which a call is cut, whatever it waits for. Before, it ends by itself with a part."""


async def run_call(
    context: ToolContext,
    tool: str,
    model: type[A],
    raw: Mapping[str, object],
    work: Callable[[Call, A], Awaitable[Rendered]],
) -> CallToolResult:
    """Run one call within its deadline and log it."""
    call = Call(context, Deadline(context.settings.deadline, CALLER.get().name))
    outcome, kind = "cancelled", ""
    try:
        rendered = await _answer(call, model, raw, work)
        outcome = "ok"
        return _result(call, rendered)
    except (ReachError, ConfigurationError) as error:
        outcome, kind = "error", error.kind
        return _error_result(call, error)
    except Exception:
        outcome = "crash"
        raise
    finally:
        call.finish(tool, outcome, kind, raw)


async def _answer(
    call: Call, model: type[A], raw: Mapping[str, object], work: Callable[[Call, A], Awaitable[Rendered]]
) -> Rendered:
    """Read the arguments, wait for a slot, do the work. Raises ReachError or ConfigurationError.

    Identical calls of a caller at the same time get one answer, where reading it is one request. Those of others go
    their own way: a caller's queue and its stalls are its own.
    """
    arguments, notes = read_arguments(model, raw)
    call.notes.extend(notes)
    call.resolve_tenant(getattr(arguments, "tenant_id", None))

    async def run() -> tuple[Call, Rendered]:
        async with call.context.limiter.slot(CALLER.get().name, call.deadline) as call.threads:
            return call, await work(call, arguments)

    try:
        with anyio.fail_after(call.deadline.left() + OVERTIME_SECONDS):
            if not arguments.one_request:
                return (await run())[1]
            key = (CALLER.get().name, call.client.credential.token(), call.tenant, arguments, *call.notes)
            first, rendered = await call.context.runs.join(key, run)
            call.take_over(first)
            return rendered
    except TimeoutError as error:
        raise TimedOut(
            f"The call did not end within the deadline of {call.context.settings.deadline:g} s.",
            advice="Try again later.",
        ) from error
    except QuestionError as error:
        raise InvalidArgument(error.message, advice=error.advice) from error
    except AnalysisStopped as error:
        raise TimedOut(
            f"The analysis did not finish within the deadline of {call.context.settings.deadline:g} s.",
            advice="Raise REACH_MCP_DEADLINE, or ask for one view or a shorter period.",
        ) from error


def render_options(call: Call, arguments: ToolArguments, *, age_seconds: float = 0.0) -> RenderOptions:
    """How the answer to these arguments is written."""
    settings = call.context.settings
    notes = sum(len(json.dumps(note)) + 4 for note in call.notes)
    limit = settings.answer_bytes * (DETAILED_FACTOR if arguments.detailed else 1)
    return RenderOptions(
        limit_bytes=limit - notes - (14 if notes else 0),
        detailed=arguments.detailed,
        parts=settings.answer_parts,
        delimiter=call.context.draw_delimiter(),
        tenant=call.tenant,
        age_seconds=max(0, int(age_seconds)),
        arguments=arguments.given(),
    )


def _result(call: Call, rendered: Rendered) -> CallToolResult:
    redact, structured = call.redact, rendered.structured
    text = "\n".join([rendered.text.rstrip("\n"), *call.notes])
    if structured is not None:
        if call.notes:
            structured = {**structured, "notes": [*structured.get("notes", ()), *call.notes]}  # type: ignore[misc]  # a list
        whole = json.dumps(structured, ensure_ascii=False, separators=(",", ":"))
        if (redacted := redact(whole)) != whole:
            whole, structured = redacted, json.loads(redacted)
        call.answer_bytes = len(whole.encode())
        text = whole if call.context.settings.answer_parts == "structured" else text
    text = redact(text)
    call.answer_bytes += len(text.encode())
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=structured,
        _meta={"reach/cost": call.cost()},
    )


def _error_result(call: Call, error: ReachError | ConfigurationError) -> CallToolResult:
    """Text alone: hosts check structured content of errors against the schema of answers."""
    context = call.context
    meta: dict[str, Any] = {"reach/error": error.kind, "reach/cost": call.cost()}
    shown = error if isinstance(error, ReachError) else ReachError(str(error), advice=" ")
    wait = ASK_AGAIN_SECONDS if shown.retry_after is None and error.kind in PASSING else shown.retry_after
    if wait is not None:
        meta["reach/retry_after"] = round(wait)
    if not context.settings.error_messages:
        shown.quotes = []
    text = call.redact(render_error(shown, context.draw_delimiter()))
    call.answer_bytes = len(text.encode())
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True, _meta=meta)
