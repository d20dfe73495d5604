"""What a question is, and how an answer to it is graded.

A fact is stated when its parts stand together: all its words in one line of the text, all its values in one object of
the structured content. Both are asked for, since hosts show one, or the other, or both. That the right id and the
right count stand somewhere in an answer proves nothing: they may belong to two different things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.builders import Json
from tests.tools.harness import MARK, Reply, compact

MOST_TEXT = 900
"""Most tokens of the text of any answer."""


@dataclass(frozen=True)
class Fact:
    """Words of one line, and values of one object. In `never`, that either holds is enough to be wrong.

    An error has no structured content, and some false claims have no field of their own: `held` is then None.
    """

    words: tuple[str, ...]
    held: Mapping[str, Any] | None = None

    def in_text(self, text: str) -> bool:
        if not self.words:
            return False
        lines = text.replace(f'{MARK}"', '"').splitlines()
        return any(all(_stands(word, line) for word in self.words) for line in lines)

    def in_content(self, content: Json) -> bool:
        return self.held is not None and any(_covers(one, self.held) for one in objects(content))


@dataclass(frozen=True)
class Call:
    """One call. Arguments that stem from the answer before are a function of it; `tenant` is another to ask."""

    tool: str
    arguments: Json | Callable[[Reply], Json] = field(default_factory=dict)
    tenant: str | None = None

    def given(self, before: Reply | None) -> Json:
        if isinstance(self.arguments, dict):
            return self.arguments
        assert before is not None, "the first call has no answer before it"
        return self.arguments(before)


@dataclass(frozen=True)
class Question:
    """What is asked of which tenant, and what its answer, the last call's, is graded by.

    `most` is the most tokens of text and structured content together. `foreign` are planted words that may stand in
    a fence alone. `attempts` are calls that would do what nobody may do here: each must be turned down unsent.
    """

    name: str
    persona: str
    asked: str
    tenant: str
    calls: tuple[Call, ...]
    states: tuple[Fact, ...] | Callable[[], tuple[Fact, ...]] = ()
    never: tuple[Fact, ...] = ()
    most: int = 2000
    refused: bool = False
    foreign: tuple[str, ...] = ()
    attempts: tuple[Call, ...] = ()
    forbidden: tuple[str, ...] = ()
    """Words that no tool and no argument may bear in its name."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What must be stated; what the slow oracle says is worked out when it is asked for."""
        return self.states if isinstance(self.states, tuple) else self.states()


Problem: TypeAlias = str


def grade(question: Question, reply: Reply) -> list[Problem]:
    """Everything that is wrong with an answer; empty when nothing is."""
    return [
        *_missing(question, reply),
        *_wrong(question, reply),
        *_loose(question, reply),
        *_dear(question, reply),
    ]


def _missing(question: Question, reply: Reply) -> Iterator[Problem]:
    for fact in question.facts:
        if not fact.in_text(reply.text):
            yield f"text does not state together: {fact.words}"
        if not question.refused and not fact.in_content(reply.content):
            yield f"content does not hold together: {fact.held}"


def _wrong(question: Question, reply: Reply) -> Iterator[Problem]:
    for fact in (*question.never, NEVER_SENT):
        if fact.in_text(reply.text):
            yield f"text states what is false: {fact.words}"
        if fact.in_content(reply.content):
            yield f"content holds what is false: {fact.held}"


NEVER_SENT = Fact(("was never sent",))
"""What was not read can't be known."""


def _loose(question: Question, reply: Reply) -> Iterator[Problem]:
    for words in question.foreign:
        if words.casefold() in reply.plain.casefold():
            yield f"foreign text stands outside of its fence: {words!r}"
        if words.casefold() in compact(sorted(own_words(reply.content))).casefold():
            yield f"foreign text stands in the place of our own words: {words!r}"


def _dear(question: Question, reply: Reply) -> Iterator[Problem]:
    words, whole = reply.tokens
    if words > MOST_TEXT or whole > question.most:
        yield f"costs {words} tokens, {whole} with structured content; the most is {MOST_TEXT} and {question.most}"


OUR_WORDS = frozenset({"tool", "note", "causes", "rule", "seen", "shown", "since", "handle"})
"""Fields that hold nothing but our own words, which a reader may trust."""


def own_words(content: Json) -> Iterator[str]:
    """What stands in structured content as ours."""
    for one in objects(content):
        yield from (json.dumps(value) for name, value in one.items() if name in OUR_WORDS)


def objects(content: Any) -> Iterator[Json]:
    """Every object in structured content, from the outside in."""
    if isinstance(content, dict):
        yield content
        content = list(content.values())
    if isinstance(content, list):
        for value in content:
            yield from objects(value)


def _stands(word: str, line: str) -> bool:
    """Whether a word stands in a line as a whole: `5 wait` is not in `35 wait`, nor `cust_7` in `cust_77`."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)" if word[:1].isalnum() else re.escape(word), line) is not None


def _covers(found: Any, expected: Any) -> bool:
    """Whether values hold what is expected of them: all fields of an object, every member of a list."""
    if isinstance(expected, Mapping):
        return isinstance(found, dict) and all(
            name in found and _covers(found[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(found, list) and all(any(_covers(one, value) for one in found) for value in expected)
    return bool(found == expected)
