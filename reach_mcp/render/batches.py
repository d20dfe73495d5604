"""The answer of `list_batches`: a census, then a line a batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reach_mcp.analysis.overview import BatchRow, Census
from reach_mcp.analysis.times import rfc3339
from reach_mcp.api.walk import Coverage
from reach_mcp.render.answer import DOCUMENTED, Document, Level, keep_calls
from reach_mcp.render.clean import Fence
from reach_mcp.render.coverage import build_coverage, rest_of
from reach_mcp.render.phrases import counts, coverage_line, join, places, plural, when

PREFIX = "PARTNER_RESOURCE_"


@dataclass(frozen=True)
class Listing:
    """What `list_batches` found. `rows` are those that match, in the API's order; `page` says it is one page."""

    now: float
    census: Census
    coverage: Coverage
    page: bool
    offset: int
    arguments: Mapping[str, Any]
    age: int = 0
    """Seconds from the reading, which `now` is the moment of, to the call."""

    @property
    def rows(self) -> list[BatchRow]:
        """The rows that match, in order."""
        return list(self.census.rows.values())


def build_row(row: BatchRow, level: Level, *, detailed: bool) -> Document:
    """One batch as structured content; what the API left out is left out."""
    found: Document = {
        "id": level.name(row.id),
        "status": level.name(row.status),
        "type": level.name(row.type.removeprefix(PREFIX)),
        "schema": level.name(row.schema),
        "created": rfc3339(row.created),
    }
    if detailed or row.status == "processing":
        found["started"] = rfc3339(row.started)
        found["processed"] = row.processed
    if detailed or row.status != "processing":
        found["completed"] = rfc3339(row.completed) if detailed or row.created != row.created else ""
    found |= {"records": row.total, "failed": row.failed, "pending": row.pending, "listed": row.listed}
    if detailed:
        found |= {"successful": row.successful, "success_rate": None if row.rate is None else round(row.rate, 2)}
    count = min(level.kinds, 10 if detailed else 3)
    found["errors"] = level.first(row.categories, count)
    if len(row.categories) > count:
        found["more_errors"] = len(row.categories) - count
    found["message"] = level.text(row.message)
    return {
        name: value for name, value in found.items() if name in ("id", "status", "type") or value not in (None, "", {})
    }


def build_listing(listing: Listing, level: Level, *, detailed: bool) -> Document:
    """The whole answer as structured content, with as many rows as the level shows."""
    census, rows = listing.census, listing.rows
    shown = rows[listing.offset : listing.offset + level.rows]
    found: Document = {
        "as_of": rfc3339(listing.now),
        "coverage": build_coverage(listing.coverage, level, listing.age),
        "matched": len(rows),
        "census": _build_census(census, level),
        "batches": [build_row(row, level, detailed=detailed) for row in shown],
    }
    if len(shown) < len(rows):
        found["shown"] = places(len(shown), len(rows), listing.offset)
    return found | keep_calls(_next_calls(listing, len(shown)), level)


def _build_census(census: Census, level: Level) -> Document:
    categories = census.categories()
    schemas = census.count(lambda row: row.schema or "")
    statuses = census.count(lambda row: row.status)
    types = census.count(lambda row: row.type.removeprefix(PREFIX))
    kinds = max(level.kinds, 4)
    found: Document = {
        "status": level.first(statuses, kinds),
        "type": level.first(types, kinds),
        "schema": level.first(schemas, level.kinds),
        "records": {
            "total": census.total(lambda row: row.total),
            "failed": census.total(lambda row: row.failed),
            "pending": census.total(lambda row: row.pending),
        },
        "errors": level.first(categories, level.kinds),
        "most_pending": level.first({row.id: row.pending or 0 for row in census.most_pending()}, level.some),
    }
    waiting = sum(1 for row in census.rows.values() if row.pending)
    more = {
        "more_statuses": len(statuses) - kinds,
        "more_types": len(types) - kinds,
        "more_schemas": len(schemas) - level.kinds,
        "more_errors": len(categories) - level.kinds,
        "more_pending": waiting - len(found["most_pending"]),
    }
    return found | {name: count for name, count in more.items() if count > 0}


def _next_calls(listing: Listing, shown: int) -> list[Document]:
    arguments, calls = dict(listing.arguments), []
    coverage = listing.coverage
    end = listing.offset + shown
    if shown and end < len(listing.rows):
        calls.append({**arguments, "offset": end})
    elif (unread := rest_of(coverage, arguments)) is not None:
        calls.append(unread)
    if listing.page and coverage.stop == "page":
        every = {name: value for name, value in arguments.items() if name not in ("cursor", "limit", "offset", "scope")}
        calls.append({**every, "scope": "all"})
    found = [{"tool": "list_batches", "arguments": call} for call in calls]
    if listing.census.total(lambda row: row.pending):
        tenant = {"tenant_id": arguments["tenant_id"]} if "tenant_id" in arguments else {}
        found.append({"tool": "explain_pending_dependencies", "arguments": tenant})
    return found


