"""Clients of others list and call the tools, and follow the next calls of one form alone to the end of a list."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests.helpers import EXPLAIN, GET, LIST
from tests.processes import COMMAND, ROOT, environment, start, wait_for_address

HERE = Path(__file__).parent
NODE = HERE.parent / "contract" / "node"
INSTALL = (
    "needs the clients of others: for n in '' -mcp1; do python3 -m venv .venv-clients$n && "
    ".venv-clients$n/bin/pip install -r tests/clients/requirements$n.txt; done; "
    "npm install --no-package-lock --prefix tests/contract/node"
)
PYTHON = ROOT / ".venv-clients" / "bin" / "python", HERE / "bridge.py"
PYTHON_MCP1 = ROOT / ".venv-clients-mcp1" / "bin" / "python", HERE / "bridge.py"
TYPESCRIPT = NODE / "node_modules" / ".bin" / "node", NODE / "bridge.mjs"
CLIENTS = {
    **dict.fromkeys(("fastmcp", "google_genai", "openai_agents", "pydantic_ai"), PYTHON),
    "langchain": PYTHON_MCP1,
    **dict.fromkeys(("sdk1", "sdk2"), TYPESCRIPT),
}
DEMO_BATCHES = 142

Forms = dict[str, Any]

pytestmark = pytest.mark.instrument


@dataclass
class Client:
    """A client in a process of its own, and the tools as it shows them to a model."""

    tools: dict[str, Any]
    stdin: IO[str]
    stdout: IO[str]

    def call(self, tool: str, arguments: dict[str, Any]) -> Forms:
        """The forms of the answer that the client hands on."""
        self.stdin.write(json.dumps({"tool": tool, "arguments": arguments}) + "\n")
        self.stdin.flush()
        answer: Forms = json.loads(self.stdout.readline())
        return {name: form for name, form in answer.items() if form}


@contextmanager
def connect(name: str, *target: str) -> Iterator[Client]:
    """Start a client on a command or a URL. Skips where it is not installed; `.ci/run` lets nothing be skipped."""
    program, bridge = CLIENTS[name]
    if not program.exists():
        pytest.skip(INSTALL)
    process = subprocess.Popen(
        [program, bridge, name, *target],
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            yield Client(json.loads(process.stdout.readline()), process.stdin, process.stdout)
            process.stdin.close()  # it ends its session
            process.wait(30)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def demo_url() -> Iterator[str]:
    with start("serve", "--demo", "--http", "--port", "0") as process:
        yield wait_for_address(process)[0]


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize("name", CLIENTS)
def test_client_calls_each_tool_and_pages_by_one_form_alone(name: str, transport: str, demo_url: str) -> None:
    with connect(name, *((*COMMAND, "--demo") if transport == "stdio" else (demo_url,))) as client:
        assert list(client.tools) == [LIST, GET, EXPLAIN]
        assert all(tool["properties"]["response_format"]["enum"] for tool in client.tools.values())
        forms = client.call(EXPLAIN, {"limit": 3}), client.call(GET, {"batch_id": "bat_txn_0921"})
        handed_on = {"structured"} if name == "pydantic_ai" else {"text", "structured"}
        assert forms[0].keys() == forms[1].keys() == handed_on
        for form in handed_on:
            ids = list(_page(client, READ[form], form))
            assert len(ids) == len(set(ids)) == DEMO_BATCHES


Page = tuple[list[str], list[dict[str, Any]]]


def _page(client: Client, read: Callable[[Any], Page], form: str) -> Iterator[str]:
    """The ids of all batches, by the next calls in one form."""
    arguments: dict[str, Any] | None = {"limit": 60}
    while arguments is not None:
        ids, calls = read(client.call(LIST, arguments)[form])
        yield from ids
        following = (call["arguments"] for call in calls if call["tool"] == LIST)
        arguments = next((one for one in following if one.keys() & {"cursor", "offset"}), None)


def _read_text(text: str) -> Page:
    rows = text[text.index("\nBatches") :]
    ids: list[str] = re.findall(r"^(bat_\w+)\b", rows, re.MULTILINE)
    return ids, [json.loads(call) for call in re.findall(r"^[^\n{]*: (\{\"tool\":.*\})$", rows, re.MULTILINE)]


def _read_structured(found: dict[str, Any]) -> Page:
    return [batch["id"] for batch in found["batches"]["items"]], found.get("next", [])


READ: dict[str, Callable[[Any], Page]] = {"text": _read_text, "structured": _read_structured}
