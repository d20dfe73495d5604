"""Reports for people and files: typed tables, and their forms as text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import chain
from typing import Literal, TypeAlias, cast

import click

from reach_mcp.analysis.results import Record
from reach_mcp.analysis.times import to_utc
from reach_mcp.cli.layout import URGENT, Column, lay_out, mark_urgent, wrap
from reach_mcp.render.formatting import HOUR, until
from reach_mcp.render.glossary import CAUSES
from reach_mcp.render.sanitize import visible

Format = Literal["table", "json", "csv", "markdown"]
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

KINDS = {"#": "number", "$": "id", "~": "note"}
RECORD = ["schema", "external_id", "schema_id"]
COLOURS: dict[object, str] = {"failure": "red", "partial_success": "yellow", "processing": "cyan", "success": "green"}
COLOURS.update({"failed": "red", "deleted": "red", "expired": "red", CAUSES["in_progress"]: "cyan", "": "", None: ""})
"""Of states and causes: red is lost or refused, yellow needs a hand, cyan is still under way."""
OTHER_COLOUR = {"status": "", "cause": "yellow"}
DEADLINES = ("first lost", "deadline", "expires")
PIPED_WIDTH = 10_000
"""Columns of a table that no terminal shows: each row stays on one line."""
MAX_CELL_CHARS = 100_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters that a spreadsheet takes for a formula."""
TIME_FIELDS = {"as_of", "created", "started", "completed", "at", "earliest_expiry", "deadline", "start", "next_at"}
TIME_FIELDS |= {"expired_at", "expires_at", "created_at", "next_expiry", "since"}
"""Fields of the results that hold Unix seconds."""


@dataclass(frozen=True, slots=True)
class Time:
    """A moment in Unix seconds. `relative` adds the distance from now ("in 38 min") for people."""

    at: float
    relative: bool = False


Cell = str | int | bool | Time | Record | tuple[Record, ...] | None


@dataclass(frozen=True, slots=True)
class Table:
    """`header` is the short form of the columns: names separated by ` | `, with `#` before a number, `$` an id,
    `~` a note."""

    title: str
    header: str
    rows: Sequence[tuple[Cell, ...]]

    @property
    def columns(self) -> list[Column]:
        return [Column(name.lstrip("#$~"), KINDS.get(name[0], "text")) for name in self.header.split(" | ")]


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


@dataclass(frozen=True)
class Clock:
    """The time of the reading, and the zone of the reader (None: the zone of this machine)."""

    now: float
    zone: tzinfo | None = None

    def format(self, time: Time) -> str:
        """Such as `13:42 (12:42Z), in 38 min`. The date is left out if it is today's, the year if it is this one."""
        local, utc = self._local(time.at), to_utc(time.at)
        shown = f"{'' if local.date() == utc.date() else f'{utc:%b} {utc.day} '}{utc:%H:%M}Z"
        text = f"{self._day(local)}{local:%H:%M}" + (f" ({shown})" if local.utcoffset() else "Z")
        return f"{text}, {until(utc, to_utc(self.now))}" if time.relative else text

    def _day(self, local: datetime) -> str:
        today = self._local(self.now)
        if local.date() == today.date():
            return ""
        return f"{local:%b} {local.day} " + ("" if local.year == today.year else f"{local.year} ")

    def _local(self, at: float) -> datetime:
        """The reader's time; UTC where there is none: in the year 9999, and on Windows before 1970 and after 3000."""
        try:
            return to_utc(at).astimezone(self.zone)
        except (OverflowError, OSError):
            return to_utc(at)


def write(report: Report, result: object, output: Format, clock: Clock) -> None:
    """Print `result` as JSON, or its `report` in any other format."""
    match output:
        case "json":
            click.echo(json_text(result))
        case "csv":
            click.echo(to_csv(report.main), nl=False)
        case "markdown":
            click.echo(to_markdown(report, clock))
        case _:
            click.echo(to_text(report, clock, terminal_width()))


# --- text ----------------------------------------------------------------------------------------------------------


def people_cell(cell: Cell, clock: Clock) -> str:
    """The text of a cell on one line, with control and invisible characters replaced."""
    match cell:
        case Time():
            return clock.format(cell)
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case Record():
            return clean(cell.name)
        case tuple():
            return clean(", ".join(record.name for record in cell))
        case _:
            return clean(cell or "")


