"""Which two external ids are the same id, written differently by an import, perhaps without its prefix.

`keys` gives the rewritten id, under which all its spellings meet in a dictionary. `compare` names the rules that it
takes to make two ids equal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from reach_mcp.analysis.spelling import rewrite, rules_for

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


# --- ids of one series ---------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[1-9][0-9]*")
_DASHED = r"(?<![0-9A-Za-z])(?=[{0}]*[0-9])[0-9{0}]{{8}}(?:-[0-9{0}]{{4}}){{3}}-[0-9{0}]{{12}}(?![0-9A-Za-z])"
_LONG = (
    r"(?<![0-9A-Za-z])(?=[0-9{0}]{{12}})(?=[0-9oliOLI]*[{1}])(?=[{0}]*[0-9]+[{0}])(?![0-9]+[eE][0-9]+(?![0-9{0}]))"
    r"[0-9{0}]+(?![0-9A-Za-z])"
)
_TOKEN = re.compile(
    "|".join(
        [
            _DASHED.format("a-f"),
            _DASHED.format("A-F"),
            _LONG.format("a-z", "a-hjkmnp-z"),
            _LONG.format("A-Z", "A-HJKMNP-Z"),
        ]
    )
)
"""A random part of an id, all in one case: a UUID, or 12 characters or more in base 16, 32 or 36."""
_VARIABLE = re.compile(f"{_TOKEN.pattern}|{_NUMBER.pattern}")
_SEVENS = bytes.maketrans(b"12345689", b"77777777")
_NO_NUMERALS = bytes(set(range(256)) - set(b"123456789"))
_UUID = re.compile(r"(?=.*[a-f])[0-9a-f]{8}(?:(-[0-9a-f]{4}){3}-|[0-9a-f]{12})[0-9a-f]{12}", re.I)
_LIKE_UUID = "1a1a1a1a-1a1a-1a1a-1a1a-1a1a1a1a1a1a"
_SPECIAL = re.compile(
    r"[%&]|://.*[?#]|(?<![0-9a-z])(?:[0-9a-z]{18}|[0-9](?:[.,][0-9]+)?e\+?[0-9]{1,2})(?![0-9a-z])", re.I | re.S
)
"""Texts of which a rule depends on single digits: encoded ones, Salesforce ids, numbers with an exponent."""


def keys(text: str) -> tuple[str, str | None]:
    """The form that all spellings of an id share, and that of the id without its prefix if it has one.

    Two ids that `compare` accepts have the same first key, or one's first key is the other's second.
    """
    if _is_uuid(text):
        return text.lower().replace("-", ""), None
    encoded = text.encode(errors="surrogatepass")
    formats = _find_formats(encoded.translate(_SEVENS))
    if not formats:
        return _find_token_keys(text)
    whole, rest, dropped = formats
    numerals = encoded.translate(None, _NO_NUMERALS).decode()
    return whole % (*numerals,), rest and rest % (*numerals[dropped:],)


@lru_cache(maxsize=4096)
def _find_formats(sevens: bytes) -> tuple[str, str | None, int] | None:
    """The keys of all ids that differ in numerals alone, as format strings, and how many numerals the second lacks.

    None where the numerals matter, or where the id has a random part, so that hardly another one is like it.
    """
    text = sevens.decode(errors="surrogatepass")
    if len(text) > MAX_ID_CHARS or _SPECIAL.search(text) or (len(text) >= 12 and _TOKEN.search(text)):
        return None
    whole, rest = _find_keys(text)
    numerals = text.count("7")
    if whole.count("7") != numerals:
        return None
    return _format_of(whole), rest and _format_of(rest), numerals - (rest or "").count("7")


def _format_of(key: str) -> str:
    return key.replace("%", "%%").replace("7", "%s")


def _find_token_keys(text: str) -> tuple[str, str | None]:
    token = None if len(text) > MAX_ID_CHARS or _SPECIAL.search(text) else _TOKEN.search(text)
    if not token:
        return _find_keys(text)
    stand_in = _stand_in(token)
    whole, rest = _find_series_keys(text.replace(token[0], stand_in))
    for old, new in ((stand_in, token[0]), (stand_in.replace("-", ""), token[0].replace("-", ""))):
        for form in (str, str.lower):
            whole, rest = whole.replace(form(old), form(new)), rest and rest.replace(form(old), form(new))
    return whole, rest


def _is_uuid(text: str) -> bool:
    return len(text) in (32, 36) and bool(_UUID.fullmatch(text)) and text in (text.lower(), text.upper())


def _stand_in(token: re.Match[str]) -> str:
    """Another text to which all rules apply in the same way: they see the kinds of its first and last characters."""
    text = token[0]
    if text.isdigit():
        return "7" * len(text)
    if "-" in text:
        return _like_uuid(token)
    letter = "k" if re.search("[g-z]", text, re.I) else "a"
    edges = [re.sub("[a-z]", letter, re.sub("[0-9]", "1", part), flags=re.I) for part in (text[:3], text[-3:])]
    like = edges[0] + ("1" + letter) * (len(text) // 2 - 3) + "1" * (len(text) % 2) + edges[1]
    return like if text.islower() else like.upper()


@lru_cache(maxsize=4096)
def _find_series_keys(text: str) -> tuple[str, str | None]:
    return _find_keys(text)


def _find_keys(text: str) -> tuple[str, str | None]:
    if len(text) > MAX_ID_CHARS:
        return text, None
    match, rules = _split_prefix(text), rules_for(text)
    return rewrite(text, rules), rewrite(match[2], rules) if match else None


# --- comparison ----------------------------------------------------------------------------------------------------


def compare(missing: str, seen: str) -> Likeness | None:
    """The fewest rules that make two different ids the same; None where there are none."""
    if missing == seen or max(len(missing), len(seen)) > MAX_ID_CHARS:
        return None
    if _SPECIAL.search(missing) or _SPECIAL.search(seen):
        return _compare(missing, seen)
    if _is_uuid(missing) and _is_uuid(seen) and missing.lower().replace("-", "") == seen.lower().replace("-", ""):
        return _compare_series(_UUID.sub(_like_uuid, missing), _UUID.sub(_like_uuid, seen))
    parts = _VARIABLE.findall(missing), _VARIABLE.findall(seen)
    if parts[0] != parts[1] and [*map(str.lower, parts[0])] != [*map(str.lower, parts[1])]:
        return _compare(missing, seen)
    return _compare_series(_VARIABLE.sub(_stand_in, missing), _VARIABLE.sub(_stand_in, seen))


def _like_uuid(uuid: re.Match[str]) -> str:
    like = _LIKE_UUID if "-" in uuid[0] else _LIKE_UUID.replace("-", "")
    return like if uuid[0].islower() else like.upper()


@lru_cache(maxsize=4096)
def _compare_series(missing: str, seen: str) -> Likeness | None:
    return _compare(missing, seen)


def _compare(missing: str, seen: str) -> Likeness | None:
    return (
        _compare_wholes(missing, seen)
        or _compare_rest(seen, missing, ("has", "is a URI that ends in it"))
        or _compare_rest(missing, seen, ("lacks", "is the last part of the URI"))
    )


def _compare_wholes(missing: str, seen: str) -> Likeness | None:
    """Compare by the rules that change one of two ids, each applied after those before it."""
    if missing == seen:
        return Likeness((), safe=True)
    rules = []
    a, b = missing, seen
    for rule in rules_for(a, b):
        left, right = rule.form(a), rule.form(b)
        changed = (left != a) + (right != b)
        if changed == 1 or (changed and not rule.one_sided):
            rules.append(rule)
            a, b = left, right
    if a != b:
        return None
    for rule in reversed(rules if len(rules) > 1 else []):
        fewer = [one for one in rules if one is not rule]
        if rewrite(missing, fewer) == rewrite(seen, fewer):
            rules = fewer
    return Likeness(tuple(dict.fromkeys(rule.says for rule in rules)), all(rule.safe for rule in rules))
