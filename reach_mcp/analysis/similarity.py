"""Which two external ids are the same id, written differently by an import, perhaps without its prefix.

`keys` gives the rewritten id, under which all its spellings meet in a dictionary. `compare` names the rules that it
takes to make two ids equal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from reach_mcp.analysis.spelling import Rule, rewrite, rules_for

MAX_ID_CHARS = 200
"""Longer ids are compared with none: they are texts rather than ids."""


class Likeness(NamedTuple):
    """How two ids resemble each other: the rules that it takes, and the prefix that one of them has."""

    rules: tuple[str, ...]
    safe: bool
    prefix: str = ""

    @property
    def rule(self) -> str:
        """The rules as one phrase about the seen id: "has the prefix cust_", "differs in blanks and letter case"."""
        return " and ".join(self.rules).replace(" and differs in ", " and ")


# --- prefixes ------------------------------------------------------------------------------------------------------

_URI = re.compile(r"([a-z][a-z0-9+.-]*://(?:[^/?#]+/)+)([^/?#]+)/?(?:[?#].*)?", re.I | re.S)
_PREFIX = re.compile(r"((?:[^\W\d_]+[-_:./# ]+){1,3})(?=[^-_:./# ])(.*\d.*)", re.S)
_LETTERS_OR_COUNTRY = re.compile(r"([a-z]*[g-z][a-z]*(?=\d{3})|\+\d{1,3}(?=\d{10}\Z))(\d+)", re.I)


def _split_prefix(text: str) -> re.Match[str] | None:
    """The prefix of an id and its rest, as groups."""
    text = text.strip()
    return _LETTERS_OR_COUNTRY.fullmatch(text) or _PREFIX.fullmatch(text) or _URI.fullmatch(text)


def _compare_rest(whole: str, other: str, wordings: tuple[str, str]) -> Likeness | None:
    """Compare an id without its prefix to another."""
    match = _split_prefix(whole)
    found = _compare_wholes(match[2], other) if match else None
    if not match or not found:
        return None
    uri = "://" in match[1]
    says = wordings[1] if uri else f"{wordings[0]} the prefix {match[1]}"
    return Likeness((*found.rules, says), uri and found.safe, "" if uri else match[1])


# --- comparison ----------------------------------------------------------------------------------------------------

_ONE_NUMBER = re.compile(r"([^\d%&+]{0,50}0{0,50})([1-9][0-9]{0,50})([^\d%&+]{0,50})")
_NUMBER = re.compile(r"(?<!\d)[1-9][0-9]{2,}(?!\d)")
"""No rule depends on the digits of such a number, only on how many there are. Ids of one series have the rest in
common, so that its forms are worked out once for all of them."""


_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
"""The usual form of a UUID. Its dashes are all that the rules change."""


def keys(text: str) -> tuple[str, str | None]:
    """The form that all spellings of an id share, and that of the id without its prefix if it has one.

    Two ids that `compare` accepts have the same first key, or one's first key is the other's second.
    """
    match = _ONE_NUMBER.fullmatch(text)
    if not match:
        return _find_keys(text)
    head, digits, tail = match.groups()
    (before, after), rest = _find_series_keys(head, len(digits), tail)
    return before + digits + after, rest and rest[0] + digits + rest[1]


@lru_cache(maxsize=1024)
def _find_series_keys(head: str, count: int, tail: str) -> tuple[tuple[str, str], tuple[str, str] | None]:
    number = "7" * count
    whole, rest = _find_keys(head + number + tail)
    return _split(whole, number), _split(rest, number) if rest is not None else None


def _split(text: str, number: str) -> tuple[str, str]:
    before, _, after = text.partition(number)
    return before, after


def _find_keys(text: str) -> tuple[str, str | None]:
    if len(text) > MAX_ID_CHARS:
        return text, None
    if _UUID.fullmatch(text):
        return text.replace("-", ""), None
    match, rules = _split_prefix(text), rules_for(text)
    return rewrite(text, rules), rewrite(match[2], rules) if match else None


def compare(missing: str, seen: str) -> Likeness | None:
    """The fewest rules that make two different ids the same; None where there are none."""
    left, right = _NUMBER.search(missing), _NUMBER.search(seen)
    if left and right and left[0] == right[0]:
        number = "7" * len(left[0])
        return _compare_series(missing.replace(left[0], number, 1), seen.replace(left[0], number, 1))
    return _compare(missing, seen)


@lru_cache(maxsize=1024)
def _compare_series(missing: str, seen: str) -> Likeness | None:
    return _compare(missing, seen)


def _compare(missing: str, seen: str) -> Likeness | None:
    if missing == seen or max(len(missing), len(seen)) > MAX_ID_CHARS:
        return None
    return (
        _compare_wholes(missing, seen)
        or _compare_rest(seen, missing, ("has", "is a URI that ends in it"))
        or _compare_rest(missing, seen, ("lacks", "is the last part of the URI"))
    )


def _compare_wholes(missing: str, seen: str) -> Likeness | None:
    rules = _find_active(missing, seen)
    if rewrite(missing, rules) != rewrite(seen, rules):
        return None
    for rule in reversed(rules):
        fewer = [one for one in rules if one is not rule]
        if rewrite(missing, fewer) == rewrite(seen, fewer):
            rules = fewer
    return Likeness(tuple(dict.fromkeys(rule.says for rule in rules)), all(rule.safe for rule in rules))


def _find_active(a: str, b: str) -> list[Rule]:
    """The rules that change one of two ids, each applied after those before it."""
    active = []
    for rule in rules_for(a, b):
        left, right = rule.form(a), rule.form(b)
        changed = (left != a) + (right != b)
        if changed == 1 or (changed and not rule.one_sided):
            active.append(rule)
            a, b = left, right
    return active
