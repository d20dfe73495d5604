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

from reach_mcp.tools import SCHEMAS, TOOLS
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

    assert recorded[name] == TOOLS[name].build_schemas(), "meant? then: python -m tests.contract.test_definitions"


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
    found = {name: tool.build_schemas() for name, tool in TOOLS.items()}
    SCHEMAS.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
