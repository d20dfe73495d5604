"""Counting and sorting in pieces give the same as in one piece."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from reach_mcp.analysis import pieces


@pytest.mark.parametrize("size", [0, 1, pieces.PIECE, 3 * pieces.PIECE + 7])
def test_pieces_give_the_same_as_the_whole(size: int) -> None:
    items = [(random.Random(number).randrange(50), number) for number in range(size)]
    ordered = items.copy()

    pieces.sort(ordered, lambda item: item[0])

    assert ordered == sorted(items, key=lambda item: item[0])
    assert pieces.count(value for value, _ in items) == Counter(value for value, _ in items)
