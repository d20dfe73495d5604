"""Words for people: causes, actions and coverage."""

from __future__ import annotations

from reach_mcp.analysis.results import Action, CauseFinding, FilterReport
from reach_mcp.api.pagination import Coverage
from reach_mcp.render.formatting import plural

ACTIONS: dict[Action, str] = {
    "correct_and_resend": "correct and resend",
    "restore": "restore, or remove the reference",
    "fix_reference": "fix the reference",
    "resend": "resend",
    "wait": "wait, then look again",
    "send": "send",
    "break_cycle": "resend one member without the reference",
}
TYPES = {
    "ingest": "PARTNER_RESOURCE_JSON_INGEST",
    "delete": "PARTNER_RESOURCE_BATCH_DELETE",
    "patch": "PARTNER_RESOURCE_BATCH_PATCH",
}
_SHORT_TYPES = {long: short for short, long in TYPES.items()}

STOPS = {
    "deadline": "the time for one call was over (REACH_MCP_DEADLINE)",
    "error": "reading ended with an error",
    "cursor_repeats": "the API repeated a cursor",
    "empty_page": "the API announced more batches but sent none",
    "one_page": "one page was asked for",
    "page_limit": "enough pages were read",
}


def count(number: int, one: str, many: str = "") -> str:
    """`1 record`, `2,000 records`."""
    return f"{number:,} {plural(number, one, many).partition(' ')[2]}"


def short_type(batch_type: str) -> str:
    """`ingest`, `delete` or `patch`; a type that we do not know stays as it is."""
    return _SHORT_TYPES.get(batch_type, batch_type)


def describe_cause(finding: CauseFinding) -> str:
    """Why a record is missing, with the first piece of evidence."""
    match finding.cause:
        case "failed" | "deleted" if finding.failures:
            failure = finding.failures[0]
            verb = "failed in" if finding.cause == "failed" else "deleted by"
            return f"{verb} {failure.batch_id}" + (f": {failure.message}" if failure.message else "")
        case "looks_like" if finding.lookalikes:
            like = finding.lookalikes[0]
            return f"looks like {like.record.name} ({like.difference or like.rule})"
        case "in_progress" if finding.in_progress:
            return f"{finding.in_progress[0]} is still processing"
        case "expired":
            return "was pending itself and has expired"
        case "not_seen":
            return "not seen in the batches read"
        case cause:
            return cause.replace("_", " ")


def describe_coverage(coverage: Coverage) -> str:
    """How much was read, and why not everything was."""
    of = f"of {coverage.total:,} " if coverage.total is not None and coverage.total != coverage.batches else ""
    read = f"Read {count(coverage.batches, f'{of}batches' if of else 'batch', f'{of}batches')}"
    if coverage.complete:
        return f"{read}: everything that there is."
    return f"{read}: NOT everything, so all counts are of the part that was read. Reason: {_describe_gap(coverage)}."


def _describe_gap(coverage: Coverage) -> str:
    if coverage.stop:
        return STOPS[coverage.stop] + (f": {coverage.error}" if coverage.error else "")
    if coverage.unreadable_batches or coverage.unreadable_resources:
        unreadable = coverage.unreadable_batches + coverage.unreadable_resources
        return f"{count(unreadable, 'entry', 'entries')} could not be read"
    return "the API says that there are more batches than its pages contain"


def describe_filter(report: FilterReport | None) -> list[str]:
    """The filter and what it left out; nothing without a filter."""
    if report is None:
        return []
    matching = count(report.batches_matched, "batch matches", "batches match")
    batches, records = count(report.batches_left_out, "batch", "batches"), report.resources_left_out
    left_out = f"{batches} and {count(records, 'pending record')}" if records else batches
    lines = [f"Only {report.description}: {matching}, {left_out} left out."]
    if report.undated_total:
        lines.append(
            f"Left out for want of a readable creation time: {count(report.undated_total, 'batch', 'batches')}."
        )
    return lines
