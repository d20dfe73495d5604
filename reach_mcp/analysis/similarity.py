"""Which two external ids are the same id, written differently by an import.

A difference counts when a stranger would agree that both spellings mean one record: letter case, blanks, leading zeros,
punctuation, a prefix, characters that look alike or cannot be seen, spreadsheet numbers. One character more, less or
other is no such difference: neighbours in a series differ by exactly that.

`compare` judges one pair. `index_keys` gives the dictionary keys under which all pairs that `compare` accepts meet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from reach_mcp.analysis.spelling import CASE, NUMERALS, SPELLING, Step, rewrite

MAX_ID_CHARS = 200
"""Longer ids are compared with none: they are texts rather than ids."""


class Likeness(NamedTuple):
    """How two ids resemble each other: `kinds` are the rules that it takes, `rule` says so in plain words."""

    kinds: tuple[str, ...]
    rule: str
    prefix: str = ""


def compare(missing: str, seen: str) -> Likeness | None:
    """The smallest set of rules that makes two different ids the same; None where there is none.

    `rule` is about the seen id: "has the prefix cust_", "differs in letter case".
    """
    left, right = _USUAL.fullmatch(missing), _USUAL.fullmatch(seen)
    if left and right and left[3] == right[3]:
        return _compare_words(left[1] + left[2], right[1] + right[2], len(left[3]))
    return _compare(missing, seen)


@lru_cache(maxsize=1024)
def _compare_words(missing: str, seen: str, digits: int) -> Likeness | None:
    """Compare two ids that end in the same number: the number itself does not matter, only how long it is."""
    return _compare(missing + "5" * digits, seen + "5" * digits)


def _compare(missing: str, seen: str) -> Likeness | None:
    if missing == seen or max(len(missing), len(seen)) > MAX_ID_CHARS:
        return None
    if _is_salesforce_pair(missing, seen):
        return Likeness(("salesforce",), "is the 15- or 18-character form of the same Salesforce id")
    spelling = _active(missing, seen, SPELLING)
    for steps in (spelling, spelling + _active(rewrite(missing, spelling), rewrite(seen, spelling), NUMERALS)):
        a, b = rewrite(missing, steps), rewrite(seen, steps)
        for relation in RELATIONS:
            if relation(a, b):
                return _reduce(missing, seen, steps, relation)
    return None


def _active(a: str, b: str, steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps that change one of two ids, each applied after those before it."""
    active = []
    for step in steps:
        before = a, b
        a, b = step.rewrite(a), step.rewrite(b)
        if (a, b) != before:
            active.append(step)
    return tuple(active)


def _reduce(missing: str, seen: str, steps: tuple[Step, ...], relation: Relation) -> Likeness | None:
    """Leave out every step that the likeness does not need, the most far-reaching first."""
    for step in reversed(steps):
        fewer = tuple([one for one in steps if one is not step])
        if relation(rewrite(missing, fewer), rewrite(seen, fewer)):
            steps = fewer
    last = relation(rewrite(missing, steps), rewrite(seen, steps))
    if last is None or (CASE in steps and not _case_is_style(missing, seen)):
        return None
    found = [Likeness((step.kind,), step.rule) for step in steps] + [last] * bool(last.kinds)
    return Likeness(tuple([one.kinds[0] for one in found]), _join_rules(one.rule for one in found), last.prefix)


def _join_rules(rules: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(rules)).replace(" and differs in ", " and ")


# --- relations of two rewritten ids --------------------------------------------------------------------------------

Relation: TypeAlias = Callable[[str, str], Likeness | None]

_SEPARATORS = "-_./\\:,;#|~* \t'’·‐‑‒–—−"
_PARTS = re.compile(f"([{re.escape(_SEPARATORS)}]+)")
_UUID = re.compile(
    r"(?:urn:)?(?:uuid:)?[{(]?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})[)}]?"
)
_PHONE = re.compile(r"(?:tel:)?(\+|00)?([\d\s()./-]+)")
_URI = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#]+/)+([^/?#]+)/?(?:[?#].*)?|mailto:(.+)", re.I | re.S)
_PREFIX = re.compile(r"((?:[^\W\d_]+[-_:./# ]+){1,3})(?=[^-_:./# ])(.+)", re.S)
_LETTERS = re.compile(r"([a-z]*[g-z][a-z]*)(\d{3,})")
_O0_L1 = str.maketrans("oOlIi", "00111")


