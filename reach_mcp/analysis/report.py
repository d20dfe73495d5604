"""Answer one question about the pending resources of a snapshot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TypeVar

from reach_mcp.analysis.analysis import Analysis
from reach_mcp.analysis.batch_stats import counted_without_rows, find_oldest, has_unreadable_counter
from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.focus import focus_on
from reach_mcp.analysis.results import BatchSummary, Blocker, Cause, Changes, Counts, Explanation, Order, Section, View
from reach_mcp.analysis.selected_rows import PLANNED_TOGETHER
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.stop import AnalysisStopped, Checkpoint, never_stop
from reach_mcp.analysis.tokens import TokenBinding, TokenState, compare, measure, read_token, write_token
from reach_mcp.analysis.what_if import assume_arrived

__all__ = ["Analysis", "Question", "explain"]

T = TypeVar("T")

LISTS: dict[View, tuple[str, int, int]] = {
    "blockers": ("resources that wait through others (missing records are ranked by direct count)", 10, 10),
    "plan": ("the plan", 20, PLANNED_TOGETHER),
    "cycles": ("cycles", 20, 5),
    "expiry": ("hours of expiry", 24, 24),
    "expired": ("expired pending resources", 50, 5),
    "resources": ("pending resources", 50, 0),
    "counters": ("counters", 50, 5),
}
"""View to what an answer calls its list where that is skipped, its items by default, and its items in a summary."""

RANKED: tuple[View, ...] = ("summary", "blockers", "plan")
"""Views with missing records, which a cause restricts."""

SUMMARY_MEMBERS = 20
"""Members of one cycle in a summary."""

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
    def has_lists(self) -> bool:
        """Whether the answer has lists of the selected rows."""
        return self.is_plain or self.view != "summary"

    @property
    def page(self) -> tuple[int, int]:
        """Limit and offset of the view. Of a summary: of its missing records."""
        default = LISTS["blockers" if self.view == "summary" else self.view][1]
        return default if self.limit is None else max(self.limit, 0), self.offset

    def page_of(self, view: View) -> tuple[int, int] | None:
        """Limit and offset of the list of a view; None where the answer does not have it."""
        if view == self.view or (view == "blockers" and self.is_plain):
            return self.page
        in_summary = LISTS[view][2]
        return (in_summary, 0) if self.is_plain and in_summary else None


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
    asked, question = question, replace(question, view="summary") if question.focus else question
    analysis.checkpoint = checkpoint
    try:
        return _Answer(analysis, question, asked).write(before, binding)
    finally:
        analysis.checkpoint = never_stop


class _Answer:
    """The parts of one answer, and the names of those that were skipped."""

    def __init__(self, analysis: Analysis, question: Question, asked: Question) -> None:
        self.analysis = analysis
        self.question = question
        self.asked = asked
        """The question as it came: one with a focus is answered without a view."""
        self.selected = analysis.select(question.filter)
        self.measure = cache(measure)
        self.skipped: list[str] = []

    def write(self, before: TokenState | None, binding: TokenBinding) -> Explanation:
        """Write the parts in the order of what they cost."""
        question, selected, attempt = self.question, self.selected, self.attempt
        (limit, offset), order, cause = question.page, question.order, question.cause
        named = question.assume_arrived
        counts, oldest = self.count(), find_oldest(selected.holding)
        return Explanation(
            as_of=self.analysis.as_of,
            view=question.view,
            order=order,
            coverage=self.analysis.snapshot.coverage,
            filter=selected.matched.report,
            counts=counts,
            cause=cause,
            focus=attempt("the focus", lambda: focus_on(self.analysis, question.focus, named, limit, offset))
            if question.focus
            else None,
            what_if=attempt("what clears by assumption", lambda: assume_arrived(selected, named, limit, offset))
            if named
            else None,
            expired=self.list("expired", selected.list_expired),
            counters=self.list("counters", selected.list_counters),
            blockers=self.list("blockers", partial(selected.list_blockers, order=order, cause=cause))
            or self.rank_by_direct_count(),
            cycles=self.list(
                "cycles", partial(selected.list_cycles, members=SUMMARY_MEMBERS if question.is_plain else None)
            ),
            chains=attempt("chains", lambda: selected.chains) if question.is_plain else None,
            tally=(attempt("the tally of causes", lambda: selected.tally) or ()) if question.has_lists else (),
            expiry=self.list("expiry", selected.list_hours),
            plan=self.list("plan", partial(selected.list_plan, order=order, cause=cause)),
            resources=self.list("resources", selected.list_resources),
            token=attempt("the token for `since`", lambda: self.make_token(binding, before)) or "",
            changes=attempt("the changes", lambda: self.compare(before)) if before else None,
            notes=tuple(self.note(counts, before)),
            skipped=tuple(self.skipped),
            oldest_batch=(oldest.id, oldest.schema, oldest.created or 0.0) if oldest else None,
        )

    def attempt(self, part: str, work: Callable[[], T]) -> T | None:
        """Do the work of one part; None, and its name in `skipped`, where the checkpoint ends it."""
        try:
            return work()
        except AnalysisStopped:
            self.skipped.append(part)
            return None

    def list(self, view: View, work: Callable[[int, int], T]) -> T | None:
        """Attempt the list of a view; None where the question does not ask for it."""
        page = self.question.page_of(view)
        return page and self.attempt(LISTS[view][0], lambda: work(*page))

    def count(self) -> Counts:
        """Count the selected rows; those that clear and those that are stuck, if there is time."""
        missing = self.attempt("the number of missing records", lambda: len(self.selected.roots))
        counts = replace(self.selected.counts, missing_records=missing)
        done = self.attempt("what clears and what is stuck in cycles", lambda: self.selected.count_outcome(counts))
        return done or counts

    def rank_by_direct_count(self) -> Section[Blocker] | None:
        """The missing records for an answer without time to count the rows that wait through others."""
        page = self.question.page_of("blockers")
        if page is None or self.question.cause is not None:
            return None
        return self.attempt("the ranking by direct count", lambda: self.selected.list_by_direct_count(*page))

    def make_token(self, binding: TokenBinding, before: TokenState | None) -> str:
        """The token for the next `since`, where one is asked for.

        An incomplete reading gives back the complete token that was given: nothing could be compared with its own.
        """
        if not self.question.since.strip():
            return ""
        if before is not None and before.complete and not self.analysis.snapshot.coverage.complete:
            return self.question.token
        return write_token(self.measure(self.selected), binding, self.question.filter.bound_text)

    def compare(self, before: TokenState) -> Changes:
        """The changes over the batches that the token's question selected: its times apply."""
        selected = self.analysis.select(self.filter_of(before))
        return compare(before, self.measure(selected), selected)

    def filter_of(self, before: TokenState) -> BatchFilter:
        """The filter of the token's question."""
        after, until = before.created_after, before.created_before
        return replace(self.question.filter, created_after=after, created_before=until)

    def note(self, counts: Counts, before: TokenState | None) -> Iterator[str]:
        """Facts that qualify the answer."""
        yield from _write_notes(self.analysis.snapshot, counts, self.selected.batches())
        if self.question.focus and self.asked.view != "summary":
            yield f"view={self.asked.view} is a list of all records, so it was left out: focus answers about one thing."
        if self.question.cause and (self.question.focus or self.question.view not in RANKED):
            yield "cause restricts missing records and the plan alone (view=blockers, view=plan): it was left out here."
        if self.question.cause == "cycle":
            yield "A record in a cycle is pending, not missing: view=cycles lists cycles with all members."
        if before is not None and (then := self.filter_of(before)) != self.question.filter:
            yield f"The changes are of the batches of the token's question ({then.describe()})."


def _is_silent(batch: BatchSummary) -> bool:
    """Whether a batch lists pending resources although its counter is 0 or absent."""
    return bool(batch.listed) and not batch.pending and not has_unreadable_counter(batch)


MAX_NAMED = 3
"""Names in one sentence."""

_PLAIN = re.compile(r"[\w.:@/+-]{1,80}", re.ASCII)
"""A name that cannot carry markup or a sentence. Others are counted and not named."""


def _write_notes(snapshot: Snapshot, counts: Counts, batches: Sequence[BatchSummary]) -> Iterator[str]:
    """Qualify the counts of the batches selected, in whole sentences."""
    empty = counted_without_rows(batches)
    pending = f"{sum(batch.pending or 0 for batch in empty):,} pending by counter, no rows listed, in"
    unreadable = [batch.id for batch in batches if has_unreadable_counter(batch)]
    silent = [batch.id for batch in batches if _is_silent(batch)]
    repeats = [snapshot.batches[number].id for number in snapshot.repeats.batches]
    schemas = snapshot.names
    shared = {name for one in schemas.schema_ids if schemas.display(one) == one for name in schemas.names(one)}
    resources = "{n} pending (resource|resources)"
    sentences: list[tuple[int, str, Sequence[str]]] = [
        (counts.lists_nothing, f"{resources} (lists|list) nothing missing and (is|are) still pending", ()),
        (
            counts.unreadable_expiry,
            f"{resources} (has|have) no readable expiry and (counts|count) as live{{names}}",
            snapshot.unreadable_times,
        ),
        (
            counts.duplicates,
            f"{{n}} pending resources share an id with another one, in {len(repeats):,} of the batches{{names}}: equal "
            "ones count once, different ones are kept apart",
            repeats,
        ),
        (
            len(empty),
            f"{pending} {{n}} (batch|batches){{names}}: they are in no other number",
            [batch.id for batch in empty],
        ),
        (
            len(unreadable),
            "The pendingRecords (counter|counters) of {n} (batch is|batches are) unreadable{names}",
            unreadable,
        ),
        (
            len(silent),
            "{n} (batch lists|batches list) pending resources although (its counter is|their counters are) "
            "0 or absent{names}",
            silent,
        ),
        (
            len(shared),
            "(One schema name stands|{n} schema names stand) for several definitions{names}: "
            "their records are shown with the definition id instead",
            sorted(shared),
        ),
    ]
    for number, text, names in sentences:
        if number:
            plain = [name for name in names if _PLAIN.fullmatch(name)][:MAX_NAMED]
            more = ", ..." if len(plain) < len(names) else ""
            agreed = re.sub(r"\((.*?)\|(.*?)\)", r"\1" if number == 1 else r"\2", text)
            yield agreed.format(n=f"{number:,}", names=f" ({', '.join(plain)}{more})" if plain else "") + "."
