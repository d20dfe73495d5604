"""`explain_pending_dependencies`: what waits, which missing records hold it up, why, and what to send."""

from __future__ import annotations

from dataclasses import replace

from reach_mcp.analysis.report import Question, explain
from reach_mcp.analysis.stop import Checkpoint
from reach_mcp.analysis.tokens import TokenBinding, read_token
from reach_mcp.api.auth import token_tenant
from reach_mcp.render.options import Rendered
from reach_mcp.render.pending_report import render_explanation
from reach_mcp.tools.answers import render_options
from reach_mcp.tools.arguments import ExplainArguments
from reach_mcp.tools.batch_filter import build_filter
from reach_mcp.tools.context import Call
from reach_mcp.tools.snapshot import read_snapshot


async def explain_pending_dependencies(call: Call, arguments: ExplainArguments) -> Rendered:
    """Fetch, analyse, render."""
    question = Question(
        view=arguments.view,
        order=arguments.order,
        cause=arguments.cause,
        limit=arguments.limit,
        offset=arguments.offset,
        filter=build_filter(arguments, call.context.clock()),
        focus=arguments.focus or "",
        assume_arrived=tuple(arguments.assume_arrived),
        since=arguments.since or "",
    )
    # A token belongs to the tenant, and to the key that the replicas share where one is set.
    key, tenant = call.context.settings.token_key, call.tenant or token_tenant(call.client.credential.token())
    binding = TokenBinding(tenant=tenant, key=b"" if key is None else key.get_secret_value().encode())
    if question.token:  # a wrong one is refused before anything is read
        read_token(question.token, binding, question.filter.bound_text)
    kept = await read_snapshot(call, fresh=arguments.fresh)
    question = replace(question, filter=build_filter(arguments, kept.analysis.as_of))
    options = render_options(call, arguments, age_seconds=kept.age_seconds)

    def work(checkpoint: Checkpoint) -> Rendered:
        return render_explanation(explain(kept.analysis, question, binding=binding, checkpoint=checkpoint), options)

    return await call.analyse(work, kept.lock)
