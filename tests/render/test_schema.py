"""The published output schemas."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from reach_mcp.render.models import BatchDetailReport, BatchListReport, PendingReport
from reach_mcp.render.schema import output_schema

FORBIDDEN = ("$ref", "$defs", "title", "anyOf", "null", "additionalProperties", "default")


@pytest.mark.parametrize(
    ("model", "most_bytes"), [(PendingReport, 13_700), (BatchListReport, 3_800), (BatchDetailReport, 3_100)]
)
def test_a_schema_is_flat_and_small(model: type[BaseModel], most_bytes: int) -> None:
    schema = output_schema(model)
    compact = json.dumps(schema, separators=(",", ":"))
    assert [word for word in FORBIDDEN if f'"{word}"' in compact] == []
    assert len(compact) <= most_bytes
    assert schema["type"] == "object"
    assert {"verdict", "as_of"} <= set(schema["required"])


def test_descriptions_are_kept_where_a_field_needs_one() -> None:
    schema = output_schema(PendingReport)
    assert '"description": "Running total"' in json.dumps(schema)
