"""What a model can call: a module per tool, named as the tool."""

from __future__ import annotations

from functools import partial
from typing import Any

from mcp.server.mcpserver.tools import Tool
from mcp_types import ToolAnnotations

from reach_mcp.api.client import BatchQuery, Deadline
from reach_mcp.tools.app import App
from reach_mcp.tools.explain_pending_dependencies import explain_pending_dependencies
from reach_mcp.tools.get_batch import get_batch
from reach_mcp.tools.list_batches import list_batches
from reach_mcp.tools.schemas import OUTPUT

__all__ = ["App", "build_tools", "recent_batch_ids"]

_TITLES = {
    list_batches: "Reach: list batches",
    get_batch: "Reach: one batch",
    explain_pending_dependencies: "Reach: explain pending dependencies",
}


def build_tools(app: App) -> list[Tool]:
    """The three tools, with flat input schemas that refuse unknown arguments."""
    return [_build_tool(app, function, title) for function, title in _TITLES.items()]


def _build_tool(app: App, function: Any, title: str) -> Tool:
    bound = partial(function, app)
    setattr(bound, "__name__", function.__name__)  # noqa: B010 - the SDK asks for it, and a partial has none
    tool = Tool.from_function(
        bound,
        name=function.__name__,
        title=title,
        description=function.__doc__,
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=not app.settings.demo
        ),
    )
    model = tool.fn_metadata.arg_model
    model.model_config = {**model.model_config, "extra": "forbid"}
    model.model_rebuild(force=True)
    tool.parameters = flatten(model.model_json_schema(by_alias=True))
    tool.fn_metadata.output_schema = OUTPUT[function.__name__]
    return tool


def flatten(schema: Any) -> Any:
    """A JSON schema without titles, references and null: hosts drop `anyOf` and `$ref`, and absent says null."""
    if isinstance(schema, list):
        return [flatten(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "anyOf" in schema:
        kept = next(option for option in schema["anyOf"] if option.get("type") != "null")
        schema = {**{name: value for name, value in schema.items() if name != "anyOf"}, **kept}
    found = {name: flatten(value) for name, value in schema.items() if name != "title" or isinstance(value, dict)}
    if found.get("default", 0) in (None, []):
        del found["default"]
    return found


async def recent_batch_ids(app: App, prefix: str) -> list[str]:
    """Ids of the newest batches that start so, for completion."""
    deadline = Deadline(min(5.0, app.settings.deadline))
    async with app.turns.take("", deadline):
        page = await app.client.list_batches(BatchQuery(limit=100), tenant=app.tenant(None), deadline=deadline)
    return [batch["batchId"] for batch in page.batches if batch["batchId"].startswith(prefix)]
