"""What was read of what there is, as every answer says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reach_mcp.api.walk import Coverage
from reach_mcp.render.answer import Level
from reach_mcp.render.phrases import plural

_WHY = {
    "deadline": "the deadline of this call passed",
    "error": "reading ended early",
    "cursor_repeats": "Reach repeated a cursor",
    "empty_page": "Reach announced more but gave none",
    "page": "this is one page of more",
    "bound": "only the first pages were read",
}


def build_coverage(coverage: Coverage, level: Level, age: int = 0) -> dict[str, Any]:
    """Pages and batches read, of how many, whether that is all, if not, why, and how many seconds before this call."""
    notes = []
    if coverage.stop in _WHY:
        notes.append(_WHY[coverage.stop])
    if coverage.error is not None and coverage.stop == "error":
        notes.append(str(coverage.error).removesuffix("."))
    if coverage.read_back_to is not None:
        notes.append("the newest and the oldest were read, what is missing lies between them")
    if coverage.resumed:
        notes.append("this goes on from a cursor, what came before it is not counted")
    if coverage.disagrees and coverage.most == coverage.total:
        notes.append("Reach says that there are more batches than its pages held")
    elif coverage.disagrees:
        notes.append(f"batches went while reading, {coverage.most} at first: others may have been passed over")
    if coverage.malformed:
        notes.append(f"{plural(len(coverage.malformed), 'batch or row', 'batches or rows')} malformed, left out")
    if coverage.repeats:
        notes.append(f"{coverage.repeats} batches moved between pages while reading, each counted once")
    found: dict[str, Any] = {"pages": coverage.pages, "batches": coverage.batches}
    if coverage.total is not None:
        found["of"] = coverage.total
    found["complete"] = coverage.complete
    if age:
        found["age_s"] = age
    if notes:
        found["note"] = "; ".join(notes)
    if coverage.malformed and level.some:
        found["malformed"] = [level.name(level.text(name, 60)) for name in coverage.malformed[:3]]
    return found


def rest_of(coverage: Coverage, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arguments of the call that reads what was left unread, where one can; two ends leave what lies between them."""
    if coverage.stop not in ("page", "deadline", "error", "bound") or not coverage.cursor:
        return None
    rest = {name: value for name, value in arguments.items() if name != "offset"} | {"cursor": coverage.cursor}
    if coverage.read_back_to is not None:
        rest["created_after"] = coverage.read_back_to.isoformat().replace("+00:00", "Z")
    return rest
