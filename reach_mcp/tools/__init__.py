"""The tools that a model can call.

Modules of a tool are imported at its first call, and its schemas are read from `schemas.json`, so that serving starts
fast: building the output models takes longer than everything else that is ours. A test compares the file with the
models; `python -m tests.contract.test_definitions` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_types import CallToolResult, Tool

    from reach_mcp.settings import Settings
    from reach_mcp.tools.arguments import ToolArguments
    from reach_mcp.tools.context import ToolContext

SCHEMAS = Path(__file__).with_name("schemas.json")


@cache
def read_schemas() -> dict[str, dict[str, dict[str, Any]]]:
    """Input and output schema of each tool by its name."""
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(SCHEMAS.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class ToolDefinition:
    """One tool: the words that a model reads, and the name of the model of its arguments."""

    name: str
    title: str
    description: str
    arguments_name: str

    @property
    def arguments(self) -> type[ToolArguments]:
        model: type[ToolArguments] = getattr(import_module("reach_mcp.tools.arguments"), self.arguments_name)
        return model

    def published(self, settings: Settings) -> Tool:
        """The definition as `tools/list` shows it. Without structured content there is no output schema."""
        from mcp_types import Tool, ToolAnnotations

        schemas = read_schemas()[self.name]
        return Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=schemas["input"],
            output_schema=None if settings.answer_parts == "text" else schemas["output"],
            annotations=ToolAnnotations(
                title=self.title,
                read_only_hint=True,
                destructive_hint=False,
                idempotent_hint=True,
                open_world_hint=not settings.demo,
            ),
        )

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
            "ListBatchesArguments",
        ),
        ToolDefinition(
            "get_batch",
            "Reach: one batch",
            "Reach batch by id: state, progress, errors grouped by category and message with example records, and its "
            "pending resources by missing dependency. For many batches use list_batches.",
            "GetBatchArguments",
        ),
        ToolDefinition(
            "explain_pending_dependencies",
            "Reach: explain pending dependencies",
            "Reach records that are pending, blocked, stuck or waiting: reads all batches and ranks each missing "
            "dependency (unresolved reference) by how many records wait for it, with cause (failed ingest, deleted, "
            "wrong id, expired, not seen) and action; cycles; what expires when; which records to resend; what to send "
            "first. For failures without pending records use list_batches.",
            "ExplainArguments",
        ),
    )
}
