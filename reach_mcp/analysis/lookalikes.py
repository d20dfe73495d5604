"""Seen ids that a missing id may mean, found without comparing all pairs.

A rule that holds for a pair of ids is dropped where the schema's other ids show that the difference has a meaning
there: ids that differ only in case wait as distinct records, several prefixes stand before one number, and the like.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from itertools import islice, permutations
from typing import NamedTuple
from unicodedata import name as character_name

from reach_mcp.analysis.multimap import Multimap
from reach_mcp.analysis.similarity import Likeness, compare, keys

MAX_COMPARED = 50
"""Similar ids that one id is compared with."""

MAX_GROUPS = 2000
"""Groups of similar ids that are examined for differences that have a meaning."""


class Candidate(NamedTuple):
    """A seen id that may be meant by a missing one."""

    external_id: str
    likeness: Likeness


class SimilarIds:
    """Ids, indexed by the form that all spellings of an id share."""

    def __init__(self, ids: Iterable[str]) -> None:
        found = [(*keys(text), text) for text in ids]
        self._wholes = Multimap([(whole, text) for whole, _, text in found])
        self._rests = Multimap([(rest, text) for _, rest, text in found if rest is not None])

    def find(self, text: str) -> list[Candidate]:
        """Ids that are the same as another one but for its spelling."""
        whole, rest = keys(text)
        if whole not in self._wholes and whole not in self._rests and rest not in self._wholes:
            return []
        near = [*self._wholes.get(whole), *self._rests.get(whole)]
        if rest is not None:
            near += self._wholes.get(rest)
        found = ((one, compare(text, one)) for one in islice(dict.fromkeys(near), MAX_COMPARED))
        return [Candidate(one, likeness) for one, likeness in found if likeness]

    def count_rules(self) -> Counter[str]:
        """How many pairs of these ids differ by each rule, both ways counted."""
        pairs = (compare(a, b) for a, b in self._pairs())
        return Counter(rule for likeness in pairs if likeness for rule in likeness.rules)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        shared = dict.fromkeys([*self._wholes.shared(), *(key for key in self._wholes if key in self._rests)])
        for key in islice(shared, MAX_GROUPS):
            group = [*self._wholes.get(key)[:3], *self._rests.get(key)[:2]]
            yield from permutations(dict.fromkeys(group), 2)


class Lookalikes:
    """The lookalikes of missing ids of one schema among the ids that were seen: pending or failed."""

    def __init__(self, pending: Collection[str], failed: Iterable[str], missing: Collection[str]) -> None:
        self.pending = pending
        self._missing = missing
        self._similar = SimilarIds(dict.fromkeys([*failed, *pending]))

    def find(self, text: str) -> list[Candidate]:
        """Seen ids that a missing one may mean, the simplest difference first."""
        candidates = self._candidates.get(text) if text in self._missing else self._similar.find(text)
        kept = [one for one in candidates or () if self._is_slip(one.likeness)]
        return sorted(kept, key=lambda one: (len(one.likeness.rules), one.likeness.rule, one.external_id))

    def _is_slip(self, likeness: Likeness) -> bool:
        if likeness.safe:
            return True
        return likeness.prefix in ("", self._prefix) and self._meaningful.isdisjoint(likeness.rules)

    @cached_property
    def _candidates(self) -> dict[str, list[Candidate]]:
        found = ((text, self._similar.find(text)) for text in self._missing)
        return {text: candidates for text, candidates in found if candidates}

    @cached_property
    def _likenesses(self) -> list[Likeness]:
        return [one.likeness for candidates in self._candidates.values() for one in candidates]

    @cached_property
    def _meaningful(self) -> set[str]:
        """Rules by which records of this schema differ: pending ones, and missing ones that resemble none."""
        others = (text for text in self._missing if text not in self._candidates)
        pairs = SimilarIds([*self.pending, *others]).count_rules()
        slips = Counter(rule for likeness in self._likenesses for rule in likeness.rules)
        return {rule for rule, count in pairs.items() if 2 * count >= slips[rule]}

    @cached_property
    def _prefix(self) -> str:
        """The prefix that nearly all candidates with a prefix have; empty where there is no such prefix."""
        prefixes = Counter(one.prefix for one in self._likenesses if one.prefix)
        prefix, count = max(prefixes.items(), key=lambda item: item[1], default=("", 0))
        return prefix if 10 * count >= 9 * prefixes.total() else ""


# --- differences that cannot be seen -------------------------------------------------------------------------------

_VISIBLE = re.compile("[!-~]*")
_CONTROLS = {"\t": "tab", "\n": "line feed", "\r": "carriage return", "\0": "null", "\ufeff": "byte order mark"}


def describe_difference(missing: str, seen: str) -> str:
    """Name the characters that make a difference that does not show; empty where it does."""
    if _VISIBLE.fullmatch(missing + seen):
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
