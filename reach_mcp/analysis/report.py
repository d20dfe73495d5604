"""Answer one question about pending resources: what waits, why, what is lost first, what to send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reach_mcp.analysis.analysis import Analysis
from reach_mcp.analysis.counters import find_differences
from reach_mcp.analysis.diff import Measure, compare
from reach_mcp.analysis.expiry import describe_expired
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.focus import focus_on
from reach_mcp.analysis.notes import note_batches, note_cause, write_notes
from reach_mcp.analysis.part import PLANNED_TOGETHER, Part
from reach_mcp.analysis.results import (
    ActionTally,
    Blocker,
    Cause,
    Changes,
    CounterDifference,
    Counts,
    Cycle,
    Expired,
    Expiry,
    Explanation,
    Order,
    Plan,
    Section,
    View,
)
from reach_mcp.analysis.rows import section
from reach_mcp.analysis.sections import (
    count_outcomes,
    count_rows,
    list_blockers,
    list_by_direct_count,
    list_cycles,
    list_hours,
    list_resources,
    write_plan,
)
from reach_mcp.analysis.stop import AnalysisStopped, Checkpoint, never_stop
from reach_mcp.analysis.tokens import TokenBinding, TokenState, read_token, write_token
from reach_mcp.analysis.what_if import assume_arrived

__all__ = ["Analysis", "Question", "explain"]

T = TypeVar("T")

DEFAULT_LIMIT: dict[View, int] = {
    "summary": 10,
    "blockers": 10,
    "plan": 20,
    "expiry": 24,
    "expired": 50,
    "cycles": 20,
    "resources": 50,
    "counters": 50,
}
"""Items of a view unless the question says otherwise. Of a summary: its missing records."""

_WRAPPING = " \t\r\n\"'`"
"""Characters around a token that was pasted."""

SUMMARY_CYCLES = 5
SUMMARY_HOURS = 24
SUMMARY_MEMBERS = 20
SUMMARY_EXPIRED = 5
SUMMARY_COUNTERS = 5


@dataclass(frozen=True, slots=True)
class Question:
    """The arguments of one question. `limit` is of the view; None takes the view's own default."""

    view: View = "summary"
    order: Order = "waiting"
    cause: Cause | None = None
    limit: int | None = None
    offset: int = 0
    filter: BatchFilter = field(default_factory=BatchFilter)
    focus: str = ""
    assume_arrived: tuple[str, ...] = ()
    since: str = ""
    """'start' asks for a token; a token asks for what changed since it was made, and for the next one."""

    @property
    def is_plain(self) -> bool:
        """Whether the whole summary is asked for, not one record, an assumption or what changed."""
        return self.view == "summary" and not (self.focus or self.assume_arrived or self.token)

    @property
    def token(self) -> str:
        """The token given; empty where there is none."""
        since = self.since.strip(_WRAPPING)
        return "" if since.casefold() == "start" else since

    @property
    def shown(self) -> int:
        """Items of the view."""
        return DEFAULT_LIMIT[self.view] if self.limit is None else max(self.limit, 0)


def explain(
    analysis: Analysis,
    question: Question,
    *,
    binding: TokenBinding = TokenBinding(),  # noqa: B008 - immutable
    checkpoint: Checkpoint = never_stop,
) -> Explanation:
    """Answer a question about the pending resources of a snapshot.

    Parts whose work the checkpoint ends are left out and named in `skipped`. Cheap parts come first, so that an answer
    without them still says something true.

    Raises:
        QuestionError: an unknown schema, or a `since` token that is not ours or of another question.
    """
    before = read_token(question.token, binding, question.filter.bound_text) if question.token else None
    analysis.checkpoint = checkpoint
    try:
        return _Answer(analysis, question, analysis.part(question.filter)).write(before, binding)
    finally:
        analysis.checkpoint = never_stop