def clean(text: str) -> str:
    return visible(text, MAX_CELL_CHARS)


def people_rows(table: Table, clock: Clock) -> tuple[list[Column], list[list[str]]]:
    """Columns and rows as text, without the columns that are empty in every row."""
    rows, columns = [[people_cell(cell, clock) for cell in row] for row in table.rows], table.columns
    used = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    return [columns[index] for index in used], [[row[index] for index in used] for row in rows]


def to_text(report: Report, clock: Clock, width: int) -> str:
    """Aligned tables of at most `width` columns, with styles that a terminal shows and a pipe loses."""
    lines = [line for text in report.lines for line in wrap(mark_urgent(clean(text)), width)]
    for table in report.tables:
        lines += ["", *([click.style(table.title, bold=True)] if table.title else [])]
        columns, rows = people_rows(table, clock)
        lines += lay_out(columns, rows, width, _colours(table, columns, clock))
    notes = [line for note in report.notes for line in wrap([(clean(note), "")], width)]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _colours(table: Table, columns: Sequence[Column], clock: Clock) -> list[list[str]]:
    """The colour of each cell in these columns: states, causes, and deadlines within an hour have one."""
    numbers = [table.columns.index(column) for column in columns]
    return [[_colour(table.columns[number].name, row[number], clock) for number in numbers] for row in table.rows]


def _colour(column: str, cell: Cell, clock: Clock) -> str:
    near = isinstance(cell, Time) and column in DEADLINES and 0 <= cell.at - clock.now < HOUR
    return URGENT if near else COLOURS.get(cell, OTHER_COLOUR[column]) if column in OTHER_COLOUR else ""


def terminal_width() -> int:
    """Columns of the terminal. A pipe or file gets one line for each row."""
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return PIPED_WIDTH if wide else shutil.get_terminal_size().columns


# --- Markdown, CSV, JSON -------------------------------------------------------------------------------------------


def to_markdown(report: Report, clock: Clock) -> str:
    blocks = ["\n".join(_escape_markdown(clean(line)) for line in report.lines)]
    for table in report.tables:
        columns, rows = people_rows(table, clock)
        lines = [[column.name for column in columns], ["---:" if c.kind == "number" else "---" for c in columns]]
        lines += [[_escape_markdown(cell) for cell in row] for row in rows]
        blocks += [f"## {table.title}"] if table.title else []
        blocks += ["\n".join(f"| {' | '.join(line)} |" for line in lines)]
    return "\n\n".join([*blocks, *(_escape_markdown(clean(note)) for note in report.notes)])


def _escape_markdown(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*[]<>|!&" else char for char in text)


def to_csv(table: Table) -> str:
    """The table as CSV. A record takes three columns; a text that a spreadsheet would run gets a leading apostrophe."""
    out = io.StringIO()
    names = [RECORD if column.name.endswith("record") else [column.name.replace(" ", "_")] for column in table.columns]
    rows = [[_csv_cells(cell, len(under)) for cell, under in zip(row, names, strict=True)] for row in table.rows]
    csv.writer(out, lineterminator="\n").writerows(list(chain.from_iterable(line)) for line in (names, *rows))
    return out.getvalue()


def _csv_cells(cell: Cell, count: int) -> list[str]:
    match cell:
        case Record():
            return [_guard(str(getattr(cell, name))) for name in RECORD]
        case tuple():
            return [_guard(" ".join(record.name for record in cell))]
        case Time():
            return [iso(cell.at)]
        case str():
            return [_guard(cell), *[""] * (count - 1)]
        case _:
            return ["" if cell is None else str(cell).lower()]


def _guard(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def iso(at: float) -> str:
    """RFC 3339 in UTC."""
    return to_utc(at).isoformat(timespec="seconds").replace("+00:00", "Z")


def json_text(result: object) -> str:
    """A result as JSON, escaped to ASCII, the delete character included: an id cannot steer a terminal."""
    return json.dumps(to_json(result), indent=2).replace("\x7f", "\\u007f")


def to_json(value: object, name: str = "") -> Json:
    """The fields of a result by their names. Times are RFC 3339 in UTC, an error is its text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {key: to_json(item, key) for key, item in fields.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, float) and name in TIME_FIELDS:
        return iso(value)
    if isinstance(value, BaseException):
        return str(value)
    return cast("Json", value)
