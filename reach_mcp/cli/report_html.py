"""A document as one HTML page: no script, nothing loaded, every text escaped."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

from reach_mcp.cli.document import Checklist, Document, Drawing, Message, Part, write_rows, write_text
from reach_mcp.cli.layout import text_width
from reach_mcp.cli.output import Clock, Table

WIDTH, BOX_WIDTH, BOX, STEP = 340, 270, 36, 60
"""Of a drawing, in its own units. Edges that skip a box run through the space on the right."""
LABEL_CHARS = 34
"""Columns of text in a box."""


def to_html(document: Document, clock: Clock) -> str:
    chapters = (
        f"<section><h2>{escape(title)}</h2>{''.join(_part(part, clock) for part in parts)}</section>"
        for title, parts in document.chapters
    )
    return Template(files("reach_mcp.cli").joinpath("report.html").read_text(encoding="utf-8")).substitute(
        title=write_text(document.title, escape, escape),
        heading=_line(document.title),
        lead=_line(document.lead),
        chapters="\n".join(chapters),
    )


def _part(part: Part, clock: Clock) -> str:
    match part:
        case Table():
            return _table(part, clock)
        case Checklist():
            items = (f'<li><label><input type="checkbox"><span>{_line(item)}</span></label>' for item in part.items)
            return f"<ul>{''.join(items)}</ul>"
        case Message():
            return f"<pre>{escape(part.text)}</pre>"
        case Drawing():
            return f"<figure><figcaption>{_line(part.title)}</figcaption>{_draw(part)}</figure>"
        case _:
            return f"<p>{_line(part)}</p>"


def _line(text: str) -> str:
    return write_text(text, escape, lambda exact: f"<code>{escape(exact)}</code>")


def _table(table: Table, clock: Clock) -> str:
    """On a narrow screen a row becomes a block, and each cell shows its column's name."""
    columns, rows = write_rows(table, clock)
    head = "".join(f'<th class="{column.kind}">{escape(column.name)}' for column in columns)
    marks = [f'<td class="{column.kind}" data-name="{escape(column.name)}"><div>' for column in columns]
    body = "".join(
        "<tr>" + "".join(f"{mark}{_line(cell)}</div>" for mark, cell in zip(marks, row, strict=True)) for row in rows
    )
    title = f"<h3>{_line(table.title)}</h3>" if table.title else ""
    return f"{title}<table><thead><tr>{head}<tbody>{body}</table>"


def _draw(drawing: Drawing) -> str:
    """Boxes in one column, one for each layer. An edge to the next box is straight, any other an arc on the right."""
    shapes = [_edge(*edge, "cut" if edge in drawing.cut else "edge") for edge in drawing.edges]
    for number, node in enumerate(drawing.nodes):
        kind = "missing" if drawing.ends_missing and number == len(drawing.nodes) - 1 else "waits"
        box = f'<rect x="1" width="{BOX_WIDTH}" height="{BOX}" rx="{18 if kind == "missing" else 6}"/>'
        label = f'<text x="{BOX_WIDTH / 2}" y="{BOX / 2}">{escape(_shorten(node))}</text>'
        place = f'<g class="{kind}" transform="translate(0 {1 + number * STEP})">'
        shapes.append(f"{place}<title>{escape(node)}</title>{box}{label}</g>")
    height = len(drawing.nodes) * STEP - STEP + BOX + 2
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return f'<svg role="img" {size}>{"".join(shapes)}</svg>'


def _edge(source: int, target: int, kind: str) -> str:
    if target == source + 1:
        return f'<path class="{kind}" d="M{BOX_WIDTH / 2} {1 + source * STEP + BOX}v{STEP - BOX}m-5 -7l5 7l5 -7"/>'
    x, reach = BOX_WIDTH + 1, min(62, 24 + 6 * abs(target - source))
    start, end = source * STEP + BOX / 2 + 7, target * STEP + BOX / 2 - 5
    return f'<path class="{kind}" d="M{x} {start}C{x + reach} {start} {x + reach} {end} {x} {end}m7 -5l-7 5l7 5"/>'


def _shorten(label: str) -> str:
    """The label without its middle, where it is too wide for a box."""
    head, tail = label[: LABEL_CHARS // 2], label[LABEL_CHARS // 2 :][-LABEL_CHARS // 2 :]
    while text_width(head + tail) > LABEL_CHARS:
        head, tail = head[:-1], tail[1:]
    return label if head + tail == label else f"{head}\u2026{tail}"
