"""Grade an answer: are the facts stated, is nothing false said, does it fit?

A fact is stated when its words stand together: in one line of the text, or in one object of the structured content.
An id and a number that stand far apart may belong to two different things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Arm: TypeAlias = Literal["text", "structured", "both"]
ARMS: tuple[Arm, ...] = ("text", "structured", "both")

Word: TypeAlias = str | int | tuple[str | int, ...]
"""A word or number that stands as a whole, or a choice of several. Case and underscores do not matter."""

MAX_BYTES = {"concise": 8_000, "detailed": 24_000}

COLUMN = " | "

ACTIONS: dict[str, Word] = {
    "failed": "correct and resend",
    "deleted": ("restore", "restore or remove the reference"),
    "looks_like": ("fix reference", "fix the reference"),
    "expired": "resend",
    "in_progress": "wait",
    "not_seen": "send",
    "cycle": ("break cycle", "leave out"),
}


@dataclass(frozen=True)
class Fact:
    """Words that stand together. With `near`, they stand within so many characters."""

    words: tuple[Word, ...]
    near: int = 0

    def stated_in(self, units: Sequence[str]) -> bool:
        return any(self._stated(unit) for unit in units)

    def _stated(self, unit: str) -> bool:
        spans = [[found.span() for found in _pattern(word).finditer(unit)] for word in self.words]
        if not all(spans):
            return False
        if not self.near:
            return True
        return any(
            all(any(abs(start - first) <= self.near for start, _ in others) for others in spans[1:])
            for first, _ in spans[0]
        )


def fact(*words: Word, near: int = 0) -> Fact:
    return Fact(words, near)


@dataclass(frozen=True)
class Question:
    """One call, the facts that its answer states, and claims that it must not make."""

    name: str
    tool: str
    arguments: Json
    facts: tuple[Fact, ...]
    never: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What a host gets from one call."""

    text: str
    content: Json | None = None
    is_error: bool = False


@dataclass(frozen=True)
class Grade:
    """What one answer states, and what is wrong with it."""

    question: str
    arm: Arm
    stated: int
    facts: int
    bytes: tuple[int, ...]
    problems: tuple[str, ...] = field(default=())


def grade(question: Question, arm: Arm, reply: Reply, *, limit: int = MAX_BYTES["concise"]) -> Grade:
    """Grade each form that the arm shows, each by itself."""
    forms = shown(arm, reply)
    problems = [f"error: {reply.text[:300]}"] if reply.is_error else []
    stated = len(question.facts)
    for form, (units, _) in forms.items():
        missing = [one for one in question.facts if not one.stated_in(units)]
        false = [one for one in question.never if one.stated_in(units)]
        stated = min(stated, len(question.facts) - len(missing))
        problems += [f"{form} does not state {one.words}" for one in missing]
        problems += [f"{form} states the false {one.words}" for one in false]
    sizes = tuple(size for _, size in forms.values())
    problems += [f"{form} takes {size} bytes of {limit}" for form, (_, size) in forms.items() if size > limit]
    if not forms:
        problems.append("nothing was shown")
    return Grade(question.name, arm, stated if forms else 0, len(question.facts), sizes, tuple(problems))


def shown(arm: Arm, reply: Reply) -> dict[str, tuple[list[str], int]]:
    """Units and bytes of each form that a host of this kind shows to the model."""
    forms = {}
    if arm in ("text", "both"):
        forms["text"] = (text_units(reply.text), len(reply.text.encode()))
    if arm in ("structured", "both") and reply.content is not None:
        forms["structured"] = (content_units(reply.content), len(compact(reply.content).encode()))
    return forms


def text_units(text: str) -> list[str]:
    """Lines of a text; rows of a table also with their column names."""
    return [_plain(unit) for unit in _lines(text)]


def _lines(text: str) -> Iterator[str]:
    header: list[str] = []
    for line in text.splitlines():
        yield line
        cells = line.split(COLUMN)
        if 1 < len(cells) <= len(header):  # empty cells at the end of a row are not written
            yield "; ".join(f"{name} {cell}" for name, cell in zip(header, cells, strict=False))
        else:
            header = cells


def content_units(content: Json) -> list[str]:
    """Each list element with everything in it, each text, and each object without the objects in it."""
    top = {name: value for name, value in content.items() if not isinstance(value, list)}
    lists = [value for value in content.values() if isinstance(value, list)]
    return [_plain(unit) for part in (top, *lists) for unit in _units(part)]


def _units(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield "; ".join(_flat(value, deep=False))
        for one in value.values():
            yield from _units(one)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, dict):
                yield "; ".join(_flat(one, deep=True))
                yield from _units(one)
        yield ", ".join(one for one in value if isinstance(one, str))


def _flat(value: Json, *, deep: bool) -> Iterator[str]:
    for name, one in value.items():
        if isinstance(one, dict):
            yield from (f"{name} {inner}" for inner in _flat(one, deep=True)) if deep else ()
        elif isinstance(one, list):
            plain = [str(item) for item in one if not isinstance(item, dict)]
            yield f"{name} {', '.join(plain)}"
            if deep:
                for item in one:
                    if isinstance(item, dict):
                        yield from _flat(item, deep=True)
        else:
            yield f"{name} {one}"


def compact(content: Any) -> str:
    """JSON as it goes over the wire."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _plain(text: str) -> str:
    return text.replace("_", " ").casefold()


@lru_cache(maxsize=100_000)
def _pattern(word: Word) -> re.Pattern[str]:
    choices = word if isinstance(word, tuple) else (word,)
    return re.compile("|".join(_choice(one) for one in choices))


def _choice(word: str | int) -> str:
    if isinstance(word, int):
        spellings = "|".join({str(word), f"{word:,}"})
        return rf"(?<![\w.,:-])(?:{spellings})(?![\w:-]|[.,]\d)"
    text = re.escape(_plain(word))
    if re.fullmatch(r"\d\d:\d\d", word):  # a time of day, which may stand in a timestamp
        return rf"(?<!\d){text}(?!\d)"
    before = r"(?<![\w-])" if word[:1].isalnum() else ""
    after = r"(?![\w-])" if word[-1:].isalnum() else ""
    return f"{before}{text}{after}"
