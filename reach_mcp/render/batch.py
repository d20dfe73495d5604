"""The answer of `get_batch`: state, progress, errors by likeness, what waits in brief."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reach_mcp.analysis.expiry import sum_expiry
from reach_mcp.analysis.graph import GraphBuilder
from reach_mcp.analysis.overview import BatchRow, count_categories, group_errors, read_batch
from reach_mcp.analysis.times import rfc3339
from reach_mcp.api.models import Batch
from reach_mcp.render.answer import Document, Level, keep_calls
from reach_mcp.render.batches import build_row, write_next, write_row
from reach_mcp.render.clean import Fence
from reach_mcp.render.phrases import counts, join, listed, plural, record, when


@dataclass(frozen=True)
class BatchAnswer:
    """What `get_batch` found. `details` says whether pending rows were asked for, `offset` skips groups of errors."""

    batch: Batch
    malformed: list[str]
    now: float
    details: bool
    offset: int
    arguments: Mapping[str, Any]


def build_batch(answer: BatchAnswer, level: Level) -> Document:
    """The whole answer as structured content."""
    batch, now = answer.batch, answer.now
    row = read_batch(batch)
    groups = group_errors(batch, max(level.samples, 1))[answer.offset :]
    shown = groups[: level.some]
    categories = count_categories(batch.get("errors") or {})
    found: Document = {
        "as_of": rfc3339(now),
        "batch": _build_state(row, replace(level, length=max(level.length, 160 if level.few else 0))),
        "error_groups": [
            {
                "category": level.name(group.category),
                "text": level.text(group.text),
                "records": group.count,
                "examples": [level.id(example) for example in group.examples],
            }
            for group in shown
        ],
        "categories": level.first(categories, level.kinds),
    }
    if len(categories) > level.kinds:
        found["more_categories"] = len(categories) - level.kinds
    if len(groups) > len(shown):
        found["more_groups"] = len(groups) - len(shown)
    if answer.malformed:
        found["malformed"] = len(answer.malformed)
    if answer.details:
        found["waiting"] = _build_waiting(batch, level, now)
    return found | keep_calls(_next_calls(answer, found, row.pending), level)


def _build_state(row: BatchRow, level: Level) -> Document:
    """The batch as a row, without its error categories: they have a place of their own in this answer."""
    state = build_row(row, level, detailed=True)
    return {name: value for name, value in state.items() if name not in ("errors", "more_errors")}


def _build_waiting(batch: Batch, level: Level, now: float) -> Document:
    builder = GraphBuilder()
    builder.add(batch)
    graph = builder.build()
    expiry = sum_expiry(graph, now)
    listed = Counter(graph.missing.values.tolist())
    ranked = sorted(listed, key=lambda key: (-listed[key], graph.key(key)))
    found: Document = {
        "rows": graph.rows,
        "missing": len(ranked),
        "top_missing": [
            {"schema": level.name(graph.schema(key)), "id": level.id(graph.external_of[key]), "rows": listed[key]}
            for key in ranked[: level.some]
        ],
        "expired": expiry.expired,
        "within_hour": expiry.within_hour,
        "next_expiry": rfc3339(expiry.earliest) if expiry.earliest != float("inf") else "",
    }
    if len(ranked) > level.some:
        found["more_missing"] = len(ranked) - level.some
    if expiry.unreadable:
        found["unreadable_times"] = expiry.unreadable
        rows = sorted(graph.unreadable_times.items())[: level.few]
        found["unreadable_rows"] = [{"row": level.name(row), "expires_at": level.text(text, 40)} for row, text in rows]
    return found


def _next_calls(answer: BatchAnswer, found: Document, pending: int | None) -> list[Document]:
    arguments = answer.arguments
    tenant = {"tenant_id": arguments["tenant_id"]} if "tenant_id" in arguments else {}
    calls = []
    if pending or found.get("waiting", {}).get("rows"):
        focus = {"focus": arguments["batch_id"], **tenant}
        calls.append({"tool": "explain_pending_dependencies", "arguments": focus})
    if found["error_groups"] and "more_groups" in found:
        further = answer.offset + len(found["error_groups"])
        calls.append({"tool": "get_batch", "arguments": {**arguments, "offset": further}})
    return calls


def write_batch(document: Document, fence: Fence) -> str:
    """The answer as text, from its structured content."""
    as_of = document["as_of"]
    lines = [f"Reach batch, {as_of}: {write_row(document['batch'], as_of, fence)}"]
    if document["categories"] or "more_categories" in document:
        some = counts(document["categories"], lambda name: fence(name, 60), document.get("more_categories", 0))
        lines.append(f"Record errors by category: {some}.")
    lines += [_write_group(group, fence) for group in document["error_groups"]]
    if "more_groups" in document:
        lines.append(f"- and {plural(document['more_groups'], 'more kind')} of error.")
    if "malformed" in document:
        lines.append(f"{plural(document['malformed'], 'row')} could not be read and are not counted.")
    if "waiting" in document:
        lines += _write_waiting(document["waiting"], as_of, fence)
    return "\n".join([*lines, *write_next(document, fence)])


def _write_group(group: Document, fence: Fence) -> str:
    category = f" {fence(group['category'], 60)}" if group["category"] else ""
    text = f": {fence(group['text'], 400)}" if group["text"] else ""
    examples = ", ".join(fence(example, 80) for example in group["examples"])
    return f"- {plural(group['records'], 'record')}{category}{text}; e.g. {examples}"


def _write_waiting(waiting: Document, as_of: str, fence: Fence) -> list[str]:
    if not waiting["rows"]:
        return ["Pending resources: none listed."]
    rows = join(
        [
            f"Pending resources: {waiting['rows']}",
            f"{waiting['expired']} already expired" if waiting["expired"] else "",
            f"{waiting['within_hour']} deleted within the hour" if waiting["within_hour"] else "",
            f"next deletion {when(waiting['next_expiry'], as_of)}" if waiting["next_expiry"] else "",
            _write_unreadable(waiting, fence),
        ]
    )
    top = (f"{record(one['schema'], one['id'], fence)} ({one['rows']})" for one in waiting["top_missing"])
    return [
        f"{rows}.",
        f"Missing, with how many list each: {listed(top, waiting.get('more_missing', 0), 'record')}.",
    ]


def _write_unreadable(waiting: Document, fence: Fence) -> str:
    if "unreadable_times" not in waiting:
        return ""
    rows = [f"{fence(one['row'], 60)} says {fence(one['expires_at'], 40)}" for one in waiting["unreadable_rows"]]
    such = f", such as {', '.join(rows)}" if rows else ""
    return f"{waiting['unreadable_times']} without a readable expiry{such}"
