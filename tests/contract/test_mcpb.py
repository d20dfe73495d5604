"""The bundle for Claude Desktop, by the tool that builds such bundles."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.contract.conftest import Node
from tests.processes import ROOT

pytestmark = pytest.mark.instrument


def test_the_bundle_contains_the_server(node: Node, tmp_path: Path) -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, names):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "tree" / name)
    packed = node.run("mcpb", "pack", str(tmp_path / "tree"), str(tmp_path / "embedreach-mcp.mcpb"))
    assert packed.returncode == 0, packed.stdout + packed.stderr
    with zipfile.ZipFile(tmp_path / "embedreach-mcp.mcpb") as archive:
        files = set(archive.namelist())
        manifest = json.loads(archive.read("manifest.json"))

    assert {"pyproject.toml", "README.md", "prompts/explain_batch.md", manifest["server"]["entry_point"]} <= files
    assert not [name for name in files if name.startswith(("tests/", ".github/", ".git/"))]
