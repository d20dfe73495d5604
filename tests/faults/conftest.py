"""The server that misbehaves, started once, and a site of its own on it for each test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stamina

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
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def without_waits() -> Iterator[None]:
    """Tries follow one another at once; how many there may be is still the client's to say."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone."""
    return "asyncio"
