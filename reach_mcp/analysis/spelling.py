"""Rules that make different spellings of one external id equal, applied one after another.

Each rule stands for a difference of which a stranger would agree that both spellings mean one record. One character
more, less or other is no such difference: neighbours in a series differ by exactly that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from html import unescape
from typing import NamedTuple
from unicodedata import decimal, normalize
from urllib.parse import unquote


class Rule(NamedTuple):
    """One difference between spellings of an id."""

    says: str
    form: Callable[[str], str]
    """Rewrites an id to the spelling that all ids with this difference share."""
    safe: bool = False
    """No way of numbering records makes this difference on purpose."""
    one_sided: bool = False
    """Holds only where one of the two ids has the form already."""


# --- forms ---------------------------------------------------------------------------------------------------------

_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_QUOTES = "\"'`´‘’“”„«»"
_BRACKETS = {"()", "[]", "{}", "<>"}
_LOOK_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТХҮаеѕіјорсухһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοιαρνϲϳıɑɡ",
    "ABESIJKMHOPCTXYaesijopcyxhdqwABEZHIKMNOPTYXoiapvcjiag",
)
_SALESFORCE = re.compile(r"[A-Za-z0-9]{15}[A-Za-z0-5]{3}")
_WORD_CASE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[A-Z]?[a-z]{2,}(?:[A-Z][a-z]+)+[A-Z]*")
_UUID = re.compile(r"(?:urn:)?(?:uuid:)?[{(]?" + "-?".join(f"([0-9a-f]{{{n}}})" for n in (8, 4, 4, 4, 12)) + "[)}]?")
_O0_L1 = str.maketrans("oOlIi", "00111")
_DIGITS_OR_LETTERS = re.compile(r"(?<![^\W_])[0-9oli]{4,}(?![^\W_])", re.I)
_THOUSANDS = re.compile(r"\d{1,3}(?:(?:,\d{3})+|(?:[ '’\xa0\u202f]\d{3})+|(?:\.\d{3}){2,})")
_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d+))?e(\+?)(\d{1,2})", re.I)
_GROUPS = re.compile(r"\(?\d[\d\s()./-]{6,}")
_ZEROS = re.compile(r"(?<![a-z0-9])(?<!\d[.,])((?=[a-z]*[g-z])[a-z]{2,})?0+(?=\d+(?![a-z0-9]))", re.I)


def _decode(text: str) -> str:
    """Undo URL encoding, HTML entities, and UTF-8 that was read as Windows-1252."""
    if not text.isascii():
        with suppress(ValueError):
            text = text.encode("cp1252").decode()
    return unescape(unquote(text)) if "%" in text or "&" in text else text


def _unify_unicode(text: str) -> str:
    return "".join(str(decimal(char)) if char.isdecimal() else char for char in normalize("NFKC", text))


def _strip_quotes(text: str) -> str:
    """Drop quotes on either side, a pair of brackets, and the equals sign with which spreadsheets protect text."""
    inner = text.removeprefix("=").strip(_QUOTES) if text[-1:] in _QUOTES else text.strip(_QUOTES)
    return (inner[1:-1] if inner[:1] + inner[-1:] in _BRACKETS else inner) or text


def _shorten_salesforce(text: str) -> str:
    """The 15 characters of an 18-character Salesforce id, whose last three say which of them are upper case."""
    if not _SALESFORCE.fullmatch(text):
        return text
    bits = [sum(char.isupper() << place for place, char in enumerate(text[at : at + 5])) for at in (0, 5, 10)]
    checksum = "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[value] for value in bits)
    return text[:15] if text[15:].upper() == checksum else text


def _fold_case(text: str) -> str:
    lower = text.casefold()
    if text == lower or len(text) == 1:
        return text
    counts = "@" not in text and text != text.upper() and any(map(_counts_by_case, re.findall("[A-Za-z0-9]+", text)))
    return text if counts else lower


def _counts_by_case(token: str) -> bool:
    """Whether upper and lower case are mixed as in base62 ids, where they are different digits."""
    runs = re.findall(r"[A-Za-z]+", token)
    if not all(map(_WORD_CASE.fullmatch, runs)):
        return True
    rest = re.sub(r"\A[A-Za-z]{3,}", "", token)
    return len(runs) > 1 and rest.upper() != rest != rest.lower()


def _join_uuid(text: str) -> str:
    match = _UUID.fullmatch(text) if len(text) >= 32 else None
    return "".join(match.groups()) if match else text


def _digits_of(token: re.Match[str]) -> str:
    """Digits for letters O, l and I in what is otherwise a number of four digits or more."""
    return token[0].translate(_O0_L1) if sum(map(str.isdigit, token[0])) >= 3 else token[0]


def _drop_thousands(text: str) -> str:
    return re.sub(r"\D", "", text) if _THOUSANDS.fullmatch(text) else text


def _expand_number(text: str) -> str:
    """A number that a spreadsheet has formatted, as plain digits."""
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        first, rest, plus, power = scientific.groups(default="")
        exact = (rest or plus) and len(rest.rstrip("0")) <= int(power)
        return first + rest.rstrip("0").ljust(int(power), "0") if exact else text
    return re.sub(r"\A(\d{3,})[.,]00?\Z", r"\1", text)


def _join_groups(text: str) -> str:
    """The digits of a date or phone number, of seven digits or more."""
    digits = re.sub(r"\D", "", text) if _GROUPS.fullmatch(text) else ""
    return digits if len(digits) >= 7 else text


def _join_parts(text: str, separators: re.Pattern[str], kept: str) -> str:
    """Leave out separators, but write `kept` for those that tell two ids apart: 1-11 and 11-1, A+ and A-."""
    parts = separators.split(text)
    if len(parts) == 1 or "@" in text:
        return text
    plain = "".join(parts[::2])
    if len(plain) <= 2 and not any(map(str.isdigit, plain)):
        return text
    joined = parts[0]
    for place in range(1, len(parts), 2):
        before, separator, after = parts[place - 1 : place + 2]
        joined += (kept if _divides(before, separator, after) else "") + after
    return joined


def _divides(before: str, separator: str, after: str) -> bool:
    if not before:
        return separator in "-.,−" and after[:1].isdigit()
    if not after:
        return separator in "-−"
    if before[-1].isdigit() and after[0].isdigit():
        return True
    letters = before[-1].isalpha() and after[0].isalpha()
    return letters and not (re.search(r"[^\W\d_]{3}\Z", before) and re.match(r"[^\W\d_]{3}", after))


_BLANKS = re.compile(r"(\s+)")
_SEPARATORS = re.compile(r"([-_./\\:,;#|~*\s'’·‐‑‒–—−]+)")

CHARACTER_RULES = (
    Rule("differs in encoding", _decode, safe=True),
    Rule("differs in Unicode composition (NFC or NFD)", partial(normalize, "NFC"), safe=True),
    Rule("differs in full-width or other compatibility characters", _unify_unicode, safe=True),
    Rule("differs in blanks at its start or end", lambda text: text.strip(" \xa0\u3000"), safe=True),
    Rule("differs in invisible characters", partial(_INVISIBLE.sub, ""), safe=True),
    Rule("differs in quotes or brackets around it", _strip_quotes, safe=True),
    Rule("differs in letters of another alphabet that look alike", lambda text: text.translate(_LOOK_ALIKE), safe=True),
)

RULES = (
    *CHARACTER_RULES,
    Rule("is the 15- or 18-character form of the same Salesforce id", _shorten_salesforce, safe=True),
    Rule("differs in letter case", _fold_case),
    Rule("is the same UUID with or without dashes or braces", _join_uuid, safe=True),
    Rule(
        "has digits 0 or 1 in place of letters O, l or I, or letters in place of digits",
        partial(_DIGITS_OR_LETTERS.sub, _digits_of),
    ),
    Rule("differs in thousands separators", _drop_thousands),
    Rule("is written as a spreadsheet number", _expand_number),
    Rule("differs in punctuation", _join_groups, one_sided=True),
    Rule("differs in leading zeros", partial(_ZEROS.sub, r"\1")),
    Rule("differs in blanks", partial(_join_parts, separators=_BLANKS, kept=" "), safe=True),
    Rule("differs in punctuation", partial(_join_parts, separators=_SEPARATORS, kept="-")),
)


_ORDINARY = re.compile(r"[\w.:/-]*", re.ASCII)
"""Texts that no rule about characters changes."""


def rules_for(*texts: str) -> tuple[Rule, ...]:
    """The rules that may change one of some texts."""
    return RULES[len(CHARACTER_RULES) :] if all(map(_ORDINARY.fullmatch, texts)) else RULES


def rewrite(text: str, rules: Iterable[Rule]) -> str:
    """Apply rules in order."""
    for rule in rules:
        text = rule.form(text)
    return text