def _equal(a: str, b: str) -> Likeness | None:
    return Likeness((), "") if a == b else None


def _same_uuid(a: str, b: str) -> Likeness | None:
    left, right = _UUID.fullmatch(a), _UUID.fullmatch(b)
    if left and right and left.groups() == right.groups():
        return Likeness(("uuid",), "is the same UUID with or without dashes or braces")
    return None


def _same_parts(a: str, b: str) -> Likeness | None:
    """Equal but for separators, where these do not tell two ids apart."""
    if "@" in a or "@" in b:
        return None
    (text, left), (other, right) = _split(a), _split(b)
    only_left, only_right = left.keys() - right.keys(), right.keys() - left.keys()
    one_sided = not (only_left - {0, len(text)}) or not (only_right - {0, len(text)})
    if text != other or not one_sided or not (len(text) > 2 or _digits(text)):
        return None
    both = left | right
    if not all(_may_join(text, place, both[place], left, right) for place in only_left | only_right):
        return None
    differ = [left.get(place, "") + right.get(place, "") for place in both if left.get(place) != right.get(place)]
    blanks = all(map(str.isspace, differ))
    return (
        Likeness(("inner_blanks",), "differs in blanks")
        if blanks
        else Likeness(("punctuation",), "differs in punctuation")
    )


def _split(text: str) -> tuple[str, dict[int, str]]:
    """An id without its separators, and which separator stands before which character of the rest."""
    plain, separators = "", {}
    for number, part in enumerate(_PARTS.split(text)):
        if number % 2:
            separators[len(plain)] = part
        else:
            plain += part
    return plain, separators


def _may_join(text: str, place: int, separator: str, left: dict[int, str], right: dict[int, str]) -> bool:
    """Whether a separator at a place of `text` can be missing in the other id without making it another id."""
    before, after = text[:place], text[place:]
    if not before:
        return not (separator in "-.,−" and after[0].isdigit())
    if not after:
        return separator not in ("-", "−")
    if before[-1].isdigit() and after[0].isdigit():
        plain = min(left, right, key=len)
        return len(text) >= 7 and text.isdigit() and not plain.keys() - {0, len(text)}
    if before[-1].isalpha() and after[0].isalpha():
        return bool(re.search(r"[^\W\d_]{3}\Z", before) and re.match(r"[^\W\d_]{3}", after))
    return True


def _same_phone(a: str, b: str) -> Likeness | None:
    left, right = _PHONE.fullmatch(a), _PHONE.fullmatch(b)
    if not left or not right or not (left[1] or right[1] or "(" in a + b):
        return None
    short, long = sorted((re.sub(r"\D", "", left[2]), re.sub(r"\D", "", right[2])), key=len)
    national = short.removeprefix("0")
    if len(national) >= 8 and (short == long or (not (left[1] and right[1]) and long.endswith(national))):
        return Likeness(("phone",), "is the same phone number") if len(long) - len(national) <= 3 else None
    return None


def _same_but_prefix(a: str, b: str) -> Likeness | None:
    for text, rest_of, verb in ((a, b, "has"), (b, a, "lacks")):
        uri = _URI.fullmatch(rest_of)
        if uri and (uri[1] or uri[2]) == text:
            return Likeness(("uri",), "is a URI that ends in it" if verb == "has" else "is the last part of the URI")
        match = _PREFIX.fullmatch(rest_of) or _LETTERS.fullmatch(rest_of)
        if match and match[2] == text and any(map(str.isdigit, text)):
            kind = "prefix" if not match[1].isalpha() else "letters"
            return Likeness((kind,), f"{verb} the prefix {match[1]}", match[1])
    return None


def _same_glyphs(a: str, b: str) -> Likeness | None:
    """Letter O for digit 0, letter l or I for digit 1, in what is otherwise a number of four digits or more."""
    left, right = re.split(r"[\W_]+", a), re.split(r"[\W_]+", b)
    if len(a) != len(b) or a.translate(_O0_L1) != b.translate(_O0_L1):
        return None
    differ = [pair for pair in zip(left, right, strict=False) if pair[0] != pair[1]]
    if all(len(x) >= 4 and (x.isdigit() or y.isdigit()) and _digits(x) >= 3 <= _digits(y) for x, y in differ):
        return Likeness(("glyphs",), "has digits 0 or 1 in place of letters O, l or I, or letters in place of digits")
    return None


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


