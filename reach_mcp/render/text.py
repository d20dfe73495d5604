"""The text form: one writer of tables, and the lines that several answers share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from reach_mcp.render import glossary
from reach_mcp.render.budget import escape_hidden, to_json
from reach_mcp.render.formatting import clock, deadline, plural, table, tally
from reach_mcp.render.models.batches import NO_SCHEMA, ErrorGroup
from reach_mcp.render.models.causes import Why
from reach_mcp.render.models.common import Items, LeftOut, Report, Resource
from reach_mcp.render.models.pending import Tally
from reach_mcp.render.sanitize import Quoter

_PLAIN_WORDS = re.compile(r"[\w'() .,+;-]*\Z", re.ASCII)
MAX_RULE_WORDS, MAX_RULE_WORD_CHARS = 14, 24


class Pen(Quoter):
    """Writes the values of one answer."""

    def __init__(self, delimiter: str, now: datetime) -> None:
        super().__init__(delimiter)
        self.now = now

    def cell(self, value: object) -> str:
        """A value by its type: an id, a list of ids, a deadline, a count (0 is blank) or a yes."""
        if isinstance(value, str):
            return self.id(value)
        if isinstance(value, list):
            return self.ids(value)
        if isinstance(value, datetime):
            return deadline(value, self.now)
        return ("yes" if value is True else str(value)) if value else ""

    def ids(self, ids: Iterable[str], between: str = ", ") -> str:
        return between.join(map(self.id, ids))

    def tally(self, counts: Mapping[str, int]) -> str:
        """`380 success, 20 no schema`: a name of ours stands without quotes."""
        return tally((name if name == NO_SCHEMA else self.text(name), count) for name, count in counts.items())


Columns = Mapping[str, str | Callable[[Any, Pen], object]]
"""Column names, each with the field that stands in it, or with a function that writes the cell."""


def fields(*names: str) -> Columns:
    """Columns that are named as the field that stands in them."""
    return {name.replace("_", " "): name for name in names}


def rows(columns: Columns, items: Iterable[object], pen: Pen) -> list[str]:
    """The lines of a table."""
    cells = (
        [pen.cell(getattr(item, cell)) if isinstance(cell, str) else cell(item, pen) for cell in columns.values()]
        for item in items
    )
    return table(list(columns), cells)


def section(title: str, part: Items[Any] | None, columns: Columns, pen: Pen) -> list[str]:
    """A titled table that says how much of the whole it is."""
    if part is None or not part.total:
        return []
    if not part.items:
        return [f"{title}: {part.total} in all{', see ' + part.more if part.more else ''}."]
    return [f"{title}{shown(part)}:", *rows(columns, part.items, pen)]


def shown(part: Items[Any]) -> str:
    """` (10 of 982; more: view=blockers, offset=10)`, or just the total."""
    start = f"from {part.offset + 1}, " if part.offset else ""
    if len(part.items) == part.total and not part.more:
        return f" ({part.total})"
    return f" ({start}{len(part.items)} of {part.total}{'; more: ' + part.more if part.more else ''})"


def rest(total: int, listed: Iterable[object]) -> str:
    """` and 3 more` where a list is not shown whole."""
    hidden = total - len(list(listed))
    return f" and {hidden} more" if hidden > 0 else ""


def cause_of(line: Why | Tally, _: Pen) -> str:
    """`failed: correct and resend`"""
    return f"{glossary.CAUSES[line.cause]}: {line.action or glossary.action_of(line.cause)}"


def evidence_of(why: Why, pen: Pen) -> str:
    """`batch bat_1: VALIDATION_ERROR k72"email is not valid"; 3 later batches`"""
    error = " ".join(filter(None, (pen.text(why.category), pen.text(why.error))))
    batch = f"batch {pen.id(why.batch)}" if why.batch else ""
    missed = f"missed {pen.ids(why.missed)}{rest(why.missed_total, why.missed)}" if why.missed else ""
    later = plural(why.later_batches, "later batch", "later batches")
    pieces = [
        f"like {pen.id(why.like)}" if why.like else "",
        ": ".join(filter(None, (f"seen {why.seen} in {batch}" if why.seen else batch, error or missed))),
        why.how if _is_plain_rule(why.how) else pen.quote(why.how),
        f"{why.others} more" if why.others else "",
        f"{later} of its schema may have brought it" if why.later_batches else "",
        f"may be in {plural(why.failed_batches, 'failed batch', 'failed batches')}" if why.failed_batches else "",
    ]
    return "; ".join(filter(None, pieces))


def _is_plain_rule(text: str) -> bool:
    """Whether a rule that names a part of an id is short and plain enough to stand without quotes."""
    words = text.split()
    plain = bool(_PLAIN_WORDS.match(text)) and len(words) <= MAX_RULE_WORDS
    return plain and all(len(word) <= MAX_RULE_WORD_CHARS for word in words)


CAUSE: Columns = {"cause: action": cause_of, "evidence": evidence_of}
RESOURCES: Columns = {
    **fields("record", "id", "batch"),
    "created": lambda row, pen: clock(row.created, pen.now),
    "expires": "expires",
    "lists as missing": lambda row, pen: pen.ids(row.misses) + rest(row.misses_total, row.misses),
    "lists, pending itself": "waits_for",
}


def resource_lines(resources: Items[Resource] | None, title: str, pen: Pen) -> list[str]:
    return section(title, resources, RESOURCES, pen)


def error_lines(errors: Items[ErrorGroup] | None, pen: Pen) -> list[str]:
    """One line a message; where messages of one shape differ, the commonest follow it."""
    if errors is None or not errors.total:
        return []
    lines = [f"Errors{shown(errors)}, records | category | message | example ids:"]
    for group in errors.items:
        kind = plural(group.batches, "whole batch", "whole batches") if group.whole_batch else pen.text(group.category)
        lines.append(" | ".join((str(group.records), kind, pen.text(group.error), pen.ids(group.examples))))
        unit = " in batches" if group.whole_batch else ""
        lines += [f"  of these {variant.count}{unit} | {pen.text(variant.error)}" for variant in group.variants]
    return lines


def head(verdict: str, left_out: LeftOut | None, pen: Pen) -> list[str]:
    """The verdict, and the batches that a filter could not judge."""
    if left_out is None or not left_out.undated:
        return [verdict]
    named = pen.ids(left_out.undated) + rest(left_out.undated_total, left_out.undated)
    return [verdict, f"Without a readable createdAt: {named}."]


def assemble(blocks: Iterable[list[str]], report: Report, pen: Pen) -> str:
    """The blocks of an answer, then notes, legend and next calls, with an empty line between blocks."""
    whole = [*blocks]  # written first: they decide whether the legend explains quotes
    legend = [line for line in report.legend if line != glossary.DATA] + ([pen.legend] if pen.used else [])
    calls = [
        f"{each.why}: {escape_hidden(to_json({'tool': each.tool, 'arguments': each.arguments}))}"
        for each in report.next
    ]
    closing = [*(f"Note: {note}" for note in report.notes), *legend, *calls]
    return "\n\n".join("\n".join(block) for block in (*whole, closing) if block)
