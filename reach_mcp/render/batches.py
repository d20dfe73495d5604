"""The answer of `list_batches`: a census, then a line a batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from reach_mcp.analysis.overview import BatchRow, Census
from reach_mcp.analysis.times import rfc3339
from reach_mcp.api.walk import Coverage
from reach_mcp.render.answer import Document, Level
from reach_mcp.render.clean import Fence, clean
from reach_mcp.render.coverage import build_coverage
from reach_mcp.render.phrases import counts, coverage_line, join, plural, when

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

    @property
    def rows(self) -> list[BatchRow]:
        """The rows that match, in order."""
        return list(self.census.rows.values())


def build_row(row: BatchRow, *, detailed: bool, length: int = 120) -> Document:
    """One batch as structured content; what the API left out is left out."""
    found: Document = {
        "id": row.id,
        "status": row.status,
        "type": row.type.removeprefix(PREFIX),
        "schema": row.schema,
        "created": rfc3339(row.created),
    }
    if detailed or row.status == "processing":
        found["started"] = rfc3339(row.started)
        found["processed"] = row.processed
    if detailed or row.status != "processing":
        found["completed"] = rfc3339(row.completed) if detailed or row.created != row.created else ""
    found |= {"records": row.total, "failed": row.failed, "pending": row.pending, "listed": row.listed}
    if detailed:
        found |= {"successful": row.successful, "success_rate": row.rate}
    found["errors"] = dict(islice(row.categories.items(), 3 if not detailed else 10))
    found["message"] = clean(row.message, length)
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def build_listing(listing: Listing, level: Level, *, detailed: bool) -> Document:
    """The whole answer as structured content, with as many rows as the level shows."""
    census, rows = listing.census, listing.rows
    shown = rows[listing.offset : listing.offset + level.rows]
    found: Document = {
        "as_of": rfc3339(listing.now),
        "coverage": build_coverage(listing.coverage),
        "matched": len(rows),
        "census": _build_census(census, level),
        "batches": [build_row(row, detailed=detailed, length=level.length) for row in shown],
    }
    if len(shown) < len(rows):
        found["shown"] = f"{len(shown)} of {len(rows)} from {listing.offset}"
    found["next_calls"] = _next_calls(listing, len(shown))
    return found


def _build_census(census: Census, level: Level) -> Document:
    few = max(level.few, 3)
    categories = census.categories()
    schemas = census.count(lambda row: row.schema or "")
    found: Document = {
        "status": census.count(lambda row: row.status),
        "type": census.count(lambda row: row.type.removeprefix(PREFIX)),
        "schema": dict(islice(schemas.items(), few + 3)),
        "records": {
            "total": census.total(lambda row: row.total),
            "failed": census.total(lambda row: row.failed),
            "pending": census.total(lambda row: row.pending),
        },
        "errors": dict(islice(categories.items(), few + 3)),
        "most_pending": {row.id: row.pending for row in census.most_pending()[:few]},
    }
    if len(schemas) > few + 3:
        found["more_schemas"] = len(schemas) - few - 3
    if len(categories) > few + 3:
        found["more_errors"] = len(categories) - few - 3
    waiting = sum(1 for row in census.rows.values() if row.pending)
    if waiting > few:
        found["more_pending"] = waiting - few
    return found


def _next_calls(listing: Listing, shown: int) -> list[Document]:
    arguments, calls = dict(listing.arguments), []
    coverage = listing.coverage
    end = listing.offset + shown
    if end < len(listing.rows):
        calls.append({**arguments, "offset": end})
    elif coverage.stop in ("page", "deadline", "error", "bound") and coverage.cursor:
        rest = {name: value for name, value in arguments.items() if name != "offset"}
        calls.append({**rest, "cursor": coverage.cursor})
    if listing.page and coverage.stop == "page":
        every = {name: value for name, value in arguments.items() if name not in ("cursor", "limit", "offset", "scope")}
        calls.append({**every, "scope": "all"})
    found = [{"tool": "list_batches", "arguments": call} for call in calls]
    if listing.census.total(lambda row: row.pending):
        tenant = {"tenant_id": arguments["tenant_id"]} if "tenant_id" in arguments else {}
        found.append({"tool": "explain_pending_dependencies", "arguments": tenant})
    return found[:3]


def write_listing(document: Document, fence: Fence) -> str:
    """The answer as text, from its structured content."""
    census, as_of = document["census"], document["as_of"]
    what = f"{plural(document['matched'], 'batch', 'batches')} matched"
    lines = [f"Reach batches, {as_of}. {what}. {coverage_line(document['coverage'])}"]
    if not document["matched"]:
        lines.append("Nothing matched." if document["coverage"]["complete"] else "Nothing matched in what was read.")
        return "\n".join([*lines, *write_next(document, fence)])
    records = census["records"]
    lines += [
        f"Status: {counts(census['status'], lambda name: _known(name, fence))}.",
        f"Type: {counts(census['type'], lambda name: _known(name, fence))}.",
        f"Schema: {_capped(census, 'schema', 'more_schemas', fence)}.",
        f"Records: {records['total']} total, {records['failed']} failed, {records['pending']} pending.",
    ]
    if census["errors"]:
        lines.append(f"Errors: {_capped(census, 'errors', 'more_errors', fence)}.")
    if census["most_pending"]:
        lines.append(f"Most pending: {_capped(census, 'most_pending', 'more_pending', fence)}.")
    if document["batches"]:
        shown = document.get("shown", f"all {document['matched']}")
        lines.append(f"Batches ({shown}):")
        lines += [f"- {write_row(row, as_of, fence)}" for row in document["batches"]]
    return "\n".join([*lines, *write_next(document, fence)])


def _capped(census: Document, name: str, more: str, fence: Fence) -> str:
    rest = f", and {census[more]} more" if more in census else ""
    return counts(census[name], lambda key: fence(key, 60) if key else f"without {name}") + rest


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
        numbers.append(f"success rate {row['success_rate']:g} %")
    errors = f"errors: {counts(row['errors'], lambda name: fence(name, 60))}" if "errors" in row else ""
    message = f"whole batch: {fence(row['message'], 400)}" if "message" in row else ""
    return join([names, join(numbers, ", "), join(times, ", "), errors, message])


_DOCUMENTED = frozenset(
    {"success", "partial_success", "failure", "processing", "JSON_INGEST", "BATCH_DELETE", "BATCH_PATCH"}
)


def _known(value: str, fence: Fence) -> str:
    """A status or type: as it stands where the API documents it, fenced where it does not."""
    return value if value in _DOCUMENTED else fence(value, 40)


HANDLE = re.compile(r"b-[a-z2-7]{5,26}\Z")
_FOREIGN = frozenset({"batch_id", "focus", "assume_arrived", "schema", "tenant_id"})


def write_next(document: Document, fence: Fence) -> list[str]:
    """The next calls as text; a cursor or token, long and opaque, stands in the structured content alone."""
    calls = document["next_calls"]
    if not calls:
        return []
    return [f"Next: {'; '.join(_write_call(call, fence) for call in calls)}"]


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
