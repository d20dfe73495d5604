"""How a long analysis is ended: by an exception from the caller's checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Checkpoint: TypeAlias = Callable[[], None]
"""Called every few thousand steps of a long loop. Raises `AnalysisStopped` to end it."""

STEPS = 4096
"""Steps between two calls of the checkpoint."""


class AnalysisStopped(Exception):
    """The time for this part of the analysis is over: the caller leaves the part out and says so."""


def never_stop() -> None:
    """The checkpoint of an analysis that may take as long as it needs."""
