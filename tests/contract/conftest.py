"""Node's tools, and a server over HTTP for them to talk to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import ROOT, environment, start, wait_for_address

NODE_MODULES = Path(__file__).with_name("node") / "node_modules"
INSTALL = "needs Node's tools: npm install --no-package-lock --prefix tests/contract/node"
NEEDED = ("node", "conformance", "mcp-inspector", "mcpb")


@dataclass(frozen=True)
class Node:
    """The tools that npm installs, with a Node of their own: the system's may be too old."""

    commands: Path

    def run(self, name: str, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a tool to its end."""
        path = f"{self.commands}{os.pathsep}{os.environ.get('PATH', '')}"
        env = environment(PATH=path, NO_COLOR="1", FORCE_COLOR="0") | ({"HOME": str(home)} if home else {})
        command = [str(self.commands / name), *arguments]
        return subprocess.run(
            command,
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="session")
def node() -> Node:
    """Skips the test where the tools are not installed. `.ci/run` installs them and lets nothing be skipped."""
    commands = NODE_MODULES / ".bin"
    if not all((commands / name).exists() for name in NEEDED):
        pytest.skip(INSTALL)
    return Node(commands.resolve())


@pytest.fixture(scope="session")
def demo_server() -> Iterator[str]:
    """The URL of an MCP server over HTTP with the demo tenant."""
    with start("serve", "--demo", "--http", "--port", "0") as process:
        yield wait_for_address(process)[0]
