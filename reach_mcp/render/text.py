"""Pieces of the text form that several answers share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from reach_mcp.render import glossary, models
from reach_mcp.render.budget import escape_hidden, to_json
from reach_mcp.render.formatting import clock, deadline, plural, table
from reach_mcp.render.sanitize import Quoter

M = TypeVar("M")
Row = Sequence[str | int]

_PLAIN_WORDS = re.compile(r"[\w'() .,+;-]*\Z", re.ASCII)
MAX_RULE_WORDS, MAX_RULE_WORD_CHARS = 14, 24


def cause_of(line: models.Why | models.Tally) -> str:
    """`failed: correct and resend`"""
    return f"{glossary.CAUSES[line.cause]}: {line.action or glossary.action_of(line.cause)}"


def evidence_of(why: models.Why, quoter: Quoter) -> str:
    """`batch bat_1: VALIDATION_ERROR k72"email is not valid"; 3 later batches`"""
    error = " ".join(filter(None, (quoter.text(why.category), quoter.text(why.error))))
    batch = f"batch {quoter.id(why.batch)}" if why.batch else ""
    pieces = [
        ": ".join(filter(None, (batch, error))),
        f"like {quoter.id(why.like)}" if why.like else "",
        why.how if _is_plain_rule(why.how) else quoter.quote(why.how),
        f"{why.others} more" if why.others else "",
        plural(why.later_batches, "later batch", "later batches") if why.later_batches else "",
    ]
    return "; ".join(filter(None, pieces))


def _is_plain_rule(text: str) -> bool:
    """Whether a rule that names a part of an id is short and plain enough to stand without quotes."""
    words = text.split()
    plain = bool(_PLAIN_WORDS.match(text)) and len(words) <= MAX_RULE_WORDS
    return plain and all(len(word) <= MAX_RULE_WORD_CHARS for word in words)


def undated_line(left_out: models.LeftOut | None, quoter: Quoter) -> list[str]:
    if left_out is None or not left_out.undated:
        return []
    rest = left_out.undated_total - len(left_out.undated)
    named = ", ".join(quoter.id(each) for each in left_out.undated)
    return [f"Without a readable createdAt: {named}{f' and {rest} more' if rest > 0 else ''}."]


def shown(part: models.Items[M]) -> str:
    """` (10 of 982; more: view=blockers, offset=10)`, or just the total."""
    start = f"from {part.offset + 1}, " if part.offset else ""
    if len(part.items) == part.total:
        return f" ({part.total})"
    return f" ({start}{len(part.items)} of {part.total}{'; more: ' + part.more if part.more else ''})"


def section(title: str, part: models.Items[M] | None, columns: Sequence[str], row: Callable[[M], Row]) -> list[str]:
    """A titled table that says how much of the whole it is."""
    if part is None or not part.total:
        return []
    if not part.items:
        return [f"{title}: {part.total} in all{', see ' + part.more if part.more else ''}."]
    return [f"{title}{shown(part)}:", *table(columns, [row(item) for item in part.items])]


RESOURCE_COLUMNS = ("record", "id", "batch", "created", "expires", "lists as missing")


def resource_row(row: models.Resource, quoter: Quoter, now: datetime) -> Row:
    hidden = row.misses_total - len(row.misses) if row.misses_total else 0
    misses = ", ".join(quoter.id(each) for each in row.misses) + (f" and {hidden} more" if hidden else "")
    ids = (quoter.id(row.record), quoter.id(row.id), quoter.id(row.batch))
    return (*ids, clock(row.created, now), deadline(row.expires, now), misses)


def closing(report: models.Tail, quoter: Quoter) -> list[str]:
    """Notes, legend and next calls."""
    legend = [line for line in report.legend if line != glossary.DATA]
    lines = [f"Note: {note}" for note in report.notes] + legend
    if quoter.used:
        lines.append(quoter.legend)
    for each in report.next:
        arguments = escape_hidden(to_json({"tool": each.tool, "arguments": each.arguments}))
        lines.append(f"{each.why}: {arguments}")
    return lines
