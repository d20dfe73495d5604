"""Answer one question about pending resources: what waits, why, what is lost first, what to send."""

from __future__ import annotations

from dataclasses import dataclass, field

from reach_mcp.analysis.filters import BatchFilter
from reach_mcp.analysis.results import Cause, Explanation, Order, View
from reach_mcp.analysis.snapshot import Snapshot
from reach_mcp.analysis.stop import Checkpoint, never_stop
from reach_mcp.analysis.tokens import TokenBinding


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


class Analysis:
    """A snapshot and what has been worked out from it. The caller serialises calls: there is no lock inside."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.as_of = snapshot.read_at


def explain(
    analysis: Analysis,
    question: Question,
    *,
    binding: TokenBinding = TokenBinding(),  # noqa: B008 - immutable
    checkpoint: Checkpoint = never_stop,
) -> Explanation:
    """Answer a question about the pending resources of a snapshot.

    Raises:
        QuestionError: an unknown schema, or a `since` token that is not ours or of another question.
    """
    raise NotImplementedError
