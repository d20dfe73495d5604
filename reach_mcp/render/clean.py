"""The one place that makes foreign text safe to read: cleaned, bounded, fenced.

Foreign is whatever comes from the API: error messages, ids, schema names. In the text of an answer each piece stands
in quotes behind a mark that is drawn anew for each answer, as in `k72"loc_1"`; quotes inside are replaced, so that the
data can neither close its fence nor open one. Nor does a chat that takes the text for Markdown find a link, an image, a
tag or code in it: what makes these is replaced by what looks like it. Structured content has all ids exact.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

LONGEST = 160
"""Characters of one piece of foreign text that are shown; the number of those cut stands behind them."""

LOOKED_AT = 4000
"""Characters of a text that are cleaned: more than is ever shown of it, however long it is."""

# What can be printed and yet not seen: variation selectors and fillers. All else that is hidden (control, format such
# as bidi, zero-width and tags, surrogates, private use, unassigned, separators) can't be printed, as Python has it.
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]")
_PLAIN = re.compile(r"[\x20-\x7e]*\Z")
_INERT = str.maketrans({'"': "\u2033", "<": "\u2039", "`": "\u02cb", "~": "\u223c"})
_ENTITY = re.compile(r"&(?=#?\w+;)")  # a chat would make of it whatever character it names, hidden ones too
_DEFANGED = {"](": "] (", "://": "[:]//", "www.": "www[.]"}
_SPACES = re.compile(r"\s+")
_CUT = re.compile(r"(.*)…\(\+([0-9]{1,9}) characters\)\Z", re.DOTALL)


def clean(text: str, longest: int = LONGEST) -> str:
    """Foreign text on one line, without what can't be seen, and bounded. Total and idempotent.

    Line breaks and tabs become spaces; other control, format, surrogate and unassigned characters become U+FFFD, one
    for each run, so that it shows that something was there. What was cut before may be cut again: the counts add up.
    """
    unread = max(len(text) - LOOKED_AT, 0)
    text = text[:LOOKED_AT]
    if not _PLAIN.match(text):
        text = _replace_hidden(text)
    text = _SPACES.sub(" ", text)
    if len(text) <= longest and not unread:
        return text
    before = _CUT.match(text)
    kept, cut = (before[1], int(before[2])) if before else (text, 0)
    if len(kept) <= longest and not unread:
        return text
    cut += len(kept[longest:]) + unread
    return f"{kept[:longest]}…(+{min(cut, 999_999_999)} characters)"


def _replace_hidden(text: str) -> str:
    text = _SELECTORS.sub("", _SPACES.sub(" ", text))
    hidden = {ord(char): "\ufffd" for char in set(text) if not char.isprintable()}
    return re.sub("\ufffd+", "\ufffd", text.translate(hidden))


@dataclass(frozen=True)
class Fence:
    """Marks foreign text in one answer."""

    mark: str

    def __call__(self, text: str, longest: int = LONGEST) -> str:
        text = _ENTITY.sub("& ", clean(text, longest).translate(_INERT))
        for active, inert in _DEFANGED.items():
            text = text.replace(active, inert)
        return f'{self.mark}"{text}"'


def draw_mark() -> str:
    """A mark that could not be known beforehand: a letter and two digits, two tokens long."""
    return secrets.choice("bcdfghjkmnpqrstvwxz") + f"{secrets.randbelow(90) + 10}"
