"""Words for what a caller got wrong: which name was probably meant, and what an argument takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "array": "a list",
}


def quote_name(name: str) -> str:
    """A name that a caller made up, on one line and bounded."""
    return ascii(name[:60])


def suggest(name: str, known: Iterable[str]) -> str:
    """What was probably meant instead of a name that isn't known, or else what there is."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f" (did you mean {near[0]}?)"
    return f" (there is {', '.join(known)})" if known else " (there is none)"


def describe_misfits(schema: Mapping[str, Any], error: ValidationError) -> Iterable[str]:
    """Each wrong argument once, with what would be right; the values themselves are not repeated."""
    known: Mapping[str, Mapping[str, Any]] = schema["properties"]
    faults: dict[str, Any] = {}
    for fault in error.errors(include_url=False, include_input=False):
        faults.setdefault(str(fault["loc"][0]), fault)
    for name, fault in faults.items():
        if fault["type"] == "extra_forbidden":
            yield f"unknown argument {quote_name(name)}{suggest(name, known)}"
        elif fault["type"] == "missing":
            yield f"{name} is missing: {describe_schema(known[name])}"
        elif fault["type"] == "value_error":
            yield f"{name}: {fault['msg'].removeprefix('Value error, ')}"
        else:
            yield f"{name} must be {describe_schema(known[name])}"


def describe_schema(schema: Mapping[str, Any]) -> str:
    """What a flat JSON schema accepts, in words."""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    text = _TYPES.get(schema.get("type", ""), "of another type")
    if low is not None and high is not None:
        text += f" from {low} to {high}"
    elif low is not None:
        text += f" of {low} or more"
    if "maxLength" in schema:
        text += f" of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return text
