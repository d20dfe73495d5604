"""Rewrites that make different spellings of one external id equal: encodings, Unicode, blanks, case, number formats."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable
from html import unescape
from typing import NamedTuple, TypeAlias
from unicodedata import decimal, normalize
from urllib.parse import unquote

Rewrite: TypeAlias = Callable[[str], str]


class Step(NamedTuple):
    """One way to rewrite an id so that spellings of the same id become equal."""

    kind: str
    rule: str
    rewrite: Rewrite


def rewrite(text: str, steps: Iterable[Step]) -> str:
    """Apply steps in order."""
    for step in steps:
        text = step.rewrite(text)
    return text


# --- spelling ------------------------------------------------------------------------------------------------------

BASE64_GID = "Z2lkOi8v"
"""How base64 of `gid://` begins: global ids of older Shopify APIs."""
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


def _decode(text: str) -> str:
    if text.startswith(BASE64_GID):
        text = _or_same(text, lambda: b64decode(text + "=" * (-len(text) % 4)).decode())
    if not text.isascii():
        text = _or_same(text, lambda: text.encode("cp1252").decode())
    return unescape(unquote(text)) if "%" in text or "&" in text else text


def _or_same(text: str, decoded: Callable[[], str]) -> str:
    try:
        return decoded()
    except ValueError:
        return text


def _drop_invisible(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)


def _unify_unicode(text: str) -> str:
    if text.isascii():
        return text
    return "".join(str(decimal(char)) if char.isdecimal() else char for char in normalize("NFKC", text))


def _strip_quotes(text: str) -> str:
    """Drop quotes on either side, a pair of brackets, and the equals sign with which spreadsheets protect text."""
    inner = text.removeprefix("=").strip(_QUOTES) if text[-1:] in _QUOTES else text.strip(_QUOTES)
    return (inner[1:-1] if inner[:1] + inner[-1:] in _BRACKETS else inner) or text


# --- numerals ------------------------------------------------------------------------------------------------------

_THOUSANDS = re.compile(r"\d{1,3}(?:(?:,\d{3})+|(?:[ '’\xa0\u202f]\d{3})+|(?:\.\d{3}){2,})")
_DECIMAL = re.compile(r"((?:.*[^\d.,])?\d{3,}|\d+)[.,]00?", re.S)
_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d+))?e(\+?)(\d{1,2})", re.I)
_ZEROS = re.compile(r"(?<![a-z0-9])(?<!\d[.,])0+(?=\d)", re.I)
_PADDING = re.compile(r"(?<![a-z0-9])([a-z]{2,})0+(?=\d+(?![a-z0-9]))", re.I)


def _expand_number(text: str) -> str:
    """A number that a spreadsheet has formatted, as plain digits."""
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        first, rest, plus, power = scientific.groups(default="")
        exact = (rest or plus) and len(rest.rstrip("0")) <= int(power)
        return first + rest.rstrip("0").ljust(int(power), "0") if exact else text
    whole = _DECIMAL.fullmatch(text)
    return whole[1] if whole else text


def _drop_thousands(text: str) -> str:
    return re.sub(r"\D", "", text) if _THOUSANDS.fullmatch(text) else text


CASE = Step("case", "differs in letter case", str.casefold)

SPELLING = (
    Step("encoding", "differs in encoding", _decode),
    Step("composition", "differs in Unicode composition (NFC or NFD)", lambda text: normalize("NFC", text)),
    Step("compatibility", "differs in full-width or other compatibility characters", _unify_unicode),
    Step("outer_blanks", "differs in blanks at its start or end", lambda text: text.strip(" \xa0\u3000")),
    Step("invisible", "differs in invisible characters", _drop_invisible),
    Step("inner_blanks", "differs in blanks", lambda text: " ".join(text.split())),
    Step("quotes", "differs in quotes or brackets around it", _strip_quotes),
    Step(
        "look_alike", "differs in letters of another alphabet that look alike", lambda text: text.translate(_LOOK_ALIKE)
    ),
    CASE,
    Step("thousands", "differs in thousands separators", _drop_thousands),
)

NUMERALS = (
    Step("number", "is written as a spreadsheet number", _expand_number),
    Step("zeros", "differs in leading zeros", lambda text: _ZEROS.sub("", text)),
    Step("padding", "differs in leading zeros", lambda text: _PADDING.sub(r"\1", text)),
)
