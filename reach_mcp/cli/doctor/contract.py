"""Compares an answer of `GET /api/batches` with the documented one: the structs that decode it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import msgspec
from msgspec import inspect

from reach_mcp.api.models import Batch
from reach_mcp.api.query import BatchType
from reach_mcp.tools.arguments import Status

_VALUES = {"status": get_args(Status), "batchType": get_args(BatchType)}
"""Fields of a batch with a list of values."""


class Pagination(msgspec.Struct, rename="camel"):
    has_next_page: bool
    cursor: str | None = None
    total: int | None = None


class Listing(msgspec.Struct):
    results: list[Batch]
    pagination: Pagination


class Answer(msgspec.Struct):
    success: bool
    data: Listing
    message: str | None = None


ANSWER = inspect.type_info(Answer)


def compare(value: object, expected: inspect.Type = ANSWER, place: str = "") -> Iterator[str]:
    """Each missing or unknown field and each unknown value, such as `data.results[].mood is unknown`."""
    match expected:
        case inspect.UnionType():  # all of ours are of one type and None
            yield from compare(value, expected.types[0], place)
        case inspect.ListType() if isinstance(value, list):
            for item in value:
                yield from compare(item, expected.item_type, f"{place}[]")
        case inspect.DictType() if isinstance(value, dict):  # its keys are ids or categories, which are the tenant's
            for item in value.values():
                yield from compare(item, expected.value_type, f"{place}.*")
        case inspect.StructType() if isinstance(value, dict):
            # Names in parentheses are not the API's.
            fields = {field.encode_name: field for field in expected.fields if field.encode_name[0] != "("}
            yield from (f"{place}.{name} is unknown" for name in value.keys() - fields)
            for name, field in fields.items():
                if name in value:
                    yield from compare(value[name], field.type, f"{place}.{name}")
                elif field.required:
                    yield f"{place}.{name} is missing"
        case inspect.StrType() if place.endswith(tuple(f"results[].{name}" for name in _VALUES)):
            if value not in _VALUES[place.rpartition(".")[2]]:
                yield f"{place} has the unknown value {value}"