RELATIONS: tuple[Relation, ...] = (_equal, _same_uuid, _same_phone, _same_parts, _same_but_prefix, _same_glyphs)


# --- guards and index ----------------------------------------------------------------------------------------------

_WORD_CASE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[A-Z]?[a-z]{2,}(?:[A-Z][a-z]+)+[A-Z]*")
_SALESFORCE = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-5]{3})?")
_SQUASH = str.maketrans({**dict.fromkeys(_SEPARATORS), **dict(zip("oil", "011", strict=True))})
_FOLD = str.maketrans("oil", "011")
_USUAL = re.compile(r"([A-Za-z]*[-_]?)(0*)([0-9]+)")
_DASHED_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def has_counting_case(text: str) -> bool:
    """Whether upper and lower case are mixed as in base62 ids, where they are different digits."""
    return (
        any(map(_counts_by_case, re.findall(r"[A-Za-z0-9]+", text))) if text.upper() != text != text.lower() else False
    )


def _counts_by_case(token: str) -> bool:
    runs = re.findall(r"[A-Za-z]+", token)
    if not all(map(_WORD_CASE.fullmatch, runs)):
        return True
    rest = re.sub(r"\A[A-Za-z]{3,}", "", token)
    return len(runs) > 1 and rest.upper() != rest != rest.lower()


def _case_is_style(missing: str, seen: str) -> bool:
    return "@" in seen or (len(seen) > 1 and not has_counting_case(missing) and not has_counting_case(seen))


def _is_salesforce_pair(a: str, b: str) -> bool:
    """Whether one id is the other's 18-character form: 15 characters and a checksum of which are upper case."""
    short, long = sorted((a, b), key=len)
    if len(short) != 15 or len(long) != 18 or long[:15] != short or not _SALESFORCE.fullmatch(long):
        return False
    bits = [sum(char.isupper() << place for place, char in enumerate(short[at : at + 5])) for at in (0, 5, 10)]
    return long[15:].upper() == "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[value] for value in bits)


def index_keys(text: str) -> tuple[Sequence[str], Sequence[str]]:
    """Dictionary keys of an id as a whole, and of its rest without a prefix.

    Two ids that `compare` accepts share a key of their wholes, or one's whole is the other's rest.
    """
    usual = _USUAL.fullmatch(text)
    if usual:
        return _usual_keys(*usual.groups())
    if _DASHED_UUID.fullmatch(text):
        return (text.replace("-", "").lower().translate(_FOLD),), ()
    return _all_keys(text) if len(text) <= MAX_ID_CHARS else ((), ())


def _usual_keys(prefix: str, zeros: str, digits: str) -> tuple[Sequence[str], Sequence[str]]:
    """Keys of an id that is a number, perhaps after a word. Most ids are: this saves most of the time."""
    if not prefix:
        wholes = [digits, zeros + digits] if zeros else [digits]
        return (wholes if len(digits) < 8 else [*wholes, "tel" + digits[-8:]]), ()
    word = prefix.lower().translate(_SQUASH)
    if zeros:
        return (word + digits, word + zeros + digits), (digits, zeros + digits)
    return (word + digits,), (digits,)


def _all_keys(text: str) -> tuple[Sequence[str], Sequence[str]]:
    spelled = rewrite(text, SPELLING)
    forms = dict.fromkeys((spelled, rewrite(spelled, NUMERALS)))
    wholes = [form.translate(_SQUASH) for form in forms]
    rests = [rest.translate(_SQUASH) for form in forms for rest in _rests(form)]
    if len(text) == 18 and wholes[0].isalnum():
        wholes.append(spelled[:15].translate(_SQUASH))
    if len(spelled) > 7 and _PHONE.fullmatch(spelled):
        wholes.append("tel" + re.sub(r"\D", "", spelled)[-8:])
    return wholes, rests


def _rests(form: str) -> list[str]:
    uri = _URI.fullmatch(form)
    match = _LETTERS.fullmatch(form) if form.isalnum() else _PREFIX.fullmatch(form)
    return [rest for rest in (uri and (uri[1] or uri[2]), match and match[2]) if rest]
