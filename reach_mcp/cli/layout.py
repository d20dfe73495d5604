"""Lay a table out for a terminal: aligned columns, and cells that do not fit on lines below their row."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

import click

from reach_mcp.cli.table import Column

GAP = "  "
INDENT = "      "


def text_width(text: str) -> int:
    """Columns of a terminal that a text takes: wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Lines of at most `width` columns, as far as ids and numbers allow; nothing is cut off.

    Where the table is too wide, columns leave it for indented lines below each row: notes first, then the widest.
    """
    widths = [
        max(text_width(text) for text in (column.name, *cells)) for column, *cells in zip(columns, *rows, strict=True)
    ]
    kept = list(range(len(columns)))
    while sum(widths[index] + len(GAP) for index in kept) - len(GAP) > width and (movable := _movable(columns, kept)):
        kept.remove(max(movable, key=lambda index: (columns[index].kind == "note", widths[index])))
    below = [index for index in range(len(columns)) if index not in kept]
    header = _join([columns[index].name for index in kept], kept, columns, widths)
    lines = [click.style(header, dim=True)]
    for row in rows:
        lines.append(_join([row[index] for index in kept], kept, columns, widths))
        note = "; ".join(f"{columns[index].name}: {row[index]}" for index in below if row[index])
        lines += textwrap.wrap(
            note, width, initial_indent=INDENT, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False
        )
    return lines


def _movable(columns: Sequence[Column], kept: Sequence[int]) -> list[int]:
    """The first column and those with ids and numbers stay."""
    return [index for index in kept[1:] if columns[index].kind not in ("id", "number")]


def _join(cells: Sequence[str], kept: Sequence[int], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for index, cell in zip(kept, cells, strict=True):
        blanks = " " * (widths[index] - text_width(cell))
        padded.append(blanks + cell if columns[index].kind == "number" else cell + blanks)
    return GAP.join(padded).rstrip()
