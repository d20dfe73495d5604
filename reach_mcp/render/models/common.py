"""How a result of the analysis becomes an output model, and the parts of models that several answers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PrivateAttr, model_validator

from reach_mcp.analysis import results
from reach_mcp.render.formatting import iso_minute, to_datetime
from reach_mcp.render.sanitize import exact_id, inert

T = TypeVar("T")
Arguments = dict[str, str | int | bool | list[str]]

MAX_ITEMS = 600
"""Items of one list: hardly an item takes less than 40 bytes, so no answer holds more."""
MAX_NAMED = 20
MAX_MISSES = 5
MAX_NOTE_CHARS = 400
MAX_COUNT_NAME_CHARS = 60


def first(most: int) -> BeforeValidator:
    """Keep the first items of a list."""
    return BeforeValidator(lambda values: list(islice(values, most)))


def message(longest: int) -> BeforeValidator:
    """Make a text inert."""
    return BeforeValidator(lambda text: inert(text, longest))


def attribute(name: str) -> BeforeValidator:
    """Take one attribute of the value; None of None."""
    return BeforeValidator(lambda value: getattr(value, name, None))


def named_counts(most: int, label: Callable[[str], str] = str) -> BeforeValidator:
    """Pairs of name and count as a mapping; names with the same label, or cut to the same text, are added up."""

    def read(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name, count in islice(pairs, most):
            short = inert(label(name), MAX_COUNT_NAME_CHARS)
            counts[short] = counts.get(short, 0) + count
        return counts

    return BeforeValidator(read)


def _name(record: results.Record | None) -> str:
    return exact_id(record.name) if record else ""


Id = Annotated[str, BeforeValidator(lambda text: exact_id(text or ""))]
Name = Annotated[str, BeforeValidator(_name)]
"""`schema:external_id` of a record."""
Names = Annotated[list[Name], first(MAX_NAMED)]
Misses = Annotated[list[Name], first(MAX_MISSES)]
Note = Annotated[str, message(MAX_NOTE_CHARS)]
Count = Annotated[int, BeforeValidator(lambda count: count or 0)]
Length = Annotated[int, BeforeValidator(len)]
_Json = PlainSerializer(iso_minute, return_type=str, when_used="json-unless-none")
Time = Annotated[datetime | None, BeforeValidator(to_datetime), _Json]


def attributes(result: object) -> dict[str, object]:
    """The fields of a dataclass, not converted."""
    return {name: getattr(result, name) for name in getattr(result, "__dataclass_fields__", ())}


class Model(BaseModel):
    """A model reads a result by the names of its attributes, and a tuple by the order of its fields.

    `x_total` is the length of the whole list of which `x` shows the first items. It is sent only where not all are.
    """

    model_config = ConfigDict(validate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, result: object) -> object:
        if isinstance(result, tuple):
            return dict(zip(cls.model_fields, result, strict=True))
        return attributes(result) | cls.derive(result) if is_dataclass(result) else result

    @classmethod
    def derive(cls, _: Any, /) -> dict[str, object]:
        """Values of fields that are not attributes of the result."""
        return {}


class Items(Model, Generic[T]):
    """A part of a list."""

    total: int
    offset: int = 0
    more: str = Field(default="", description="Arguments that bring the rest")
    items: Annotated[list[T], first(MAX_ITEMS)] = Field(default=[])
    _given: int = PrivateAttr(default=0)

    def model_post_init(self, _: Any, /) -> None:
        self._given = len(self.items)

    @property
    def end(self) -> int:
        """The offset of the first item that is not shown."""
        return self.offset + len(self.items)

    def say_where_the_rest_is(self, view: str = "") -> None:
        cut = " (cut to the size limit)" if len(self.items) < self._given else ""
        where = f"{f'view={view}, ' if view else ''}offset={self.end}{cut}"
        self.more = where if self.end < self.total else ""


class Call(Model):
    why: str
    tool: str
    arguments: Arguments


class Coverage(Model):
    complete: bool
    batches: int
    of: int | None = None
    age_seconds: int = 0
    why: str = ""
    cursor: Id = ""


class LeftOut(Model):
    filter: Note = Field(validation_alias="description")
    batches: int = Field(default=0, validation_alias="batches_left_out")
    resources: int | None = Field(default=None, validation_alias="resources_left_out")
    undated: Annotated[list[Id], first(5)] = Field(default=[], description="Batches without a readable createdAt")
    undated_total: int = 0


class Report(Model):
    """The fields of every answer. Notes, calls and legend are sent last."""

    verdict: str
    as_of: Annotated[datetime, BeforeValidator(to_datetime), _Json]
    tenant: Id = ""
    notes: list[Note] = Field(default=[])
    next: list[Call] = Field(default=[])
    legend: list[str] = Field(default=[])


class Holding(Model):
    record: Name
    waiting: int


class Resource(Model):
    id: Id = ""
    record: Name
    batch: Id = Field(default="", validation_alias="batch_id")
    created: Time = Field(default=None, validation_alias="created_at")
    expires: Time = Field(default=None, validation_alias="expires_at")
    misses: Misses = Field(default=[])
    misses_total: int = 0
    waits_for: Misses = Field(default=[], description="Pending themselves")
