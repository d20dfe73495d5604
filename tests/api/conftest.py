"""What the tests of the road to Reach share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _at_once(without_waits: None) -> None:
    """No test of this road waits between two tries."""
