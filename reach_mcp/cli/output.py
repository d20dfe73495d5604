"""Write a report as a table for people, as Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias, cast

import click

from reach_mcp.analysis.results import Record
from reach_mcp.cli.layout import lay_out
from reach_mcp.cli.table import Cell, Column, Report, Table, Time
from reach_mcp.cli.times import Clock, iso
from reach_mcp.render.sanitize import visible

Format = Literal["table", "json", "csv", "markdown"]
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

PIPED_WIDTH = 10_000
"""Columns of a table that no terminal shows: each row stays on one line."""
MAX_CELL_CHARS = 100_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters that a spreadsheet takes for a formula."""
TIME_FIELDS = {"as_of", "created", "started", "completed", "at", "earliest_expiry", "deadline", "start", "next_at"}
TIME_FIELDS |= {"expired_at", "expires_at", "created_at", "next_expiry", "since"}
"""Fields of the results that hold Unix seconds."""


def write(report: Report, result: object, output: Format, clock: Clock) -> None:
    """Print `result` as JSON, or its `report` in any other format."""
    match output:
        case "json":
            # Escaped to ASCII, the delete character included: an id cannot steer a terminal.
            click.echo(json.dumps(to_json(result), indent=2).replace("\x7f", "\\u007f"))
        case "csv":
            click.echo(to_csv(report.main), nl=False)
        case "markdown":
            click.echo(to_markdown(report, clock))
        case _:
            click.echo(to_text(report, clock, terminal_width()))


# --- for people ----------------------------------------------------------------------------------------------------


def people_cell(cell: Cell, clock: Clock) -> str:
    """The text of a cell on one line, with control and invisible characters replaced."""
    match cell:
        case None:
            return ""
        case Time():
            return clock.format(cell)
        case Record():
            return visible(cell.name, MAX_CELL_CHARS)
        case tuple():
            return visible(", ".join(record.name for record in cell), MAX_CELL_CHARS)
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case _:
            return visible(str(cell), MAX_CELL_CHARS)


def people_rows(table: Table, clock: Clock) -> tuple[list[Column], list[list[str]]]:
    """Columns and rows as text, without the columns that are empty in every row."""
    rows = [[people_cell(cell, clock) for cell in row] for row in table.rows]
    used = [index for index in range(len(table.columns)) if any(row[index] for row in rows)]
    return [table.columns[index] for index in used], [[row[index] for index in used] for row in rows]


def to_text(report: Report, clock: Clock, width: int) -> str:
    """Aligned tables of at most `width` columns, with styles that a terminal shows and a pipe loses."""
    lines = [line for text in report.lines for line in _wrap(text, width)]
    for table in report.tables:
        lines += ["", *([click.style(table.title, bold=True)] if table.title else [])]
        lines += lay_out(*people_rows(table, clock), width)
    lines += [""] if report.notes else []
    return "\n".join([*lines, *(line for note in report.notes for line in _wrap(note, width))])


def terminal_width() -> int:
    """Columns of the terminal. A pipe or file gets one line for each row."""
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return PIPED_WIDTH if wide else shutil.get_terminal_size().columns


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(visible(text, MAX_CELL_CHARS), width, break_long_words=False, break_on_hyphens=False)


# --- Markdown, CSV, JSON -------------------------------------------------------------------------------------------


def to_markdown(report: Report, clock: Clock) -> str:
    blocks = ["\n".join(_escape_markdown(visible(line, MAX_CELL_CHARS)) for line in report.lines)]
    for table in report.tables:
        columns, rows = people_rows(table, clock)
        lines = [[column.name for column in columns], ["---:" if c.kind == "number" else "---" for c in columns]]
        lines += [[_escape_markdown(cell) for cell in row] for row in rows]
        blocks += [f"## {table.title}"] if table.title else []
        blocks += ["\n".join(f"| {' | '.join(line)} |" for line in lines)]
    return "\n\n".join([*blocks, *(_escape_markdown(visible(note, MAX_CELL_CHARS)) for note in report.notes)])


def _escape_markdown(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*[]<>|!&" else char for char in text)


def to_csv(table: Table) -> str:
    """The table as CSV. A record takes three columns; a text that a spreadsheet would run gets a leading apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    first = table.rows[0] if table.rows else ()
    writer.writerow(_csv_header(table.columns, first))
    writer.writerows([list(_csv_cells(row)) for row in table.rows])
    return out.getvalue()


def _csv_header(columns: Iterable[Column], first: tuple[Cell, ...]) -> Iterator[str]:
    cells = iter(first)
    for column in columns:
        if isinstance(next(cells, None), Record) or column.name == "record":
            yield from ("schema", "external_id", "schema_id")
        else:
            yield column.name.replace(" ", "_")


def _csv_cells(row: tuple[Cell, ...]) -> Iterator[str]:
    for cell in row:
        match cell:
            case Record():
                yield from map(_guard, (cell.schema, cell.external_id, cell.schema_id))
            case tuple():
                yield _guard(" ".join(record.name for record in cell))
            case Time():
                yield iso(cell.at)
            case str():
                yield _guard(cell)
            case bool():
                yield str(cell).lower()
            case _:
                yield "" if cell is None else str(cell)


def _guard(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


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
