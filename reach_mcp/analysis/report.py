"""Answer one question about pending resources: what waits, why, what is lost first, what to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Concatenate, ParamSpec, TypeVar

from reach_mcp.analysis import sections
from reach_mcp.analysis.analysis import PLANNED_TOGETHER, Analysis, SelectedRows
from reach_mcp.analysis.diff import compare, measure
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.focus import focus_on
from reach_mcp.analysis.notes import note_batches, note_cause, write_notes
from reach_mcp.analysis.results import (
    ActionTally,
    Blocker,
    Cause,
    Chains,
    Changes,
    Counts,
    Explanation,
    Focus,
    Order,
    Section,
    View,
    WhatIf,
)
from reach_mcp.analysis.stop import AnalysisStopped, Checkpoint, never_stop
from reach_mcp.analysis.tokens import TokenBinding, TokenState, read_token, write_token
from reach_mcp.analysis.what_if import assume_arrived

__all__ = ["Analysis", "Question", "explain"]

P = ParamSpec("P")
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

SUMMARY_LIMIT: dict[View, int] = {
    "expired": 5,
    "counters": 5,
    "cycles": 5,
    "expiry": 24,
    "plan": PLANNED_TOGETHER,
}
"""Items of the other lists in a summary."""

SUMMARY_MEMBERS = 20
"""Members of one cycle in a summary."""

PART_NAMES: dict[View, str] = {
    "blockers": "resources that wait through others (missing records are ranked by direct count)",
    "plan": "the plan",
    "cycles": "cycles",
    "expiry": "hours of expiry",
    "expired": "expired pending resources",
    "resources": "pending resources",
    "counters": "counters",
}
"""How an answer calls the list of a view that it leaves out."""

_WRAPPING = " \t\r\n\"'`"
"""Characters around a token that was pasted."""


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
    def token(self) -> str:
        """The token given; empty where there is none."""
        since = self.since.strip(_WRAPPING)
        return "" if since.casefold() == "start" else since

    @property
    def is_plain(self) -> bool:
        """Whether the whole summary is asked for, not one record, an assumption or what changed."""
        return self.view == "summary" and not (self.focus or self.assume_arrived or self.token)

    @property
    def page(self) -> tuple[int, int]:
        """Limit and offset of the view."""
        return DEFAULT_LIMIT[self.view] if self.limit is None else max(self.limit, 0), self.offset

    def page_of(self, view: View) -> tuple[int, int] | None:
        """Limit and offset of the list of a view; None where the answer does not have it.

        A summary has all lists but the resources in brief: the page asked for is of its missing records.
        """
        if view == self.view or (view == "blockers" and self.is_plain):
            return self.page
        return (SUMMARY_LIMIT[view], 0) if self.is_plain and view in SUMMARY_LIMIT else None


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
        AnalysisStopped: the checkpoint ended the work of the filter itself.
    """
    before = read_token(question.token, binding, question.filter.bound_text) if question.token else None
    analysis.checkpoint = checkpoint
    try:
        return _Answer(analysis, question).write(before, binding)
    finally:
        analysis.checkpoint = never_stop


