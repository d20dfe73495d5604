"""Forgiving readers of single argument values, as pydantic validators.

Models and hosts write values in many ways: numbers for text, text for numbers, `"null"` for nothing, enum values in any
case or by the labels that answers print, one text for a list. Numbers are clamped, with a note.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import partial
from typing import Any, get_args

from pydantic import BeforeValidator, ValidationInfo

MAX_TEXT_CHARS = 500
MAX_LIST_ITEMS = 200

SYNONYMS = {
    "json_ingest": "PARTNER_RESOURCE_JSON_INGEST",
    "ingest": "PARTNER_RESOURCE_JSON_INGEST",
    "batch_delete": "PARTNER_RESOURCE_BATCH_DELETE",
    "delete": "PARTNER_RESOURCE_BATCH_DELETE",
    "batch_patch": "PARTNER_RESOURCE_BATCH_PATCH",
    "patch": "PARTNER_RESOURCE_BATCH_PATCH",
    "created": "createdAt",
    "started": "startedAt",
    "completed": "completedAt",
    "ascending": "asc",
    "descending": "desc",
    "failed": "failure",
    "succeeded": "success",
    "running": "processing",
    "partial": "partial_success",
}
"""Other words for enum values: labels that answers print, and what people say."""

_SEPARATORS = re.compile(r"[\s-]+")


def _read_text(value: object) -> object:
    """Text as it is, also where it looks like JSON. Numbers are taken as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if len(value) > MAX_TEXT_CHARS:
        raise ValueError(f"must be at most {MAX_TEXT_CHARS} characters long")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("contains characters that are not valid Unicode")
    return value


def _read_list(value: object) -> object:
    """A list of texts. One text is a list of one, and a JSON array in a text is a list."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = [value]
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_LIST_ITEMS:
        raise ValueError(f"must have at most {MAX_LIST_ITEMS} items")
    return [_read_text(item) for item in items if not is_blank(item)]


def _read_choice(choices: tuple[str, ...], value: object) -> object:
    """An enum value in any case, with any separator, or by another word for it."""
    if not isinstance(value, str):
        raise ValueError(f"must be one of {', '.join(choices)}")
    word = _SEPARATORS.sub("_", value.strip()[:MAX_TEXT_CHARS]).lower()
    by_word = {choice.lower(): choice for choice in choices} | {
        choice.lower().replace("_", ""): choice for choice in choices
    }
    found = by_word.get(word) or by_word.get(word.replace("_", ""))
    if found is None and SYNONYMS.get(word) in choices:
        found = SYNONYMS[word]
    if found is None:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return found


def _read_count(name: str, low: int, high: int, value: object, info: ValidationInfo) -> object:
    """A whole number, clamped to its bounds with a note."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = float(value[:40])
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and value % 1):
        raise ValueError("must be a whole number")
    number = low if value < low else high if value > high else int(value)
    if number != value and info.context is not None:
        info.context.append(f"{name} was set to {number}, its {'least' if number == low else 'largest'} value.")
    return number


def choice(values: Any) -> BeforeValidator:
    return BeforeValidator(partial(_read_choice, get_args(values)))


def count(name: str, low: int, high: int) -> BeforeValidator:
    def read(value: object, info: ValidationInfo) -> object:
        return _read_count(name, low, high, value, info)

    return BeforeValidator(read)


def is_blank(value: object) -> bool:
    """Return True for values that mean that an argument is absent."""
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "null", "none", "undefined"))


TEXT = BeforeValidator(_read_text)
TEXTS = BeforeValidator(_read_list)
