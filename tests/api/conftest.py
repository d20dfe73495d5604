"""Fixtures for tests of the Reach client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone."""
    return "asyncio"


@pytest.fixture(autouse=True)
def bare_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no CA bundle of the machine that runs the tests."""
    for name in NETWORK:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def without_waits() -> Iterator[None]:
    """Attempts follow each other at once; the client still decides how many there are."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield
