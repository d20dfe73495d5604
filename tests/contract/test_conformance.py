"""The official conformance suite against the server over HTTP, in both protocol eras.

What can't pass stands in `conformance-baseline.yml`, each with its reason. What must pass stands here: a scenario that
checks nothing passes as well, and proves nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract.conftest import Node
from tests.contract.processes import Ended

BASELINE = Path(__file__).with_name("conformance-baseline.yml")
MUST_PASS = {
    "2025-11-25": {
        "completion-complete",
        "dns-rebinding-protection",
        "ping",
        "prompts-list",
        "resources-list",
        "server-initialize",
        "tools-list",
    },
    "2026-07-28": {
        "caching",
        "completion-complete",
        "dns-rebinding-protection",
        "http-header-validation",
        "prompts-list",
        "resources-list",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
        "tools-list",
    },
}

pytestmark = pytest.mark.instrument


@pytest.mark.parametrize("revision", MUST_PASS)
def test_server_conforms(node: Node, demo_server: str, revision: str, tmp_path: Path) -> None:
    """No scenario fails but those of the baseline, none of these passes, and what applies has really been checked."""
    ended = _run_suite(node, demo_server, revision, tmp_path)
    print(_total(ended.out), "in", revision)

    assert ended.code == 0, ended.out[-6000:] + ended.err[-2000:]
    assert MUST_PASS[revision] <= _checked_and_passed(ended.out)


def _run_suite(node: Node, url: str, revision: str, results: Path) -> Ended:
    return node.run(
        "conformance",
        "server",
        *("--url", url),
        *("--requirements", revision),
        *("--expected-failures", str(BASELINE)),
        *("--output-dir", str(results)),
        seconds=300,
    )


def _checked_and_passed(report: str) -> set[str]:
    """Scenarios with at least one check that passed and none that failed."""
    return {
        name for name, passed in re.findall(r"^✓ ([\w-]+): (\d+) passed, 0 failed", report, re.MULTILINE) if int(passed)
    }


def _total(report: str) -> str:
    found = re.search(r"^Total: .*$", report, re.MULTILINE)
    return found[0] if found else "no total"
