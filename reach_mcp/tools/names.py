"""Hints for names that a caller made up: tools, prompts and arguments."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_NAME_CHARS = 60


def quote_name(name: str) -> str:
    """A name that a caller made up, on one line, in ASCII and bounded."""
    return ascii(name[:MAX_NAME_CHARS]) + ("…" if len(name) > MAX_NAME_CHARS else "")


def closest(name: str, known: Iterable[str], cutoff: float = 0.75) -> str | None:
    """The known name that was probably meant, if any."""
    return next(iter(get_close_matches(name[:MAX_NAME_CHARS], list(known), n=1, cutoff=cutoff)), None)


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint in parentheses: the name that was probably meant, else all names."""
    near = closest(name, known, cutoff=0.6)
    return f" (did you mean {near}?)" if near else f" (known: {', '.join(known) or 'none'})"
