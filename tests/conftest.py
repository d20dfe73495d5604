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
