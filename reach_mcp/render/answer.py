"""What a tool hands back, and the one place that cuts it to its budget.

Every answer is a *document*: the structured content, with all facts. The text is written from the document, so that no
number can differ between the two. What does not fit is cut by making the document again at a lower *level*, which shows
fewer rows and samples; counts, causes, deadlines, coverage and the way to go on are never cut.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from reach_mcp.masks import CLEAR, Clear
from reach_mcp.render.clean import LOOKED_AT, clean
from reach_mcp.render.tokens import bound_tokens

CONCISE = 2120
"""Most tokens of a concise answer, text and structured content together, by the bound, which is a tenth too high."""

CONCISE_TEXT = 980
LARGEST = 150_000
"""Most characters of any answer: what Claude's apps take."""

DOCUMENTED = frozenset(
    {"success", "partial_success", "failure", "processing", "JSON_INGEST", "BATCH_DELETE", "BATCH_PATCH"}
)
"""Statuses and types that the API documents: words of our answers as well, and never cut or fenced."""

Document = dict[str, Any]


EXACT = 160
"""Most characters of an id or a name that is shown exact. Rows go before names do: only what is left alone, and still
does not fit, is cut further. A name that is cut says how many characters are missing, so that none is taken for it."""


@dataclass(frozen=True)
class Level:
    """How much is shown: `rows` of the main list, `few` of each side list, `samples` a row, `length` of a text.

    `names` is the most characters of an id or a name: longer ones are cut, so that no data can exceed the budget.
    `call` is the most characters of a next call. `mask` hides personal data; it is put in by `fit`.
    """

    rows: int
    few: int
    samples: int
    length: int = 120
    names: int = EXACT
    call: int = 1200
    mask: Clear = CLEAR

    @property
    def brief(self) -> bool:
        """Whether causes are named without their evidence."""
        return self.length <= 12

    @property
    def some(self) -> int:
        """Places of a list that is shown whole as a rule: at least three, but one where every token counts."""
        return max(self.few, 3) if self.length > 24 else min(self.rows, 1)

    @property
    def kinds(self) -> int:
        """Names of a census."""
        return self.some + 3 if self.length > 24 else self.some

    def name(self, text: str) -> str:
        """An id or a name, exact unless it is longer than shown, and the note on what was cut is not longer still."""
        if len(text) <= self.names or text in DOCUMENTED:
            return text
        return min(text, clean(text, self.names), key=_size)

    def id(self, external: str) -> str:
        """An external id as it is shown: masked where masks are on."""
        return self.name(self.mask.id(external))

    def text(self, text: str, longest: int | None = None) -> str:
        """Free text as it is shown: cleaned, masked where masks are on, and bounded."""
        return mask_text(text, self.mask, self.length if longest is None else longest)

    def first(self, numbers: Mapping[str, int], count: int) -> dict[str, int]:
        """The first of some counts by name."""
        return keep_apart((self.name(name), number) for name, number in islice(numbers.items(), count))


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))


def keep_apart(numbers: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Counts by name. Names that read alike, once they are cut or since they are no identities, stay apart."""
    shown: dict[str, int] = {}
    for name, number in numbers:
        short, twin = name, 2
        while short in shown:
            short, twin = f"{name} ({twin})", twin + 1
        shown[short] = number
    return shown


def mask_text(text: str, mask: Clear, longest: int) -> str:
    """Free text cleaned, masked and bounded, in this order: what hides in a word would hide the word, and a cut too."""
    if mask is CLEAR:
        return clean(text, longest)
    head, unread = text, 0
    if len(text) > LOOKED_AT:
        head = text[:LOOKED_AT].rpartition(" ")[0]
        unread = len(text) - len(head)
    masked = mask.text(clean(head, LOOKED_AT))
    return clean(f"{masked}…(+{unread} characters)" if unread else masked, longest)


def _step_down(rows: range, few: int, samples: int, length: int) -> list[Level]:
    return [Level(count, few, samples, length) for count in rows]


# What is sacrificed, in this order: samples, side lists (counts take their place), rows but for the last, its name.
CONCISE_LEVELS = (
    *_step_down(range(60, 20, -10), 3, 1, 100),
    *_step_down(range(20, 11, -2), 3, 1, 100),
    *_step_down(range(12, 5, -1), 2, 1, 80),
    *_step_down(range(6, 2, -1), 1, 0, 60),
    *_step_down(range(4, 1, -1), 1, 0, 24),
    *_step_down(range(3, 0, -1), 0, 0, 24),
    *_step_down(range(3, 0, -1), 0, 0, 12),
    Level(1, 0, 0, 12, names=60, call=600),
    Level(1, 0, 0, 12, names=24, call=300),
    Level(1, 0, 0, 0, names=12, call=300),
    Level(1, 0, 0, 0, names=4, call=300),
    Level(1, 0, 0, 0, names=4, call=0),
    Level(0, 0, 0, 0, names=4, call=0),
)
DETAILED_LEVELS = (
    *_step_down(range(200, 90, -20), 24, 5, 400),
    *_step_down(range(90, 30, -10), 16, 3, 200),
    *_step_down(range(40, 20, -4), 10, 3, 160),
    *_step_down(range(20, 4, -2), 6, 2, 120),
    *(level for level in CONCISE_LEVELS if level.rows <= 6),
)


@dataclass(frozen=True)
class Answer:
    """Text and structured content with the same facts; `meta` is about the answer itself."""

    text: str
    document: Document
    tokens: int
    meta: dict[str, Any] = field(default_factory=dict)


def keep_calls(calls: Sequence[Document], level: Level) -> Document:
    """The next calls of a document: at most three; one that is too long to repeat is counted instead."""
    shown = [call for call in calls[:3] if len(json.dumps(call, ensure_ascii=False)) <= level.call]
    found: Document = {"next_calls": shown}
    if len(shown) < len(calls[:3]):
        found["too_long_calls"] = len(calls[:3]) - len(shown)
    return found


def fit(
    build: Callable[[Level], Document],
    write: Callable[[Document], str],
    *,
    detailed: bool,
    budget: int,
    mask: Clear = CLEAR,
) -> Answer:
    """The fullest answer within the budget: text and structured content together, in tokens and in characters.

    Levels are tried by halves; whatever the data, the last one fits.
    """
    limit = budget if detailed else min(budget, CONCISE)
    levels: Sequence[Level] = DETAILED_LEVELS if detailed else CONCISE_LEVELS
    answers: dict[int, Answer] = {}

    def fits(place: int) -> bool:
        document = build(replace(levels[place], mask=mask))
        text = write(document)
        encoded = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        words = bound_tokens(text)
        answers[place] = Answer(text, document, words + bound_tokens(encoded))
        small = detailed or words <= CONCISE_TEXT
        return small and answers[place].tokens <= limit and len(text) + len(encoded) <= LARGEST

    place = min(bisect_left(range(len(levels)), True, key=fits), len(levels) - 1)
    return answers[place]
