"""The Inspector calls the server as a host does: over stdio and HTTP, in both protocols."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.contract.conftest import Node
from tests.processes import COMMAND

TOOL_FAILED = 5
"""The Inspector's exit code for an unknown tool and for an error result."""

pytestmark = pytest.mark.instrument


@dataclass(frozen=True)
class Inspector:
    """The Inspector's command line for one server in one protocol."""

    node: Node
    home: Path
    target: tuple[str, ...]
    era: str

    def ask(self, method: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = ("--protocol-era", self.era, "--connect-timeout", "60000", "--format", "json", "--quiet")
        call = ("--cli", *self.target, "--method", method, *arguments, *options)
        return self.node.run("mcp-inspector", *call, home=self.home)

    def result(self, method: str, *arguments: str) -> Any:
        done = self.ask(method, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["result"]

    def call(self, tool: str, arguments: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        return self.ask("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))


@pytest.fixture(params=["stdio legacy", "stdio modern", "http legacy", "http modern"])
def inspector(request: pytest.FixtureRequest, node: Node, tmp_path: Path) -> Inspector:
    transport, era = request.param.split()
    if transport == "stdio":
        return Inspector(node, tmp_path, (*COMMAND, "--demo"), era)
    url = request.getfixturevalue("demo_server")
    return Inspector(node, tmp_path, ("--server-url", url, "--transport", "http"), era)


def test_tools_are_portable_and_answer_in_both_forms(inspector: Inspector) -> None:
    """`--strict` fails on a schema that some host is known to refuse."""
    tools = {tool["name"]: tool for tool in inspector.result("tools/list", "--strict")["tools"]}

    assert list(tools) == ["list_batches", "get_batch", "explain_pending_dependencies"]
    for tool, arguments in (("get_batch", {"batch_id": "bat_txn_0921"}), ("explain_pending_dependencies", {})):
        done = inspector.call(tool, arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        answer = json.loads(done.stdout)["result"]
        assert len(answer["content"][0]["text"].splitlines()) > 1
        jsonschema.validate(answer["structuredContent"], tools[tool]["outputSchema"])


def test_prompts_and_mcp_resources_are_listed(inspector: Inspector) -> None:
    prompts = inspector.result("prompts/list")["prompts"]
    templates = inspector.result("resources/templates/list")["resourceTemplates"]

    assert {prompt["name"] for prompt in prompts} > {"customer_message", "explain_batch"}
    assert [template["uriTemplate"] for template in templates] == ["reach://batches/{batch_id}"]


def test_an_unknown_tool_or_batch_is_an_error(inspector: Inspector) -> None:
    assert inspector.call("list_batch", {}).returncode == TOOL_FAILED
    done = inspector.call("get_batch", {"batch_id": "nosuch"})

    assert done.returncode == TOOL_FAILED
    assert json.loads(done.stdout)["result"]["isError"]
