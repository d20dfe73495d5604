"""The server that misbehaves, started once, and a site of its own on it for each test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.certificates import write_certificates
from tests.faults.site import Site

ROOT = Path(__file__).parents[2]


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """The server in a process of its own, which ends with the block."""
    authority, certificate = write_certificates(folder)
    command = [sys.executable, "-m", "tests.faults.server", str(certificate)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Site(json.loads(process.stdout.readline()), authority)
        process.stdin.close()  # the server ends with its stdin, whatever became of us
        assert process.wait(10) == 0


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("certificates")) as served:
        yield served


@pytest.fixture
def site(_server: Site) -> Site:
    """A fresh site, once no connection of an earlier test is left."""
    assert _server.open_connections() == []
    return Site(_server.ports, _server.authority)


@pytest.fixture(autouse=True)
def _alone(bare_network: None) -> None:
    """What a test needs of proxies and certificates it sets itself."""
