"""What all tests share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import stamina.instrumentation
from sse_starlette.sse import AppStatus

from reach_mcp.settings import Settings, load_settings


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a real credential in the environment: none of it reaches a test."""
    for name in os.environ:
        if name.startswith("REACH_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _streams_that_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """sse-starlette notes for the whole process that some uvicorn in it was told to exit: later streams would end."""
    monkeypatch.setattr(AppStatus, "should_exit", False)


NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture
def bare_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no CA bundle of the machine that runs the tests."""
    for name in NETWORK:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def without_waits() -> Iterator[None]:
    """Tries follow one another at once; how many there may be is still the client's to say."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """For tests that configure logging: the root logger is one for the whole process."""
    root, ours = logging.getLogger(), logging.getLogger("reach_mcp")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture
def demo_settings() -> Settings:
    """Settings for the embedded demo API, tenant northwind."""
    return load_settings(demo=True)
