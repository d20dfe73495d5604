"""The official conformance suite against the server over HTTP, in both protocols.

`conformance-baseline.yml` has the scenarios that can't pass, each with its reason. `MUST_PASS` has those that must: a
scenario that checks nothing passes as well, and proves nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract.conftest import Node

BASELINE = Path(__file__).with_name("conformance-baseline.yml")
BOTH = {"completion-complete", "dns-rebinding-protection", "prompts-list", "resources-list", "tools-list"}
MUST_PASS = {
    "2025-11-25": BOTH | {"ping", "server-initialize"},
    "2026-07-28": BOTH
    | {"caching", "http-header-validation", "sep-2164-resource-not-found", "server-sse-multiple-streams"},
}

pytestmark = pytest.mark.instrument


@pytest.mark.parametrize("revision", MUST_PASS)
def test_the_server_conforms(node: Node, demo_server: str, revision: str, tmp_path: Path) -> None:
    options = ("--requirements", revision, "--expected-failures", str(BASELINE), "--output-dir", str(tmp_path))
    done = node.run("conformance", "server", "--url", demo_server, *options)
    passed = re.findall(r"^✓ ([\w-]+): (\d+) passed, 0 failed", done.stdout, re.MULTILINE)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert {name for name, checks in passed if int(checks)} >= MUST_PASS[revision]
