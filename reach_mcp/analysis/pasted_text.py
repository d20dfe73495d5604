"""Texts pasted from an answer or a chat, without the marks around them."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_TEXT_CHARS = 1000
"""Longer texts are only looked up as they stand."""

_DELIMITED = re.compile(r'(?<![A-Za-z0-9])[a-z]\d\d"([^"]*)"')
_ENCLOSED = re.compile(
    r"""\s*(?:"(.*)"|'(.*)'|`+(.*?)`+|“(.*)”|‘(.*)’|«(.*)»|\[(.*)\]|\((.*)\)|\{(.*)\}|<(.*)>)[.,;]?\s*""", re.S
)


def spellings(text: str) -> Iterator[str]:
    """A text as it stands, then without outer blanks, delimiters, quotes and brackets; each once."""
    seen = dict.fromkeys((text, text.strip(), _DELIMITED.sub(r"\1", text).strip()))
    yield from seen
    if len(text) > MAX_TEXT_CHARS:
        return
    inner = _DELIMITED.sub(r"\1", text)
    while match := _ENCLOSED.fullmatch(inner):
        inner = next((group for group in match.groups() if group is not None), "").strip()
        if inner and inner not in seen:
            seen[inner] = None
            yield inner
