"""Why a record is missing, and what to do."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from reach_mcp.analysis import results
from reach_mcp.render.formatting import plural
from reach_mcp.render.glossary import ACTIONS, MATCHED
from reach_mcp.render.models.common import (
    Id,
    Model,
    Name,
    message,
)

Action = Annotated[str, BeforeValidator(lambda action: ACTIONS.get(action, ""))]


class Why(Model):
    """Why a record is missing, the action that calls for, and the evidence."""

    cause: str
    action: Action = Field(default="", description="If absent, the one that by_cause gives for the cause")
    batch: Id = Field(default="", description="Batch that shows the cause")
    category: Annotated[str, message(60)] = ""
    error: Annotated[str, message(100)] = ""
    like: Name = Field(default="", description="Seen id that it resembles")
    how: Annotated[str, message(160)] = Field(default="", description="Rule, or how the batch was matched")
    others: int = Field(default=0, description="More batches or ids like the one shown")
    later_batches: int = Field(default=0, description="Later batches of the schema; they list no successes")

    @classmethod
    def derive(cls, result: Any, /) -> dict[str, object]:
        return explain_cause(result.finding)


def explain_cause(finding: results.CauseFinding) -> dict[str, object]:
    """The fields of `Why`."""
    return {"cause": finding.cause, "action": finding.action, **_evidence(finding)}


def _evidence(finding: results.CauseFinding) -> dict[str, object]:
    if finding.cause in ("failed", "deleted") and finding.failures:
        failure = finding.failures[0]
        return {
            "batch": failure.batch_id,
            "category": failure.category,
            "error": failure.message,
            "how": MATCHED[failure.matched_by],
            "others": max(finding.failures_total - 1, 0),
            "later_batches": finding.later_batches,
        }
    if finding.cause == "looks_like" and finding.lookalikes:
        like = finding.lookalikes[0]
        how = "; ".join(filter(None, (like.rule, like.difference)))
        return {"like": like.record, "how": how, "others": max(finding.lookalikes_total - 1, 0)}
    if finding.cause == "expired":
        return {"how": plural(finding.expired_rows, "expired resource")}
    if finding.cause == "in_progress" and finding.in_progress:
        return {"batch": finding.in_progress[0], "others": len(finding.in_progress) - 1}
    return {}


class _Named(Model):
    record: Name = Field(description="schema:external_id")


class Missing(Why, _Named):
    """A missing record, and why it is missing."""
