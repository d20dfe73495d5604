"""The Inspector calls the server as a host does: over stdio and HTTP, in both protocol eras."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.contract.conftest import Node
from tests.contract.processes import REACH_MCP, Ended, run

TOOL_FAILED = 5
"""The Inspector's exit code for an unknown tool and for an answer that is an error."""

pytestmark = pytest.mark.instrument


@dataclass(frozen=True)
class Inspector:
    """The Inspector's command line, pointed at one server in one protocol era."""

    node: Node
    home: Path
    target: tuple[str, ...]
    era: str

    def ask(self, method: str, *arguments: str) -> Ended:
        how = ("--protocol-era", self.era, "--connect-timeout", "60000", "--format", "json", "--quiet")
        command = self.node.command("mcp-inspector", "--cli", *self.target, "--method", method, *arguments, *how)
        return run(command, env=self.node.environment() | {"HOME": str(self.home)})

    def result(self, method: str, *arguments: str) -> Any:
        ended = self.ask(method, *arguments)
        assert ended.code == 0, ended.out + ended.err
        return json.loads(ended.out)["result"]

    def call(self, tool: str, arguments: dict[str, Any]) -> Ended:
        return self.ask("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))


@pytest.fixture(params=["legacy", "modern"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["stdio", "http"])
def inspector(request: pytest.FixtureRequest, node: Node, era: str, tmp_path: Path) -> Inspector:
    """The Inspector with a home of its own: it leaves a catalog there."""
    if request.param == "stdio":
        return Inspector(node, tmp_path, (*REACH_MCP, "--demo"), era)
    url = request.getfixturevalue("demo_server")
    return Inspector(node, tmp_path, ("--server-url", url, "--transport", "http"), era)


def test_tools_are_portable(inspector: Inspector) -> None:
    """`--strict` fails on a schema that some host is known to trip over."""
    listed = inspector.result("tools/list", "--strict")

    assert [tool["name"] for tool in listed["tools"]] == ["list_batches", "get_batch", "explain_pending_dependencies"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_batches", {"scope": "all", "status": "failure"}),
        ("get_batch", {"batch_id": "bat_txn_0921"}),
        ("explain_pending_dependencies", {}),
    ],
)
def test_tool_answers_in_both_forms(inspector: Inspector, tool: str, arguments: dict[str, Any]) -> None:
    """Text for hosts that show text, structured content of the promised shape for those that show that."""
    ended = inspector.call(tool, arguments)

    assert ended.code == 0, ended.out + ended.err
    answer = json.loads(ended.out)["result"]
    assert not answer.get("isError")
    assert [part["type"] for part in answer["content"]] == ["text"]
    assert len(answer["content"][0]["text"].splitlines()) > 1
    schema = json.loads((Path(__file__).parent / "snapshots" / f"{tool}.json").read_text(encoding="utf-8"))
    jsonschema.validate(answer["structuredContent"], schema["outputSchema"])


def test_prompts_are_listed(inspector: Inspector) -> None:
    """The three prompts that a person can pick."""
    listed = inspector.result("prompts/list")

    assert {prompt["name"] for prompt in listed["prompts"]} == {
        "triage_stuck_batches",
        "explain_batch",
        "ingest_health_report",
    }


def test_mcp_resources_are_listed(inspector: Inspector) -> None:
    """The glossary by its address, and a batch by a template."""
    listed = inspector.result("resources/list")
    templates = inspector.result("resources/templates/list")

    assert [resource["uri"] for resource in listed["resources"]] == ["reach://glossary"]
    assert [template["uriTemplate"] for template in templates["resourceTemplates"]] == ["reach://batches/{batch_id}"]


def test_unknown_tool_is_refused(inspector: Inspector) -> None:
    """A name that was made up must not look like an answer."""
    ended = inspector.call("list_batch", {})

    assert ended.code == TOOL_FAILED
    assert "list_batch" in ended.err


def test_unknown_argument_is_refused_by_name(inspector: Inspector) -> None:
    """An argument that is ignored gives a right answer to a question that nobody asked."""
    ended = inspector.call("get_batch", {"batch_id": "bat_txn_0921", "tenant": "northwind"})

    assert ended.code == TOOL_FAILED
    answer = json.loads(ended.out)["result"]
    assert answer["isError"]
    assert "structuredContent" not in answer
    assert "'tenant'" in answer["content"][0]["text"]
    assert "tenant_id" in answer["content"][0]["text"]
