"""Hypothesis profiles, and fixtures that all tests share.

Profiles: `ci` (derandomised, few examples) by default, `nightly` (random, many) on request.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci", derandomize=True, max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("nightly", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background ignores SIGINT, and the processes that tests start would do so too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
def restored_logging() -> Iterator[None]:
    """Undo what a test configures: loggers are one for the whole process, and the command line sets their level."""
    names = ("", "reach_mcp", "httpx", "mcp", "uvicorn", "asyncio", "stamina")
    loggers = [logging.getLogger(name) for name in names]
    levels, handlers = [found.level for found in loggers], loggers[0].handlers[:]
    yield
    for found, level in zip(loggers, levels, strict=True):
        found.setLevel(level)
    loggers[0].handlers[:] = handlers
