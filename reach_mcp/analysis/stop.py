"""How a long analysis is ended: by an exception from the caller's checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Checkpoint: TypeAlias = Callable[[], None]
"""Called every few thousand steps of a long loop. Raises `AnalysisStopped` to end it."""

STEPS = 4096
"""Steps between two calls of the checkpoint."""


class AnalysisStopped(Exception):
    """The time for this part of the analysis is over: the caller leaves the part out and says so."""


def never_stop() -> None:
    """The checkpoint of an analysis that may take as long as it needs."""


def paced(items: Iterable[T], checkpoint: Checkpoint) -> Iterator[T]:
    """Yield the items, and call the checkpoint every few thousand of them."""
    for number, item in enumerate(items, 1):
        if not number % STEPS:
            checkpoint()
        yield item