class _Answer:
    """The parts of one answer, and the names of those that were skipped."""

    def __init__(self, analysis: Analysis, question: Question, part: Part) -> None:
        self.analysis = analysis
        self.question = question
        self.part = part
        self.skipped: list[str] = []

    def write(self, before: TokenState | None, binding: TokenBinding) -> Explanation:
        question, part = self.question, self.part
        counts = self._count()
        snapshot = self.analysis.snapshot
        answer = Explanation(
            as_of=self.analysis.as_of,
            view=question.view,
            order=question.order,
            coverage=snapshot.coverage,
            filter=part.matched.report,
            counts=counts,
            cause=question.cause,
            notes=(*write_notes(snapshot, counts, part.matched.batches), *note_cause(question.cause)),
        )
        answer = self._add_focus(answer)
        answer = self._add_view(answer)
        answer = self._add_changes(answer, before, binding)
        return replace(answer, skipped=tuple(self.skipped))

    def take(self, name: str, work: Callable[[], T]) -> T | None:
        """Do the work of one part; None, and its name in `skipped`, where the checkpoint ends it."""
        try:
            return work()
        except AnalysisStopped:
            self.skipped.append(name)
            return None

    # --- counts and the parts of the view ------------------------------------------------------------------------

    def _count(self) -> Counts:
        part = self.part
        if part.counts is not None:
            return part.counts
        counts = count_rows(part)
        missing = self.take("the number of missing records", lambda: len(part.roots))
        counts = replace(counts, missing_records=missing or 0)
        part.counts = self.take("what clears and what is stuck in cycles", lambda: count_outcomes(part, counts))
        return part.counts or counts

    def _add_view(self, answer: Explanation) -> Explanation:
        question = self.question
        if question.is_plain:
            return self._summarize(answer)
        if question.view == "summary":
            return answer
        limit, offset = question.shown, question.offset
        match question.view:
            case "blockers":
                answer = replace(answer, blockers=self._blockers(limit, offset))
            case "plan":
                answer = replace(answer, plan=self._plan(limit, offset))
            case "cycles":
                answer = replace(answer, cycles=self._cycles(limit, offset))
            case "expiry":
                answer = replace(answer, expiry=self._expiry(limit, offset))
            case "expired":
                answer = replace(answer, expired=self._expired(limit, offset))
            case "resources":
                answer = replace(answer, resources=list_resources(self.part, limit, offset))
            case _:
                answer = replace(answer, counters=self._counters(limit, offset))
        return replace(answer, tally=self._tally())

    def _summarize(self, answer: Explanation) -> Explanation:
        """Write all parts in brief. `limit` and `offset` are of the missing records."""
        question = self.question
        return replace(
            answer,
            expired=self._expired(SUMMARY_EXPIRED, 0),
            counters=self._counters(SUMMARY_COUNTERS, 0),
            blockers=self._blockers(question.shown, question.offset),
            cycles=self._cycles(SUMMARY_CYCLES, 0, members=SUMMARY_MEMBERS),
            chains=self.take("chains", lambda: self.part.chains),
            tally=self._tally(),
            expiry=self._expiry(SUMMARY_HOURS, 0),
            plan=self._plan(PLANNED_TOGETHER, 0),
        )

    def _tally(self) -> tuple[ActionTally, ...]:
        return self.take("the tally of causes", lambda: self.part.tally) or ()

    def _blockers(self, limit: int, offset: int) -> Section[Blocker] | None:
        part, question = self.part, self.question
        found = self.take(
            "resources that wait through others (missing records are ranked by direct count)",
            lambda: list_blockers(part, part.ranked(question.order, question.cause), limit, offset),
        )
        if found is not None or question.cause is not None:
            return found
        return self.take("the ranking by direct count", lambda: list_by_direct_count(part, limit, offset))

    def _plan(self, limit: int, offset: int) -> Plan | None:
        question = self.question
        return self.take(
            "the plan", lambda: write_plan(self.part, question.order, question.cause, limit=limit, offset=offset)
        )

    def _cycles(self, limit: int, offset: int, members: int | None = None) -> Section[Cycle] | None:
        return self.take("cycles", lambda: list_cycles(self.part, limit, offset, members))

    def _expiry(self, limit: int, offset: int) -> Expiry | None:
        return self.take("hours of expiry", lambda: list_hours(self.part, limit, offset))

    def _expired(self, limit: int, offset: int) -> Expired | None:
        part = self.part
        return self.take(
            "expired pending resources",
            lambda: describe_expired(part.analysis.graph, part.flags, offset=offset, limit=limit),
        )

    def _counters(self, limit: int, offset: int) -> Section[CounterDifference]:
        found = find_differences(self.analysis.snapshot, self.part.matched.batches, self.analysis.as_of)
        return section(found, offset, limit, lambda one: one)

    # --- one record, an assumption, what changed -----------------------------------------------------------------

    def _add_focus(self, answer: Explanation) -> Explanation:
        question, part = self.question, self.part
        limit, offset = question.shown, question.offset
        if question.focus:
            focus = self.take(
                "the focus",
                lambda: focus_on(
                    self.analysis, question.focus, limit=limit, offset=offset, assumed=question.assume_arrived
                ),
            )
            answer = replace(answer, focus=focus)
        if question.assume_arrived:
            what_if = self.take(
                "what clears by assumption",
                lambda: assume_arrived(part, question.assume_arrived, limit=limit, offset=offset),
            )
            answer = replace(answer, what_if=what_if)
        return answer

    def _add_changes(self, answer: Explanation, before: TokenState | None, binding: TokenBinding) -> Explanation:
        question = self.question
        if not question.since.strip():
            return answer
        token = self.take(
            "the token for `since`",
            lambda: write_token(Measure.of(self.part).state(), binding, question.filter.bound_text),
        )
        answer = replace(answer, token=token or "")
        if before is None:
            return answer
        then = replace(question.filter, created_after=before.created_after, created_before=before.created_before)
        changes = self.take("the changes", lambda: self._compare(before, self.analysis.part(then)))
        return replace(answer, changes=changes, notes=(*answer.notes, *note_batches(then, question.filter)))

    @staticmethod
    def _compare(before: TokenState, part: Part) -> Changes:
        """Compare over the batches that the token's question selected: its times apply."""
        return compare(before, Measure.of(part), status=(part.filter.status or "").strip())
