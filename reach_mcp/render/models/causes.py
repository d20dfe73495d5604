"""Why a record is missing, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from reach_mcp.analysis import results
from reach_mcp.analysis.evidence import NOT_FOUND
from reach_mcp.render.formatting import plural
from reach_mcp.render.glossary import ACTIONS, MATCHED
from reach_mcp.render.models.common import Count, Id, Misses, Model, Name, Time, attributes, message
from reach_mcp.render.sanitize import is_plain_id

MAX_RUNNING = 3

Action = Annotated[str, BeforeValidator(lambda action: ACTIONS.get(action, ""))]


class Why(Model):
    """Why a record is missing, the action that calls for, and the evidence."""

    cause: str
    action: Action = Field(default="", description="If absent, the one that by_cause gives for the cause")
    batch: Id = Field(default="", validation_alias="batch_id")
    category: Annotated[str, message(60)] = ""
    error: Annotated[str, message(100)] = ""
    like: Name = Field(default="", description="Seen id that it resembles")
    how: Annotated[str, message(160)] = Field(default="", description="Rule, or how the batch was matched")
    others: int = Field(default=0, description="More batches or ids like the one shown")
    seen: str = ""
    missed: Misses = Field(default=[], description="By an expired record")
    missed_total: int = 0
    failed_batches: int = Field(default=0, description="The first are in schema_batches")
    later_batches: int = Field(default=0, description="They may have brought it")

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        return explain_cause(result.finding)


def explain_cause(finding: results.CauseFinding) -> dict[str, object]:
    """The fields of `Why`."""
    return {"cause": finding.cause, "action": finding.action, **_evidence(finding)}


def _evidence(finding: results.CauseFinding) -> dict[str, object]:
    whole: dict[str, object] = {"failed_batches": finding.failed_batches_total}
    if finding.cause in ("failed", "deleted") and finding.failures:
        failure = finding.failures[0]
        return {
            "batch_id": failure.batch_id,
            "category": failure.category,
            "error": failure.message,
            "how": MATCHED[failure.matched_by],
            "others": max(finding.failures_total - 1, 0),
            "later_batches": finding.later_batches,
        }
    if finding.cause == "looks_like" and finding.lookalikes:
        like = finding.lookalikes[0]
        how = "; ".join(filter(None, (like.rule, like.difference)))
        seen = {"batch_id": like.batch_id, "seen": like.seen} if is_plain_id(like.batch_id) else {}
        return {"like": like.record, "how": how, "others": max(finding.lookalikes_total - 1, 0), **seen, **whole}
    if finding.cause == "expired":
        lost: dict[str, object] = {"how": plural(finding.expired_rows, "expired resource")}
        return lost | (attributes(finding.expired_in[0]) if finding.expired_in else {})
    if finding.cause == "in_progress" and finding.in_progress:
        return {"batch_id": finding.in_progress[0], "others": len(finding.in_progress) - 1, **whole}
    return whole | _symptom(finding) if finding.cause == "not_seen" else {}


def _symptom(finding: results.CauseFinding) -> dict[str, object]:
    """A PATCH or DELETE that names a record which no batch reports as failed, deleted or pending."""
    if not finding.failures:
        return {}
    failure = finding.failures[0]
    kind = "DELETE" if "DELETE" in failure.batch_type.upper() else "PATCH"
    how = f"a {kind} did not find it" if failure.category == NOT_FOUND else f"a {kind} names it"
    found = {"batch_id": failure.batch_id, "category": failure.category, "error": failure.message, "how": how}
    return found | {"others": max(finding.failures_total - 1, 0)}


class SchemaBatch(Model):
    schema_name: Id = Field(serialization_alias="schema")
    batch: Id = Field(validation_alias="batch_id")
    state: str
    at: Time = Field(default=None)
    processed: Count = 0
    records: Count = 0
    error: Annotated[str, message(100)] = Field(default="", validation_alias="message")


def schema_batches(findings: Iterable[tuple[results.Record, results.CauseFinding]]) -> list[SchemaBatch]:
    """The batches that failed as a whole or still run of which findings speak, each once."""
    found: dict[str, dict[str, object]] = {}
    for record, finding in findings:
        for failed in finding.failed_batches:
            own = {"schema_name": record.schema, "state": "failed"}
            found.setdefault(failed.batch_id, attributes(failed) | own)
        for run in finding.running[:MAX_RUNNING]:
            own = {"schema_name": record.schema, "state": "processing"}
            found.setdefault(run.batch_id, attributes(run) | own | {"at": run.started, "records": run.total})
    return list(map(SchemaBatch.model_validate, found.values()))


class ExpiredRecord(Model):
    record: Name
    batch: Id = Field(default="", validation_alias="batch_id")
    expired: Time = Field(default=None, validation_alias="expired_at")
    misses: Misses = Field(default=[])
    pending_again: bool = False


class _Named(Model):
    record: Name = Field(description="schema:external_id")


class Missing(Why, _Named):
    """A missing record, and why it is missing."""
