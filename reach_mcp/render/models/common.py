"""Parts of output models that several answers share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, Field, PlainSerializer

from reach_mcp.render.formatting import iso_minute

T = TypeVar("T")
Time = Annotated[datetime, PlainSerializer(iso_minute, return_type=str, when_used="json")]
Arguments = dict[str, str | int | bool | list[str]]


class Items(BaseModel, Generic[T]):
    """A part of a list."""

    total: int
    offset: int = 0
    more: str = Field(default="", description="Arguments that bring the rest")
    items: list[T] = Field(default_factory=list)

    @property
    def end(self) -> int:
        """The offset of the first item that is not shown."""
        return self.offset + len(self.items)


class Call(BaseModel):
    why: str
    tool: str
    arguments: Arguments = Field(default_factory=dict)


class Coverage(BaseModel):
    complete: bool
    batches: int = Field(description="Read")
    of: int | None = None
    pages: int = 0
    age_seconds: int = 0
    why: str = Field(default="", description="Why it is not complete")
    cursor: str = ""


class LeftOut(BaseModel):
    filter: str
    batches: int = 0
    resources: int = 0
    undated: list[str] = Field(default_factory=list, description="Batches without a readable createdAt")
    undated_total: int = 0


class Head(BaseModel):
    """The first fields of every answer."""

    verdict: str
    as_of: Time
    tenant: str = ""


class Tail(BaseModel):
    """The last fields of every answer. As the first base class it comes last: pydantic collects from the end."""

    notes: list[str] = Field(default_factory=list)
    next: list[Call] = Field(default_factory=list)
    legend: list[str] = Field(default_factory=list)


class Holding(BaseModel):
    record: str
    waiting: int


class Resource(BaseModel):
    id: str = ""
    record: str
    batch: str = ""
    created: Time | None = None
    expires: Time | None = None
    misses: list[str] = Field(default_factory=list)
    misses_total: int = Field(default=0, description="Where not all are shown")
