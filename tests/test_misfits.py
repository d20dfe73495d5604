"""Words for wrong input: a model mends its call from them alone."""

from __future__ import annotations

from typing import Any

import pytest

from reach_mcp.misfits import describe_schema, quote_name, suggest


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"enum": ["a", "b"]}, "one of a, b"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number from 1 to 9"),
        ({"type": "number"}, "a number"),
        ({"type": "string"}, "a text"),
        ({"type": "string", "maxLength": 40}, "a text of 0 to 40 characters"),
        ({"type": "array", "items": {"type": "string"}}, "a list"),
        ({}, "of another type"),
    ],
)
def test_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert describe_schema(schema) == words


def test_nearest_name_is_suggested_or_else_all_there_are() -> None:
    assert suggest("limits", ["limit", "cursor"]) == " (did you mean limit?)"
    assert suggest("qqq", ["limit", "cursor"]) == " (there is limit, cursor)"
    assert suggest("qqq", []) == " (there is none)"


def test_name_that_a_caller_made_up_stays_on_one_line_and_short() -> None:
    """It goes into logs and error messages."""
    assert quote_name("a\nb\u202e") == "'a\\nb\\u202e'"
    assert len(quote_name("x" * 1000)) == 62
