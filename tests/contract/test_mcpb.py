"""The bundle that a desktop host installs, by the tool that builds such bundles."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.contract.conftest import Node
from tests.contract.processes import ROOT

pytestmark = pytest.mark.instrument

LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "node_modules", "dist", "build", "*.egg-info", "*.mcpb", "tests", "benchmarks", "uv.lock"
)
NEEDED = ("manifest.json", "pyproject.toml", "README.md", "reach_mcp/__main__.py", "prompts/explain_batch.md")


@pytest.fixture
def bundle(node: Node, tmp_path: Path) -> Path:
    """A bundle packed from a copy of the tree, so that what lies about in the checkout stays out of it."""
    shutil.copytree(ROOT, tmp_path / "tree", ignore=LEFT_OUT)
    packed = node.run("mcpb", "pack", str(tmp_path / "tree"), str(tmp_path / "reach-mcp.mcpb"))
    assert packed.code == 0, packed.out + packed.err
    return tmp_path / "reach-mcp.mcpb"


def test_manifest_is_valid(node: Node) -> None:
    """A host refuses to install a bundle whose manifest is not."""
    ended = node.run("mcpb", "validate", str(ROOT / "manifest.json"))

    assert ended.code == 0, ended.out + ended.err


def test_bundle_holds_what_the_server_needs(bundle: Path) -> None:
    """Package and prompts at their places, as the checkout has them."""
    with zipfile.ZipFile(bundle) as archive:
        names = set(archive.namelist())

    assert set(NEEDED) <= names
    assert [name for name in names if name.endswith((".pyc", ".env"))] == []


def test_bundle_tells_what_it_is(node: Node, bundle: Path) -> None:
    """`mcpb info` reads the bundle back, as a host would before it asks its user."""
    ended = node.run("mcpb", "info", str(bundle))

    assert ended.code == 0, ended.out + ended.err
    assert bundle.name in ended.out


def test_entry_point_of_the_manifest_is_in_the_bundle(bundle: Path) -> None:
    """The host starts what the manifest names."""
    manifest = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))

    with zipfile.ZipFile(bundle) as archive:
        assert manifest["server"]["entry_point"] in archive.namelist()