class _Answer:
    """The parts of one answer, and the names of those that were skipped."""

    def __init__(self, analysis: Analysis, question: Question) -> None:
        self.analysis = analysis
        self.question = question
        self.selected = analysis.select(question.filter)
        self.measure = cache(measure)
        self.skipped: list[str] = []

    def write(self, before: TokenState | None, binding: TokenBinding) -> Explanation:
        """Write the parts in the order of what they cost."""
        question, order, cause = self.question, self.question.order, self.question.cause
        counts = self.count()
        return Explanation(
            as_of=self.analysis.as_of,
            view=question.view,
            order=order,
            coverage=self.analysis.snapshot.coverage,
            filter=self.selected.matched.report,
            counts=counts,
            cause=cause,
            focus=self.attempt("the focus", self.focus),
            what_if=self.attempt("what clears by assumption", self.assume),
            expired=self.list("expired", sections.list_expired),
            counters=self.list("counters", sections.list_counters),
            blockers=self.list("blockers", sections.list_blockers, order, cause) or self.rank_by_direct_count(),
            cycles=self.list("cycles", sections.list_cycles, SUMMARY_MEMBERS if question.is_plain else None),
            chains=self.attempt("chains", self.chains),
            tally=self.attempt("the tally of causes", self.tally) or (),
            expiry=self.list("expiry", sections.list_hours),
            plan=self.list("plan", sections.list_plan, order, cause),
            resources=self.list("resources", sections.list_resources),
            token=self.attempt("the token for `since`", self.make_token, binding) or "",
            changes=self.attempt("the changes", self.compare, before),
            notes=tuple(self.notes(counts, before)),
            skipped=tuple(self.skipped),
        )

    def attempt(self, part: str, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T | None:
        """Do the work of one part; None, and its name in `skipped`, where the checkpoint ends it."""
        try:
            return work(*args, **options)
        except AnalysisStopped:
            self.skipped.append(part)
            return None

    def list(
        self,
        view: View,
        work: Callable[Concatenate[SelectedRows, int, int, P], T],
        *args: P.args,
        **options: P.kwargs,
    ) -> T | None:
        """Attempt the list of a view; None where the question does not ask for it."""
        page = self.question.page_of(view)
        return page and self.attempt(PART_NAMES[view], work, self.selected, *page, *args, **options)

    def count(self) -> Counts:
        """Count the selected rows, and as much of what clears as there is time for."""
        missing = self.attempt("the number of missing records", sections.count_missing, self.selected)
        outcome = self.attempt("what clears and what is stuck in cycles", sections.count_outcome, self.selected)
        return sections.count_rows(self.selected, missing or 0, outcome)

    def rank_by_direct_count(self) -> Section[Blocker] | None:
        """The missing records for an answer without time to count what waits through others."""
        page = self.question.page_of("blockers")
        if page is None or self.question.cause is not None:
            return None
        return self.attempt("the ranking by direct count", sections.list_by_direct_count, self.selected, *page)

    def tally(self) -> tuple[ActionTally, ...]:
        """The tally of causes, next to any list."""
        question = self.question
        return sections.tally_causes(self.selected) if question.is_plain or question.view != "summary" else ()

    def chains(self) -> Chains | None:
        """How deep rows wait, in a summary."""
        return self.selected.chains if self.question.is_plain else None

    def focus(self) -> Focus | None:
        """The record or batch in focus."""
        question, (limit, offset) = self.question, self.question.page
        if not question.focus:
            return None
        return focus_on(self.analysis, question.focus, limit=limit, offset=offset, assumed=question.assume_arrived)

    def assume(self) -> WhatIf | None:
        """What clears by assumption."""
        question, (limit, offset) = self.question, self.question.page
        if not question.assume_arrived:
            return None
        return assume_arrived(self.selected, question.assume_arrived, limit=limit, offset=offset)

    def make_token(self, binding: TokenBinding) -> str:
        """The token for the next `since`."""
        if not self.question.since.strip():
            return ""
        return write_token(self.measure(self.selected), binding, self.question.filter.bound_text)

    def compare(self, before: TokenState | None) -> Changes | None:
        """The changes over the batches that the token's question selected: its times apply."""
        if before is None:
            return None
        selected = self.analysis.select(self.filter_of(before))
        return compare(before, self.measure(selected), selected)

    def filter_of(self, before: TokenState) -> BatchFilter:
        """The filter of the token's question."""
        times = before.created_after, before.created_before
        return replace(self.question.filter, created_after=times[0], created_before=times[1])

    def notes(self, counts: Counts, before: TokenState | None) -> Iterator[str]:
        """Facts that qualify the answer."""
        yield from write_notes(self.analysis.snapshot, counts, self.selected.matched.batches)
        yield from note_cause(self.question.cause)
        if before is not None:
            yield from note_batches(self.filter_of(before), self.question.filter)