def write_listing(document: Document, fence: Fence) -> str:
    """The answer as text, from its structured content."""
    census, as_of = document["census"], document["as_of"]
    what = f"{plural(document['matched'], 'batch', 'batches')} matched"
    lines = [f"Reach batches, {as_of}. {what}. {coverage_line(document['coverage'], fence)}"]
    if not document["matched"]:
        lines.append("Nothing matched." if document["coverage"]["complete"] else "Nothing matched in what was read.")
        return "\n".join([*lines, *write_next(document, fence)])
    records = census["records"]
    lines += [
        f"Status: {counts(census['status'], lambda name: _known(name, fence), census.get('more_statuses', 0))}.",
        f"Type: {counts(census['type'], lambda name: _known(name, fence), census.get('more_types', 0))}.",
        f"Schema: {_capped(census, 'schema', 'more_schemas', fence)}.",
        f"Records, by counters: {records['total']} total, {records['failed']} failed, {records['pending']} pending.",
    ]
    if census["errors"] or "more_errors" in census:
        lines.append(f"Error categories: {_capped(census, 'errors', 'more_errors', fence)}.")
    if census["most_pending"] or "more_pending" in census:
        more = census.get("more_pending", 0)
        lines.append(f"Most pending: {counts(census['most_pending'], fence, more, 'batch', 'batches')}.")
    if any(name.startswith("more_") for name in census):
        lines.append("More of each: the batches' own lines, paged by offset.")
    if document["batches"]:
        shown = document.get("shown", f"all {document['matched']}")
        lines.append(f"Batches ({shown}):")
        lines += [f"- {write_row(row, as_of, fence)}" for row in document["batches"]]
    return "\n".join([*lines, *write_next(document, fence)])


def _capped(census: Document, name: str, more: str, fence: Fence) -> str:
    return counts(census[name], lambda key: fence(key, 60) if key else f"without {name}", census.get(more, 0))


def write_row(row: Document, as_of: str, fence: Fence) -> str:
    """One batch as a line of text."""
    numbers = [f"{row['records']} records" if "records" in row else ""]
    numbers += [f"{row[name]} {name}" for name in ("processed", "successful", "failed", "pending") if row.get(name)]
    if row.get("listed", row.get("pending", 0)) != row.get("pending", 0):
        numbers.append(f"{row['listed']} pending listed")
    times = [f"{name} {when(row[name], as_of)}" for name in ("created", "started", "completed") if name in row]
    schema = fence(row["schema"], 60) if "schema" in row else "(no schema)"
    names = " ".join([fence(row["id"], 80), _known(row["status"], fence), _known(row["type"], fence), schema])
    if "success_rate" in row:
        numbers.append(f"success rate {row['success_rate']} %")
    some = counts(row.get("errors", {}), lambda name: fence(name, 60), row.get("more_errors", 0))
    errors = f"error categories: {some}{' (get_batch)' if 'more_errors' in row else ''}" if some else ""
    message = f"whole batch: {fence(row['message'], 400)}" if "message" in row else ""
    return join([names, join(numbers, ", "), join(times, ", "), errors, message])


def _known(value: str, fence: Fence) -> str:
    """A status or type: as it stands where the API documents it, fenced where it does not."""
    return value if value in DOCUMENTED else fence(value, 40)


HANDLE = re.compile(r"b-[a-z2-7]{5,26}\Z")
_FOREIGN = frozenset({"batch_id", "focus", "assume_arrived", "schema", "tenant_id"})


def write_next(document: Document, fence: Fence) -> list[str]:
    """The next calls as text; a cursor or token, long and opaque, stands in the structured content alone."""
    calls = "; ".join(_write_call(call, fence) for call in document["next_calls"])
    lines = [f"Next: {calls}"] if calls else []
    if "too_long_calls" in document:
        lines.append(f"{plural(document['too_long_calls'], 'next call')} left out: too long to repeat.")
    return lines


def _write_call(call: Document, fence: Fence) -> str:
    arguments = call["arguments"].items()
    shown = [f"{name}={_write_value(name, value, fence)}" for name, value in arguments]
    return f"{call['tool']}({', '.join(shown)})"


def _write_value(name: str, value: Any, fence: Fence) -> str:
    if name in ("cursor", "since"):
        return "…"
    if name in _FOREIGN and not HANDLE.match(str(value)):
        return fence(str(value), 80)
    return str(value).lower() if isinstance(value, bool) else str(value)
