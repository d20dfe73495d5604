"""Tables for people and files: rows of typed cells, which each output format writes in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from reach_mcp.analysis.results import Record, Section


@dataclass(frozen=True, slots=True)
class Time:
    """A moment in Unix seconds. `relative` adds the distance from now ("in 38 min") for people."""

    at: float
    relative: bool = False


Cell = str | int | float | bool | Time | Record | tuple[Record, ...] | None
T = TypeVar("T")
Kind = Literal["text", "note", "id", "number", "time"]


@dataclass(frozen=True, slots=True)
class Column:
    """On a narrow terminal `note` cells go below their row first, `id` and `number` cells never do."""

    name: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Report:
    """An answer for people. `main` is the table that CSV writes; the other parts are for reading."""

    lines: list[str]
    main: Table
    before: list[Table] = field(default_factory=list)
    after: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def tables(self) -> list[Table]:
        return [table for table in (*self.before, self.main, *self.after) if table.rows]


def columns(text: str) -> tuple[Column, ...]:
    """Columns from a short form: names separated by ` | `, with `#` before a number, `@` a time, `$` an id,
    `~` a note."""
    kinds: dict[str, Kind] = {"#": "number", "@": "time", "$": "id", "~": "note"}
    names = text.split(" | ")
    return tuple(Column(name.lstrip("#@$~"), kinds.get(name[0], "text")) for name in names)


def part(title: str, section: Section[T] | None) -> str:
    """The title, with the part of the list that is shown where it is not the whole."""
    if section is None or len(section.items) == section.total:
        return title
    return f"{title}, {len(section.items):,} of {section.total:,}"


def items(section: Section[T] | None) -> tuple[T, ...]:
    """The items of a section; none where the section was not asked for."""
    return section.items if section else ()
