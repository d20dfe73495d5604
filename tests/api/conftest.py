"""What the tests of the road to Reach share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _without_waits() -> Iterator[None]:
    """Tries follow one another at once; how many there may be is still the client's to say."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield
