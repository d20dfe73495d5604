"""A document for people, and its form as Markdown.

Every text is one line in which backticks enclose ids and texts of the tenant, as `code` writes them. They stay exact
and no renderer acts on them. The rest of a text is made inert.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reach_mcp.cli.layout import Column
from reach_mcp.cli.output import Cell, Clock, Table, Time
from reach_mcp.render.sanitize import MAX_ID_CHARS, inert, visible

MAX_TEXT_CHARS = 4_000
_MARKUP = re.compile(r"[\\*_\[\]<>|!&~#]")


@dataclass(frozen=True, slots=True)
class Checklist:
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text to copy, in lines of which none starts with a text of the tenant: so none ends a block of code."""

    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Labels of nodes from top to bottom, and edges from a node to the one that it waits for.

    The last node is a missing record if `ends_missing`. `cut` are edges to leave out.
    """

    title: str
    nodes: Sequence[str]
    edges: Sequence[tuple[int, int]]
    cut: Sequence[tuple[int, int]] = ()
    ends_missing: bool = False


Part = str | Table | Checklist | Message | Drawing


@dataclass(frozen=True, slots=True)
class Document:
    """`chapters` are titles with parts."""

    title: str
    lead: str
    chapters: Sequence[tuple[str, Sequence[Part]]]


def code(text: str) -> str:
    """A text of the tenant in backticks, on one line."""
    shown = visible(text, MAX_ID_CHARS).replace("`", "\u02cb")
    return f"`{shown or ' '}`"


def write_text(text: str, plain: Callable[[str], str], exact: Callable[[str], str]) -> str:
    """A text with its parts outside backticks made inert and written by `plain`, those inside written by `exact`."""
    parts = text.split("`")
    return "".join(
        exact(part) if number % 2 else plain(inert(part, MAX_TEXT_CHARS)) for number, part in enumerate(parts)
    )


def write_rows(table: Table, clock: Clock) -> tuple[list[Column], list[list[str]]]:
    """Columns and rows of texts, without the columns that are empty in every row."""

    def write(cell: Cell) -> str:
        return (
            clock.format(cell) if isinstance(cell, Time) else f"{cell:,}" if isinstance(cell, int) else str(cell or "")
        )

    rows = [[*map(write, row)] for row in table.rows]
    used = [number for number in range(len(table.columns)) if any(row[number] for row in rows)]
    return [table.columns[number] for number in used], [[row[number] for number in used] for row in rows]


def to_markdown(document: Document, clock: Clock) -> str:
    blocks = [f"# {_line(document.title)}", _line(document.lead)]
    for title, parts in document.chapters:
        blocks += [f"## {title}", *(_part(part, clock) for part in parts)]
    return "\n\n".join(blocks)


def _part(part: Part, clock: Clock) -> str:
    match part:
        case Table():
            columns, rows = write_rows(part, clock)
            lines = [[column.name for column in columns], ["---:" if c.kind == "number" else "---" for c in columns]]
            # Renderers differ on how a bar in a code span is escaped, so no cell has one.
            lines += [[_line(cell.replace("|", "\u00a6")) for cell in row] for row in rows]
            title = [f"### {_line(part.title)}", ""] if part.title else []
            return "\n".join([*title, *(f"| {' | '.join(line)} |" for line in lines)])
        case Checklist():
            return "\n".join(f"- [ ] {_line(item)}" for item in part.items)
        case Message():
            return f"```text\n{part.text}\n```"
        case Drawing():
            return f"### {_line(part.title)}\n\n```mermaid\n{chr(10).join(_mermaid(part))}\n```"
        case _:
            return _line(part)


def _line(text: str) -> str:
    return write_text(text, lambda plain: _MARKUP.sub(r"\\\g<0>", plain), lambda exact: f"`{exact}`")


def _mermaid(drawing: Drawing) -> Iterable[str]:
    yield "flowchart TD"
    for number, node in enumerate(drawing.nodes):
        label = "".join(char if char.isalnum() or char in " _.:/-" else f"#{ord(char)};" for char in node)
        missing = drawing.ends_missing and number == len(drawing.nodes) - 1
        yield f'    n{number}(["{label}"])' if missing else f'    n{number}["{label}"]'
    for source, target in drawing.edges:
        arrow = "-. leave out .->" if (source, target) in drawing.cut else "-->"
        yield f"    n{source} {arrow} n{target}"
