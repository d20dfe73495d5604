"""What the contract tests share: the Node instruments, and servers that run in processes of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.processes import REACH_MCP, Ended, environment, run, serving

OPENAPI = Path(__file__).with_name("reach-api.yaml")
NODE_MODULES = Path(__file__).with_name("node") / "node_modules"
TO_INSTALL = "needs Node's instruments: npm install --no-package-lock --prefix tests/contract/node"


@dataclass(frozen=True)
class Node:
    """The instruments that npm brings, and the Node that they run on: the system's may be too old for them."""

    commands: Path

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.commands / name), *arguments]

    def environment(self) -> dict[str, str]:
        path = f"{self.commands}{os.pathsep}{os.environ.get('PATH', '')}"
        return environment(PATH=path, NO_COLOR="1", FORCE_COLOR="0")

    def run(self, name: str, *arguments: str, seconds: float = 120) -> Ended:
        """Run an instrument to its end."""
        return run(self.command(name, *arguments), env=self.environment(), seconds=seconds)


@pytest.fixture(scope="session")
def node() -> Node:
    """The Node instruments; a test that needs them is skipped where they are not installed."""
    commands = Path(os.environ.get("REACH_MCP_NODE_MODULES") or NODE_MODULES) / ".bin"
    needed = ("node", "prism", "conformance", "mcp-inspector", "mcpb")
    if not all((commands / name).exists() for name in needed):
        # On a plain machine, where README's test command has to pass; .ci/run installs them and lets nothing skip.
        pytest.skip(TO_INSTALL)
    return Node(commands.resolve())


@pytest.fixture(scope="session")
def prism(node: Node) -> Iterator[str]:
    """The base URL of Prism, which serves the OpenAPI file over real HTTP."""
    command = node.command("prism", "mock", "--host", "127.0.0.1", "--port", "0", str(OPENAPI))
    with serving(command, ready=r"listening on (http://127\.0\.0\.1:\d+)", env=node.environment()) as url:
        yield url


@pytest.fixture(scope="session")
def demo_server() -> Iterator[str]:
    """The URL of an MCP server over HTTP, with the demo API inside."""
    command = [*REACH_MCP, "--demo", "serve", "--http", "--port", "0"]
    with serving(command, ready=r"listening on (http://127\.0\.0\.1:\d+/mcp)", env=environment()) as url:
        yield url
