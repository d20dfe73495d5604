"""Our own words for wrong names and values: the name, what is wrong, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

MAX_ERRORS = 5
MAX_NAME_CHARS = 60

_WRONG = {
    "missing": "is missing",
    "string_too_long": "is too long",
    "too_long": "has too many items",
    "string_too_short": "is too short",
    "too_short": "is too short",
    "string_unicode": "is not valid Unicode",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "finite_number": "is not finite",
    "int_parsing_size": "is too large",
    "int_from_float": "is not whole",
    "literal_error": "has an unknown value",
}


def describe_errors(model: type[BaseModel], error: ValidationError, limit: int = MAX_ERRORS) -> str:
    """Each wrong field once, by its alias, up to the limit. Values are not repeated: they may be secret, or long.

    >>> describe_errors(ListBatchesArguments, error)
    'limit can't be read: it must be a whole number from 1 to 1000'
    """
    schemas = model.model_json_schema(by_alias=True)["properties"]
    aliases = {name: str(field.alias or name) for name, field in model.model_fields.items()}
    found: dict[str, str] = {}
    for one in error.errors(include_input=False, include_url=False):
        name = aliases.get(str(one["loc"][0]), str(one["loc"][0]))
        found.setdefault(name, _sentence(name, one, schemas[name], model.model_config.get("str_max_length")))
    return "; ".join(list(found.values())[:limit])


def _sentence(name: str, error: Mapping[str, Any], schema: Mapping[str, Any], max_chars: int | None) -> str:
    kind = error["type"]
    if kind == "value_error":  # one of our own validators
        return f"{name} {error['ctx']['error']}"
    wrong = _WRONG.get(kind, "can't be read" if kind.endswith("_parsing") else "is of a wrong type")
    item = "has an item that " if len(error["loc"]) > 1 else ""
    return f"{name} {item}{wrong}: it must be {_right(schema, max_chars)}"


def _right(schema: Mapping[str, Any], max_chars: int | None) -> str:
    """The values that a flat JSON schema allows, in words."""
    schema = next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), schema)
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    match schema["type"]:
        case "integer":
            return f"a whole number{_range(schema)}"
        case "number":
            return f"a number{_range(schema)}"
        case "boolean":
            return "true or false"
        case "array":
            return f"a list of up to {schema['maxItems']} texts{_chars(schema['items'], max_chars)}"
    return "the path of a file" if schema.get("format") == "path" else f"text{_chars(schema, max_chars)}"


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), f"{schema['maximum']:.9g}"
    return f" above {schema['exclusiveMinimum']:.9g}, up to {high}" if low is None else f" from {low:.9g} to {high}"


def _chars(schema: Mapping[str, Any], max_chars: int | None) -> str:
    least = f" of at least {schema['minLength']} characters" if "minLength" in schema else ""
    return f" of up to {max_chars} characters" if max_chars is not None else least


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
