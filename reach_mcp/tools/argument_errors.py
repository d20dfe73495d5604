"""Words for wrong arguments: the name that was probably meant, and the values that an argument takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

MAX_ERRORS = 5
"""Errors that one message names."""

MAX_NAME_CHARS = 60


def quote_name(name: str) -> str:
    """A name that a caller made up, on one line, in ASCII and bounded."""
    return ascii(name[:MAX_NAME_CHARS]) + ("…" if len(name) > MAX_NAME_CHARS else "")


def closest(name: str, known: Iterable[str], cutoff: float = 0.75) -> str | None:
    """The known name that was probably meant, if any."""
    return next(iter(difflib.get_close_matches(name[:MAX_NAME_CHARS], list(known), n=1, cutoff=cutoff)), None)


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint in parentheses: the name that was probably meant, else all names."""
    known = list(known)
    near = closest(name, known, cutoff=0.6)
    if near:
        return f" (did you mean {near}?)"
    return f" (known: {', '.join(known)})" if known else " (there are none)"


def describe_errors(schema: Mapping[str, Any], error: ValidationError) -> str:
    """Each wrong argument once, with the values that are right. The values given are not repeated."""
    found: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(detail["loc"][0])
        found.setdefault(name, _describe(name, detail["type"], detail["msg"], schema["properties"].get(name, {})))
    return "; ".join(list(found.values())[:MAX_ERRORS])


def _describe(name: str, kind: str, message: str, schema: Mapping[str, Any]) -> str:
    if kind == "missing":
        return f"{name} is missing ({schema.get('description', 'required')})"
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} {text}"
