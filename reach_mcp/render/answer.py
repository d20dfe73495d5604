"""What a tool hands back, and the one place that cuts it to its budget.

Every answer is a *document*: the structured content, with all facts. The text is written from the document, so that no
number can differ between the two. What does not fit is cut by making the document again at a lower *level*, which shows
fewer rows and samples; counts, causes, deadlines, coverage and the way to go on are never cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from reach_mcp.render.tokens import bound_tokens

CONCISE = 2350
"""Most tokens of a concise answer, text and structured content together, by the bound, which is a fifth too high."""

CONCISE_TEXT = 1060
LARGEST = 150_000
"""Most characters of any answer: what Claude's apps take."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Level:
    """How much is shown: `rows` of the main list, `few` of each side list, `samples` a row, `length` of a text."""

    rows: int
    few: int
    samples: int
    length: int = 120


def _step_down(rows: range, few: int, samples: int, length: int) -> list[Level]:
    return [Level(count, few, samples, length) for count in rows]


CONCISE_LEVELS = (
    *_step_down(range(20, 11, -2), 3, 1, 100),
    *_step_down(range(12, 5, -1), 2, 1, 80),
    *_step_down(range(6, 2, -1), 1, 0, 60),
    *_step_down(range(2, -1, -1), 1, 0, 24),
    Level(0, 0, 0, 12),
)
DETAILED_LEVELS = (
    *_step_down(range(200, 90, -20), 24, 5, 400),
    *_step_down(range(90, 30, -10), 16, 3, 200),
    *_step_down(range(40, 20, -4), 10, 3, 160),
    *_step_down(range(20, 4, -2), 6, 2, 120),
    *CONCISE_LEVELS,
)


@dataclass(frozen=True)
class Answer:
    """Text and structured content with the same facts; `meta` is about the answer itself."""

    text: str
    document: Document
    tokens: int
    meta: dict[str, Any] = field(default_factory=dict)


def fit(
    build: Callable[[Level], Document],
    write: Callable[[Document], str],
    *,
    detailed: bool,
    budget: int,
) -> Answer:
    """The fullest answer within the budget: text and structured content together, in tokens and in characters."""
    limit = budget if detailed else min(budget, CONCISE)
    levels: Sequence[Level] = DETAILED_LEVELS if detailed else CONCISE_LEVELS
    for level in levels:
        document = build(level)
        text = write(document)
        encoded = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        words = bound_tokens(text)
        tokens = words + bound_tokens(encoded)
        small = detailed or words <= CONCISE_TEXT
        if small and tokens <= limit and len(text) + len(encoded) <= LARGEST:
            break
    return Answer(text, document, tokens)
