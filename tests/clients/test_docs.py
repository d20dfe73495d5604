"""Each snippet of docs/agents.md runs as it stands, against the demo over HTTP."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.test_clients import INSTALL, NODE, PYTHON, PYTHON_MCP1, TYPESCRIPT
from tests.processes import ROOT, environment, start, wait_for_address

TOKEN = "a-token-of-the-tests"
SNIPPETS = {
    name: (language, code)
    for name, language, code in re.findall(
        r"<!-- snippet: ([\w-]+) -->\n```(\w+)\n(.*?)\n```",
        (ROOT / "docs" / "agents.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
}
FIVE_STEPS = r"^(?:\d{4}-\d\d-\d\dT\d\d:\d\dZ [^\n]+ \w+:\w+\n){5}"
SAYS = {
    "langchain": "partial_success",
    "mcp": FIVE_STEPS + r"(?:Within the hour: \w+:\w+ [^\n]+\n){2,6}\Z",
    "openai-agents": "Triage .*explain_pending_dependencies",
    "pydantic-ai": "1 batch matches: 1 failure",
    "typescript": FIVE_STEPS,
}
"""What each snippet prints, as a regular expression."""

pytestmark = pytest.mark.instrument


@pytest.fixture(scope="module")
def demo_url() -> Iterator[str]:
    with start("serve", "--demo", "--http", "--port", "0", REACH_MCP_AUTH_TOKEN=TOKEN) as process:
        yield wait_for_address(process)[0]


@pytest.mark.parametrize("name", sorted(SAYS.keys() | SNIPPETS))
def test_a_snippet_runs_as_it_stands(name: str, demo_url: str, tmp_path: Path) -> None:
    language, code = SNIPPETS[name]
    program = TYPESCRIPT[0] if language == "typescript" else (PYTHON_MCP1 if name == "langchain" else PYTHON)[0]
    if not program.exists():
        pytest.skip(INSTALL)
    file = tmp_path / ("snippet.mts" if language == "typescript" else "snippet.py")
    file.write_text(code, encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
    settings = environment(MCP_URL=demo_url, REACH_MCP_AUTH_TOKEN=TOKEN)
    result = subprocess.run(
        [program, file],
        env=settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert re.search(SAYS[name], result.stdout, re.MULTILINE), result.stdout
