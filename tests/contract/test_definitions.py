"""What a model is told about each tool is a contract: a change shows here, and CHANGELOG.md owns up to it.

After a change that is meant, `python -m tests.contract.test_definitions` writes the snapshots anew and says which line
CHANGELOG.md has to bear.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from reach_mcp.server import build_server
from reach_mcp.settings import load_settings
from tests.contract.processes import ROOT
from tests.contract.tokens import count_tokens

SNAPSHOTS = Path(__file__).with_name("snapshots")
TOOLS = ("list_batches", "get_batch", "explain_pending_dependencies")
MOST_FOR_CALLING = 1200
"""o200k tokens of the three names, descriptions and input schemas."""

MOST_FOR_LISTING = 2500
"""o200k tokens of the whole answer to `tools/list`."""


@pytest.fixture
def listing() -> Any:
    """The answer to `tools/list` as it goes over the wire, and nothing of the demo in it."""
    return anyio.run(_list_tools)


def test_there_are_three_tools_in_a_fixed_order(listing: Any) -> None:
    """Hosts cache what stands before the first change: an order that moved would cost their users each time."""
    assert [tool["name"] for tool in listing["tools"]] == list(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
def test_definition_is_as_it_was_recorded(listing: Any, name: str) -> None:
    """Name, title, description, annotations and both schemas: what a model has learnt stays true."""
    recorded = json.loads(_snapshot(name).read_text(encoding="utf-8"))

    assert _definition(listing, name) == recorded, "meant? then: python -m tests.contract.test_definitions"


def test_changelog_names_the_contract(listing: Any) -> None:
    """Definitions can't change without a word to those who built upon them."""
    unreleased = _newest_section((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))

    assert f"Contract: {_contract(listing)}" in unreleased


@pytest.mark.parametrize("name", TOOLS)
def test_input_schema_is_flat_and_closed(listing: Any, name: str) -> None:
    """Some hosts drop references and unions without a word; an unknown argument is refused, not lost."""
    schema = _definition(listing, name)["inputSchema"]

    assert _unportable(schema) == []
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", TOOLS)
def test_every_argument_has_one_plain_type(listing: Any, name: str) -> None:
    """A model, a form and a command line all read an argument off its type."""
    arguments = _definition(listing, name)["inputSchema"]["properties"]

    assert {schema["type"] for schema in arguments.values()} <= {"string", "integer", "boolean", "array"}


@pytest.mark.parametrize("name", TOOLS)
def test_tool_says_that_it_only_reads(listing: Any, name: str) -> None:
    """Hosts ask their user before every call that does not; directories demand title and hint."""
    definition = _definition(listing, name)

    assert len(name) <= 64
    assert 0 < len(definition["title"]) <= 64
    assert definition["annotations"] == {
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": True,
    }


def test_definitions_keep_to_their_budget(listing: Any) -> None:
    """Every conversation pays for them, whether or not it asks about a batch."""
    called = [{part: tool[part] for part in ("name", "description", "inputSchema")} for tool in listing["tools"]]
    calling = sum(count_tokens(_compact(tool)) for tool in called)
    whole = count_tokens(_compact(listing))
    print(f"tool definitions: {calling} tokens for calling, {whole} for the whole tools/list")

    assert calling <= MOST_FOR_CALLING
    assert whole <= MOST_FOR_LISTING


async def _list_tools() -> Any:
    async with Client(build_server(load_settings(demo=False))) as client:
        listed = await client.list_tools()
    return listed.model_dump(mode="json", by_alias=True, exclude_none=True)


def _definition(listing: Any, name: str) -> Any:
    return next(tool for tool in listing["tools"] if tool["name"] == name)


def _snapshot(name: str) -> Path:
    return SNAPSHOTS / f"{name}.json"


def _contract(listing: Any) -> str:
    """Eight hex digits that stand for all definitions."""
    return hashlib.sha256(json.dumps(listing["tools"], sort_keys=True).encode()).hexdigest()[:8]


def _newest_section(changelog: str) -> str:
    """The text under the first heading of the second level: what is not yet released, or what was released last."""
    return re.split(r"^## ", changelog, flags=re.MULTILINE)[1]


def _unportable(schema: Any, path: str = "") -> list[str]:
    """Where a schema uses what hosts are known to drop, or says null."""
    return list(_find_unportable(schema, path))


def _find_unportable(schema: Any, path: str) -> Iterator[str]:
    if schema is None or schema == "null":
        yield path
    elif isinstance(schema, list):
        for place, item in enumerate(schema):
            yield from _find_unportable(item, f"{path}/{place}")
    elif isinstance(schema, dict):
        for name, part in schema.items():
            if name in ("$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf", "not"):
                yield f"{path}/{name}"
            yield from _find_unportable(part, f"{path}/{name}")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_snapshots() -> None:
    """Record the definitions as they are now."""
    listing = anyio.run(_list_tools)
    SNAPSHOTS.mkdir(exist_ok=True)
    for name in TOOLS:
        text = json.dumps(_definition(listing, name), indent=2, ensure_ascii=False)
        _snapshot(name).write_text(text + "\n", encoding="utf-8")
    print(f"CHANGELOG.md, under the newest heading: Contract: {_contract(listing)}")


if __name__ == "__main__":
    write_snapshots()
