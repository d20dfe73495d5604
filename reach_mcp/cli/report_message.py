"""The message to the customer: plain text, in the customer's words, at most a page.

`prompts/customer_message.md` gives a model the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from reach_mcp.analysis import results
from reach_mcp.analysis.results import Blocker, Record
from reach_mcp.cli.document import Message
from reach_mcp.cli.output import Clock, Time
from reach_mcp.render.formatting import agree, listing, plural
from reach_mcp.render.sanitize import MAX_ID_CHARS, inert, is_plain_id, visible

T = TypeVar("T")
K = TypeVar("K")

MAX_NAMED = 10
"""Records that one list names."""
MAX_REJECTED = 20
"""Rejected records that are named: nobody else tells the customer which these are."""
SEND = {"send": "", "resend": ", lost: send it again", "restore": ", deleted: restore it, or remove the reference"}
CHECK = "A record may be there already if it was sent in another way: please check before you send it again."


def group_by(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def write_time(moment: float, clock: Clock) -> str:
    return clock.format(Time(moment))


def write_date(moment: float, clock: Clock) -> str:
    """A time with its year, whatever year the clock's is."""
    return write_time(moment, replace(clock, now=0.0))


def before(deadline: float | None, clock: Clock, word: str = ", before") -> str:
    """`, before 26 Nov 14:42 CET`; empty where there is no deadline."""
    return "" if deadline is None else f"{word} {write_time(deadline, clock)}"


def describe_losses(expiry: results.Expiry | None, clock: Clock) -> str:
    """`3 records are lost within 24 hours, the first on 26 Nov 14:42 CET`; empty where none is."""
    if expiry is None or not expiry.within_day:
        return ""
    lost = plural(expiry.within_day, "record is", "records are")
    return f"{lost} lost within 24 hours{before(expiry.next_at, clock, ', the first on')}"


def write_message(found: results.Explanation, urgent: Sequence[Blocker], clock: Clock) -> Iterator[Message]:
    """`urgent` are the missing records, soonest lost first. There is no message where nothing waits or is lost."""
    counts = found.counts
    if counts.pending or counts.expired:
        waits = plural(counts.pending, "of your records waits", "of your records wait")
        missing = f" for {plural(counts.missing_records, 'missing record')}" if counts.missing_records else ""
        part = "" if found.coverage.complete else " We could not read all uploads: this list may be incomplete."
        opening = f"Hello,\n\nas of {write_date(found.as_of, clock)}, {waits}{missing}.{part}"
        asks = [
            _send(found, urgent, clock),
            _correct(found, urgent, clock),
            _references(found, urgent),
            _cycles(found, clock),
        ]
        yield Message("\n\n".join(filter(None, [opening, *asks, *_closing(found, clock)])))


def _id(text: str) -> str:
    """Bare where nothing in it can be misread, else in quotes."""
    return text if is_plain_id(text) else f'"{visible(text, MAX_ID_CHARS)}"'


def _by_schema(records: Iterable[Record]) -> str:
    """`customers c1, c2; orders o1`"""
    groups = group_by(records, lambda record: _id(record.schema))
    ids = {schema: ", ".join(_id(each.external_id) for each in group) for schema, group in groups.items()}
    return "; ".join(f"{schema} {named}" for schema, named in ids.items())


def _list(title: str, lines: Sequence[str], more: int = 0) -> str:
    """Lines under a title, and how many records more there are; empty without lines."""
    rest = [f"- and {more:,} more"] if more > 0 else []
    return "\n".join([title, *(f"- {line}" for line in lines), *rest]) if lines else ""


def _total(found: results.Explanation, *actions: str) -> int:
    return sum(row.records for row in found.tally if row.action in actions)


def _send(found: results.Explanation, urgent: Sequence[Blocker], clock: Clock) -> str:
    chosen = [each for each in urgent if each.finding.action in SEND][:MAX_NAMED]
    lines = [
        f"{_by_schema([each.record])}{before(each.earliest_expiry, clock)}{SEND[each.finding.action]}"
        + (f"; {plural(each.frees, 'record')} should then be processed" if each.frees else "")
        for each in sorted(chosen, key=lambda each: each.record.schema)
    ]
    text = _list("Please send first:", lines, _total(found, *SEND) - len(chosen))
    return f"{text}\n{CHECK}" if text else ""


def _reason(blocker: Blocker) -> str:
    said = (text for failure in blocker.finding.failures for text in (failure.message, failure.category) if text)
    return inert(next(said, "no reason given"))


def _correct(found: results.Explanation, urgent: Sequence[Blocker], clock: Clock) -> str:
    """Records that were rejected, those with the same reason in one line."""
    chosen = [each for each in urgent if each.finding.cause == "failed"][:MAX_REJECTED]
    lines = [
        f"{_by_schema(each.record for each in group)}: {reason}{before(group[0].earliest_expiry, clock)}"
        for reason, group in group_by(chosen, _reason).items()
    ]
    title = "Please correct these records, which were rejected, and send them again:"
    return _list(title, lines, _total(found, "correct_and_resend") - len(chosen))


def _references(found: results.Explanation, urgent: Sequence[Blocker]) -> str:
    slips = [(each.record, each.finding.lookalikes[:1]) for each in urgent if each.finding.cause == "looks_like"]
    lines = [
        f"{_by_schema([record])}: do you mean {_id(like.record.external_id)}? {inert(like.difference or like.rule)}"
        for record, likes in slips[:MAX_NAMED]
        for like in likes
    ]
    more = _total(found, "fix_reference") - len(lines)
    return _list("Please check references to these ids, which look like slips:", lines, more)


def _cycles(found: results.Explanation, clock: Clock) -> str:
    lines = [
        f"{_by_schema([one])} without its reference to {_by_schema([other])}{before(cycle.earliest_expiry, clock)}"
        for cycle in (found.cycles.items if found.cycles else ())
        for one, other in cycle.leave_out
    ]
    title = "Some records wait for each other. Please send these again with a reference left out, then add it:"
    return _list(title, lines[:MAX_NAMED], len(lines) - MAX_NAMED)


def _closing(found: results.Explanation, clock: Clock) -> Iterator[str]:
    if waiting := _total(found, "wait"):
        yield f"{waiting:,} more may be in an upload that still runs: please wait for its end before you send them."
    if losses := describe_losses(found.expiry, clock):
        yield f"If nothing is sent, {losses}."
    if found.expired and (total := found.expired.total):
        named = _by_schema(row.record for row in found.expired.records.items[:MAX_NAMED])
        more = f" and {total - MAX_NAMED:,} more" if total > MAX_NAMED else ""
        be = agree(total, "record is lost already and has", "records are lost already and have")
        yield f"{total:,} {be} to be sent again: {named}{more}."
    if found.plan and (groups := found.plan.upload_order.schemas):
        yield f"Please upload in this order: {', then '.join(listing(map(_id, group)) for group in groups)}."
