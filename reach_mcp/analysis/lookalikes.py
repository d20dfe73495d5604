"""Ids of one schema that were seen, indexed so that the lookalikes of a missing id are found without comparing all.

A rule that holds for a pair of ids is dropped where the schema's other ids show that the difference has a meaning
there: ids that differ only in case wait as distinct records, several prefixes stand before one number, and the like.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, combinations, islice
from typing import Literal, NamedTuple, TypeAlias
from unicodedata import name as character_name

from reach_mcp.analysis.similarity import Likeness, compare, has_counting_case, index_keys

Seen: TypeAlias = Literal["pending", "failed"]

MAX_COMPARED = 50
"""Seen ids that one missing id is compared with."""

MAX_SHARED = 2000
"""Groups of similar seen ids that are examined for differences that have a meaning."""

SAFE = {"encoding", "composition", "compatibility", "outer_blanks", "invisible", "inner_blanks", "quotes", "look_alike"}
SAFE |= {"uuid", "salesforce", "phone", "uri"}
"""Kinds of likeness that no way of numbering records produces."""

_COUNTER = re.compile(r"\d[oil]*[a-hjkmnp-z]", re.I)
_FRACTION = re.compile(r"\d+\.\d*[1-9]\d*")
_RARE = 0.02


class Candidate(NamedTuple):
    """A seen id that may be meant by a missing one."""

    seen: str
    likeness: Likeness


class IdIndex(NamedTuple):
    """Ids by key. A list is kept only for the keys that several ids share: they are few."""

    first: dict[str, str]
    more: defaultdict[str, list[str]]

    @classmethod
    def empty(cls) -> IdIndex:
        return cls({}, defaultdict(list))

    def add(self, keys: Iterable[str], text: str) -> None:
        for key in keys:
            if self.first.setdefault(key, text) is not text:
                self.more[key].append(text)

    def get(self, key: str) -> list[str]:
        return [self.first[key], *self.more.get(key, ())] if key in self.first else []


@dataclass
class SeenIds:
    """The external ids of one schema that were seen, and where."""

    ids: dict[str, Seen]
    missing: list[str] = field(default_factory=list)
    """All ids of the schema that are missing: they show how the tenant numbers records."""
    _wholes: IdIndex = field(default_factory=IdIndex.empty)
    _rests: IdIndex = field(default_factory=IdIndex.empty)
    _others: SeenIds | None = None
    """The missing ids that resemble no seen id: pairs of them differ in ways that have a meaning."""

    def __post_init__(self) -> None:
        wholes, rests = self._wholes, self._rests
        for text in self.ids:
            whole_keys, rest_keys = index_keys(text)
            wholes.add(whole_keys, text)
            rests.add(rest_keys, text)

    def find(self, missing: Iterable[str]) -> dict[str, list[Candidate]]:
        """Lookalikes of each missing id that has some, in a stable order."""
        found = {text: candidates for text in missing if (candidates := list(self._compare(text)))}
        if not found:
            return found
        off = self._meaningful(found)
        targets: defaultdict[str, set[str]] = defaultdict(set)
        for candidate in chain.from_iterable(found.values()):
            if candidate.likeness.prefix:
                targets[candidate.seen].add(candidate.likeness.prefix)
        kept = {text: self._keep(candidates, off, targets) for text, candidates in found.items()}
        return {text: candidates for text, candidates in kept.items() if candidates}

    def _compare(self, text: str) -> Iterator[Candidate]:
        for seen in islice(self._near(text), MAX_COMPARED):
            likeness = compare(text, seen)
            if likeness:
                yield Candidate(seen, likeness)

    def _near(self, text: str) -> Iterable[str]:
        wholes, rests = index_keys(text)
        near = [one for key in (*wholes, *rests) if key in self._wholes.first for one in self._wholes.get(key)]
        near += [one for key in wholes if key in self._rests.first for one in self._rests.get(key)]
        return dict.fromkeys(near)

    def _keep(self, candidates: list[Candidate], off: set[str], targets: dict[str, set[str]]) -> list[Candidate]:
        kept = [one for one in candidates if not off.intersection(one.likeness.kinds)]
        prefixes = {one.likeness.prefix for one in kept if one.likeness.prefix}
        kept = [one for one in kept if not one.likeness.prefix or (len(prefixes) == 1 and len(targets[one.seen]) == 1)]
        pending = [one for one in kept if self.ids[one.seen] == "pending" and SAFE.isdisjoint(one.likeness.kinds)]
        if len(pending) > 1:
            kept = [one for one in kept if one not in pending]
        return sorted(kept, key=lambda one: (len(one.likeness.kinds), one.likeness.rule, one.seen))

    def _meaningful(self, found: dict[str, list[Candidate]]) -> set[str]:
        """Kinds of difference that tell records of this schema apart."""
        off = {"glyphs", "letters", "padding"} if self._has(_COUNTER.search) else set()
        off |= {"number"} if self._has(_FRACTION.fullmatch) else set()
        off |= {"case"} if self._has(has_counting_case) else set()
        self._others = self._others or SeenIds(
            dict.fromkeys((one for one in self.missing if one not in found), "failed")
        )
        candidates = Counter(kind for listed in found.values() for one in listed for kind in one.likeness.kinds)
        for kind, (pending, all_pairs) in chain(self._distinct.items(), self._others._distinct.items()):
            if (pending or all_pairs > 1) and 4 * all_pairs >= candidates[kind]:
                off.add(kind)
        return off - SAFE

    def _has(self, test: Callable[[str], object]) -> bool:
        ids = [*self.ids, *self.missing]
        return sum(1 for text in ids if test(text)) > len(ids) * _RARE

    @cached_property
    def _distinct(self) -> dict[str, tuple[int, int]]:
        """Kind of likeness to the pairs of these ids that have it: of two pending records, and of any two."""
        both: Counter[str] = Counter()
        every: Counter[str] = Counter()
        for a, b in self._similar_pairs():
            likeness = compare(a, b)
            if likeness:
                every.update(likeness.kinds)
                both.update(likeness.kinds if self.ids[a] == self.ids[b] == "pending" else ())
        return {kind: (both[kind], every[kind]) for kind in every}

    def _similar_pairs(self) -> Iterable[tuple[str, str]]:
        groups = (self._wholes.get(key) + self._rests.get(key) for key in self._wholes.first)
        shared = islice((dict.fromkeys(group) for group in groups if len(group) > 1), MAX_SHARED)
        return chain.from_iterable(combinations(islice(group, 4), 2) for group in shared)


# --- differences that cannot be seen -------------------------------------------------------------------------------

_SUBTLE = {"composition", "compatibility", "outer_blanks", "invisible", "inner_blanks", "look_alike", "encoding"}
_CONTROLS = {"\t": "tab", "\n": "line feed", "\r": "carriage return", "\0": "null", "\ufeff": "byte order mark"}


def describe_difference(missing: str, seen: str, likeness: Likeness) -> str:
    """Name the characters that make the difference where it does not show; empty where it does."""
    if "glyphs" in likeness.kinds:
        a, b = next(pair for pair in zip(missing, seen, strict=False) if pair[0].casefold() != pair[1].casefold())
        return f"seen id has {_character(b)} where the missing id has {_character(a)}"
    if not _SUBTLE.intersection(likeness.kinds) and missing.isascii() and seen.isascii():
        return ""
    return "; ".join([*_odd_characters("seen id", seen, missing), *_odd_characters("missing id", missing, seen)][:3])


def _odd_characters(whose: str, text: str, other: str) -> Iterator[str]:
    for char in dict.fromkeys(text):
        odd = not char.isascii() or not char.isprintable() or char == " "
        if odd and text.count(char) != other.count(char):
            yield f"{whose} {_position(text, char)} {_character(char)}"


def _position(text: str, char: str) -> str:
    if text.startswith(char):
        return "starts with"
    return "ends with" if text.endswith(char) else "contains"


def _character(char: str) -> str:
    title = _CONTROLS.get(char) or character_name(char, "control character").lower()
    return f"U+{ord(char):04X} ({title})"
