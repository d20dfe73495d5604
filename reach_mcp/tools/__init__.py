"""The tools that a model can call. Each module of a tool is imported at its first call, so that serving starts fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from reach_mcp.tools.arguments import (
    ExplainArguments,
    GetBatchArguments,
    ListBatchesArguments,
    ToolArguments,
    input_schema,
)

if TYPE_CHECKING:
    from mcp_types import CallToolResult, Tool

    from reach_mcp.settings import Settings
    from reach_mcp.tools.context import ToolContext


@dataclass(frozen=True)
class ToolDefinition:
    """One tool: the words that a model reads, and its arguments. `report` names its output model."""

    name: str
    title: str
    description: str
    arguments: type[ToolArguments]
    report: str

    def published(self, settings: Settings) -> Tool:
        """The definition as `tools/list` shows it."""
        from mcp_types import Tool, ToolAnnotations

        return Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=input_schema(self.arguments),
            output_schema=None if settings.answer_parts == "text" else self.output_schema(),
            annotations=ToolAnnotations(
                title=self.title,
                read_only_hint=True,
                destructive_hint=False,
                idempotent_hint=True,
                open_world_hint=not settings.demo,
            ),
        )

    def output_schema(self) -> dict[str, object]:
        """The schema of structured content."""
        from reach_mcp.render import models
        from reach_mcp.render.schema import output_schema

        return output_schema(getattr(models, self.report))

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> CallToolResult:
        """Run one call. Every expected failure is an error result."""
        from reach_mcp.tools.answers import run_call

        work = getattr(import_module(f"reach_mcp.tools.{self.name}"), self.name)
        return await run_call(context, self.name, self.arguments, arguments, work)


TOOLS = {
    tool.name: tool
    for tool in (
        ToolDefinition(
            "list_batches",
            "Reach: list batches",
            "Reach batch jobs: counts by status, type and schema, error categories, the batches with most pending or "
            "failed records, then a table. Shows failed ingest, partial_success, processing and latest batches. "
            "For one batch use get_batch; for why records wait use explain_pending_dependencies.",
            ListBatchesArguments,
            "BatchListReport",
        ),
        ToolDefinition(
            "get_batch",
            "Reach: one batch",
            "Reach batch by id: state, progress, errors grouped by category and message with example records, and its "
            "pending resources by missing dependency. For many batches use list_batches.",
            GetBatchArguments,
            "BatchDetailReport",
        ),
        ToolDefinition(
            "explain_pending_dependencies",
            "Reach: explain pending dependencies",
            "Reach records that are pending, blocked, stuck or waiting: reads all batches and ranks each missing "
            "dependency (unresolved reference) by how many records wait for it, with cause (failed ingest, deleted, "
            "wrong id, expired, not seen) and action; cycles; what expires when; which records to resend; what to send "
            "first. For failures without pending records use list_batches.",
            ExplainArguments,
            "PendingReport",
        ),
    )
}
