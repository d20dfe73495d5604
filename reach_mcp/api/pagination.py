"""Read every page of `GET /api/batches`, and say how much of it was read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reach_mcp.api.client import ReachClient
from reach_mcp.api.deadline import Deadline
from reach_mcp.api.errors import ReachError
from reach_mcp.api.models import Page
from reach_mcp.api.query import BatchQuery

StopReason = Literal["", "deadline", "error", "cursor_repeats", "empty_page", "one_page", "page_limit"]
"""Why reading ended before the API's last page; empty when it did not."""


@dataclass(frozen=True)
class Coverage:
    """How much was read of what there is. Without `complete`, every count is a count of what was read."""

    pages: int = 0
    batches: int = 0
    """Distinct batches read."""
    total: int | None = None
    """How many batches the API says match (its largest answer while reading); None where it does not say."""
    stop: StopReason = ""
    error: ReachError | None = None
    """What ended the reading, where something did."""
    cursor: str | None = None
    """Goes on where the reading ended."""
    started_at_cursor: bool = False
    unreadable_batches: int = 0
    unreadable_names: tuple[str, ...] = ()
    unreadable_resources: int = 0
    """Pending resources that could not be decoded; their batches are read."""
    unreadable_resource_names: tuple[str, ...] = ()
    """Batch ids with unreadable pending resources."""
    repeated: int = 0
    """Batches that came on two pages: the list moved while it was read."""
    moved: bool = False
    """Totals, ids or order changed between pages, so that a batch may have slipped through."""
    size: int = 0
    """Bytes of decoded bodies."""
    requests: int = 0
    clock_skew: float = 0.0
    """Seconds that the API's clock is ahead of ours, where it differs by more than a minute; else 0."""

    @property
    def complete(self) -> bool:
        """Whether everything that matches was read and could be decoded."""
        return (
            not self.stop
            and not self.started_at_cursor
            and not self.unreadable_batches
            and not self.unreadable_resources
            and not self.short
        )

    @property
    def short(self) -> bool:
        """Fewer batches were read than the API says there are, though its last page was reached."""
        return not self.stop and self.total is not None and self.batches + self.unreadable_batches < self.total


class BatchReader:
    """Reads page after page; the next page is requested before the present one is handed out."""

    def __init__(
        self,
        client: ReachClient,
        query: BatchQuery,
        *,
        tenant: str | None,
        deadline: Deadline,
        page_sizes: Sequence[int] = (),
        max_pages: int | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def coverage(self) -> Coverage:
        """How much was read so far; valid at any time."""
        raise NotImplementedError

    def pages(self) -> AsyncIterator[Page]:
        """The pages in the API's order. Raises ReachError only when nothing was read; `coverage` says why it ended."""
        raise NotImplementedError
