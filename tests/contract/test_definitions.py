"""The words and schemas that a model reads about each tool.

After a change that is meant, `python -m tests.contract.test_definitions` writes `reach_mcp/tools/schemas.json`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from mcp import Client
from pydantic import BaseModel

from reach_mcp.render.models import BatchDetailReport, BatchListReport, PendingReport
from reach_mcp.render.schema import output_schema
from reach_mcp.tools import SCHEMAS, TOOLS
from reach_mcp.tools.arguments import ToolArguments
from tests.helpers import api_of, serve

MAX_TOKENS = 1_400
"""o200k tokens of names, descriptions and input schemas of all tools."""

ACCEPTED_BY_HOSTS = {
    # Gemini, OpenAI's strict mode, Bedrock and VS Code all take these. None of them takes all of $ref, anyOf, oneOf,
    # allOf, not, null, additionalProperties, format, pattern, bounds and title.
    "inputSchema": {"type", "properties", "required", "items", "enum", "description", "default"},
    "outputSchema": {"type", "properties", "required", "items", "description"},
}
TYPES = {"object", "array", "string", "integer", "number", "boolean"}


REPORTS: dict[str, type[BaseModel]] = {
    "list_batches": BatchListReport,
    "get_batch": BatchDetailReport,
    "explain_pending_dependencies": PendingReport,
}


def build_schemas(tool: str) -> dict[str, dict[str, Any]]:
    """Both schemas of a tool from its models, as `schemas.json` has to hold them."""
    return {"input": input_schema(TOOLS[tool].arguments), "output": output_schema(REPORTS[tool])}


def input_schema(model: type[ToolArguments]) -> dict[str, Any]:
    """The published input schema: without titles, null and unions, which some hosts drop. Absence means null."""
    whole = model.model_json_schema(by_alias=True)
    properties = {name: _flat(field) for name, field in whole["properties"].items()}
    last = {"response_format": properties.pop("response_format")}
    required = {"required": whole["required"]} if "required" in whole else {}
    return {"properties": properties | last, **required, "type": "object"}


def _flat(field: dict[str, Any]) -> dict[str, Any]:
    present: dict[str, Any] = next((option for option in field.get("anyOf", []) if option != {"type": "null"}), {})
    dropped = ("anyOf", "title", "maxItems", "maxLength", "minimum", "maximum")
    flat = {name: value for name, value in (field | present).items() if name not in dropped}
    if "items" in flat:
        flat["items"] = _flat(flat["items"])
    return {name: value for name, value in flat.items() if name != "default" or value not in (None, [], False)}


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    """The tools as they go over the wire."""

    async def list_tools() -> list[dict[str, Any]]:
        async with Client(serve(api_of([]))) as client:
            found = (await client.list_tools()).model_dump(mode="json", by_alias=True, exclude_none=True)
        tools: list[dict[str, Any]] = found["tools"]
        return tools

    return anyio.run(list_tools)


@pytest.mark.parametrize("name", TOOLS)
def test_schemas_are_those_of_the_models(name: str) -> None:
    recorded = json.loads(SCHEMAS.read_text(encoding="utf-8"))

    assert recorded[name] == build_schemas(name), "meant? then: python -m tests.contract.test_definitions"


def test_definitions_cost_few_tokens(listed: list[dict[str, Any]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import bpe_openai
    encoding = bpe_openai.get_encoding("o200k_base")
    parts = [{part: tool[part] for part in ("name", "description", "inputSchema")} for tool in listed]

    assert sum(len(encoding.encode(json.dumps(part, separators=(",", ":")))) for part in parts) <= MAX_TOKENS


def test_schemas_have_no_keyword_that_hosts_refuse(listed: list[dict[str, Any]]) -> None:
    for tool in listed:
        for name, accepted in ACCEPTED_BY_HOSTS.items():
            schema = tool[name]
            keywords = list(_keywords(schema))
            assert {keyword for keyword, _ in keywords} <= accepted
            assert all(value in TYPES for keyword, value in keywords if keyword == "type")
            assert schema["type"] == "object"


def test_each_argument_has_one_plain_type_and_a_description(listed: list[dict[str, Any]]) -> None:
    arguments = [argument for tool in listed for argument in tool["inputSchema"]["properties"].values()]

    assert {argument["type"] for argument in arguments} <= {"string", "integer", "boolean", "array"}
    assert all(argument["description"] for argument in arguments)


def test_tools_say_that_they_only_read(listed: list[dict[str, Any]]) -> None:
    hints = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": True}

    assert [tool["annotations"] for tool in listed] == [{"title": tool["title"]} | hints for tool in listed]


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Keywords of a schema with their values: names of properties are none."""
    if isinstance(schema, dict):
        for name, part in schema.items():
            yield name, part
            for inner in part.values() if name == "properties" else [part]:
                yield from _keywords(inner)


def write_schemas() -> None:
    found = {name: build_schemas(name) for name in TOOLS}
    SCHEMAS.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
