"""Text of a given width: lines that wrap between words, and aligned tables that cut nothing off.

Colours are names that click knows; empty is none. They repeat what the text says, and a pipe loses them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import click

GAP, INDENT = "  ", "      "
MIN_FOLDED = 20
"""Columns that a text cell needs at least, where it takes several lines."""
URGENT = "bright_red"
_SHORTLY = r"\(\d+ of them within 1 h|\(in (?:under )?[1-5]?\d min\)"
_URGENT = re.compile(rf"(Incomplete:.*|\d+ resources?(?: of it)? (?:has|have) expired and (?:is|are) lost|{_SHORTLY})")

Grid = Sequence[Sequence[str]]
Pieces = Sequence[tuple[str, str]]
"""Texts with their colours, that follow one another."""


@dataclass(frozen=True, slots=True)
class Column:
    """On a narrow terminal `note` cells go below their row first, `id` and `number` cells never do."""

    name: str
    kind: str = "text"


def text_width(text: str) -> int:
    """Columns of a terminal that a text takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def paint(text: str, colour: str) -> str:
    return click.style(text, fg=colour, bold=colour == URGENT or None) if colour else text


def mark_urgent(sentence: str) -> Pieces:
    """What is lost, or will be within an hour, and what was not read, apart from the rest of a verdict's sentence."""
    return [(part, URGENT if number % 2 else "") for number, part in enumerate(_URGENT.split(sentence))]


def wrap(pieces: Pieces, width: int, indent: str = "") -> list[str]:
    """Lines of at most `width` columns. No word is broken: commands and ids can be copied."""
    lines: list[str] = []
    left = 0
    shades = [colour for text, colour in pieces for _ in text]
    for found in re.finditer(r"( *)([^ ]+)", "".join(text for text, _ in pieces)):
        blanks, word = found.groups()
        taken, painted = text_width(word), paint(word, shades[found.start(2)])
        if lines and len(blanks) + taken <= left:
            lines[-1] += blanks + painted
            left -= len(blanks) + taken
        else:
            lines.append(indent + painted)
            left = width - len(indent) - taken
    return lines


def fit(text: str, width: int) -> str:
    """Lines for people in at most `width` columns. An indented line is a command: its note goes below it."""
    if max(map(text_width, text.split("\n"))) <= width:
        return text
    text = re.sub(r"^(  \S.*?)   +(.*)", rf"\1\n{INDENT}\2", text, flags=re.MULTILINE)
    lines = (wrap([(line, "")], width) if line[:1] != " " else [line] for line in text.split("\n"))
    return "\n".join(chain.from_iterable(lines))


def lay_out(columns: Sequence[Column], rows: Grid, width: int, colours: Grid = ()) -> list[str]:
    """Lines of at most `width` columns, as far as ids and numbers allow; nothing is cut off.

    Where the table is too wide, columns leave it for indented lines below each row: notes first, then from the right.
    A text that needs little more room is folded in its column instead. The first column and those with ids and numbers
    stay. `colours` are those of the rows' cells.
    """
    names = [column.name for column in columns]
    cells_of = [*zip(names, *rows, strict=True)]
    widths = [max(map(text_width, cells)) for cells in cells_of]
    kept = list(range(len(columns)))
    movable = [index for index in kept[1:] if columns[index].kind not in ("id", "number")]
    movable.sort(key=lambda index: (columns[index].kind == "note", index))
    while movable and (over := sum(widths[index] + len(GAP) for index in kept) - len(GAP) - width) > 0:
        index = movable.pop()
        longest = max(text_width(word) for cell in cells_of[index] for word in cell.split())
        if columns[index].kind == "text" and widths[index] - over >= max(MIN_FOLDED, longest):
            widths[index] -= over
        else:
            kept.remove(index)
    below = [index for index in range(len(columns)) if index not in kept]
    shown, room = [columns[index] for index in kept], [widths[index] for index in kept]
    lines = [click.style(_join([names[index] for index in kept], shown, room), dim=True)]
    for cells, shades in zip(rows, colours or [[""] * len(names)] * len(rows), strict=True):
        folded = [_fold(cells[index], shades[index], widths[index]) for index in kept]
        lines += [_join(parts, shown, room) for parts in zip_longest(*folded, fillvalue="")]
        notes = [
            [("; ", ""), (f"{names[index]}: ", ""), (cells[index].lstrip(), shades[index])]
            for index in below
            if cells[index]
        ]
        lines += wrap([*chain.from_iterable(notes)][1:], width, INDENT)
    return lines


def _fold(cell: str, colour: str, width: int) -> list[str]:
    return [paint(cell, colour)] if text_width(cell) <= width else wrap([(cell, colour)], width)


def _join(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        blanks = " " * (width - text_width(click.unstyle(cell) if "\x1b" in cell else cell))
        padded.append(blanks + cell if column.kind == "number" else cell + blanks)
    return GAP.join(padded).rstrip()
