"""Read every page of `GET /api/batches`, and say how much of it was read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Literal

from reach_mcp.api.errors import BadRequest, BodyTooLarge, ReachError, Stalled, TimedOut
from reach_mcp.api.models import Page
from reach_mcp.api.query import BatchQuery

if TYPE_CHECKING:
    from reach_mcp.api.client import ReachClient
    from reach_mcp.api.deadline import Deadline

StopReason = Literal[
    "", "deadline", "error", "cursor_repeats", "empty_page", "one_page", "page_limit", "changed", "unchecked"
]
"""Why reading ended before the API's last page, `page_limit` also while it goes on; empty when it did not.

All pages were read with `changed` (the list did not stand still meanwhile) and `unchecked` (it could not be asked).
"""


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
    clock_skew: float = 0.0
    """Seconds that the API's clock is ahead of ours, where it differs by more than a minute; else 0."""
    totals_changed: bool = False
    """The API gave different totals on different pages."""

    @property
    def complete(self) -> bool:
        """Whether everything that matches was read and could be decoded.

        Where batches came twice, only the API's total can say so: one total on every page, and as many distinct
        batches. Where one batch took the place of another, `stop` says so.
        """
        lost = self.unreadable_batches or self.unreadable_resources or self.short
        certain = not self.moved or (self.batches == self.total and not self.totals_changed)
        return certain and not (self.stop or self.started_at_cursor or lost)

    @property
    def short(self) -> bool:
        """Fewer batches were read than the API says there are, though its last page was reached."""
        return not self.stop and self.total is not None and self.batches + self.unreadable_batches < self.total


@dataclass(eq=False)
class BatchReader:
    """Reads page after page; the next page is requested before the present one is handed out.

    `page_sizes` are the limits to ask for where the query names none, largest first. The next one is tried when an
    answer is too large or does not come, from the same cursor on, or when Reach refuses the first page as invalid.
    """

    client: ReachClient
    query: BatchQuery
    _: KW_ONLY
    tenant: str | None
    deadline: Deadline
    page_sizes: Sequence[int] = ()
    max_pages: int | None = None

    def __post_init__(self) -> None:
        limit, start = self.query.limit, self.query.cursor
        self._sizes: list[int | None] = [limit] if limit or not self.page_sizes else list(self.page_sizes)
        self.coverage = Coverage(stop="page_limit", cursor=start, started_at_cursor=start is not None)
        """How much was read so far; valid at any time. Its cursor asks for the next page."""
        self._cursors: set[str | None] = set()
        self._ids: set[str] = set()
        self._totals: set[int] = set()
        self._unreadable: set[str] = set()
        self._unreadable_resources: dict[str, int] = {}
        self._first: list[str] = []

    async def pages(self) -> AsyncGenerator[Page, None]:
        """The pages in the API's order; `coverage` says why they end.

        Raises ReachError only when nothing was read. Leave it early by way of `contextlib.aclosing`, so that the
        prefetched request ends as well.
        """
        page = await self._fetch()
        while self._count(page):
            following = asyncio.create_task(self._fetch())
            following.add_done_callback(lambda done: done.cancelled() or done.exception())  # asyncio logs it otherwise
            try:
                yield page
                page = await following
            except ReachError as error:
                late = isinstance(error, TimedOut) or self.deadline.expired
                self.coverage = replace(self.coverage, stop="deadline" if late else "error", error=error)
                return
            finally:
                following.cancel()
        if self.coverage.pages > 1 and self.coverage.complete:
            await self._check_that_the_list_stood_still()
        yield page

    async def _check_that_the_list_stood_still(self) -> None:
        """Ask for the first batch once more: if it or the total is another one, batches may have slipped through.

        New batches come first. One that takes the place of a batch that was deleted leaves the total as it was.
        """
        query = replace(self.query, cursor=None, limit=1, include_pending_details=None)
        try:
            page = await self.client.list_batches(query, tenant=self.tenant, deadline=self.deadline)
        except ReachError as error:
            self.coverage = replace(self.coverage, stop="unchecked", error=error)
            return
        if _first_of(page) != self._first or page.total not in (None, self.coverage.total):
            self.coverage = replace(self.coverage, stop="changed", moved=True)

    async def _fetch(self) -> Page:
        """The page at the cursor, in smaller pages where the answer is too large."""
        while True:
            query = replace(self.query, cursor=self.coverage.cursor, limit=self._sizes[0])
            try:
                return await self.client.list_batches(query, tenant=self.tenant, deadline=self.deadline)
            except (BodyTooLarge, Stalled, BadRequest) as error:
                read = self.coverage.pages > 0
                if len(self._sizes) == 1 or (read and isinstance(error, BadRequest)):
                    raise
                del self._sizes[0]  # a cursor may skip batches when the page size changes
                self.coverage = replace(self.coverage, moved=self.coverage.moved or read)

    def _count(self, page: Page) -> bool:
        """Add one page to the coverage. Return False if there is none after it to ask for."""
        past = self.coverage
        repeated = past.repeated
        if not past.pages:
            self._first = _first_of(page)
        for batch in page.batches:
            repeated += batch.batch_id in self._ids
            self._ids.add(batch.batch_id)
            self._unreadable_resources.pop(batch.batch_id, None)
            if batch.unreadable_resources:
                self._unreadable_resources[batch.batch_id] = batch.unreadable_resources
        self._totals |= set() if page.total is None else {page.total}
        self._unreadable.update(page.unreadable)
        self._cursors.add(past.cursor)
        stop = self._reason_to_stop(page)
        self.coverage = replace(
            past,
            pages=past.pages + 1,
            batches=len(self._ids),
            total=max(self._totals, default=None),
            stop="page_limit" if stop is None else stop,
            cursor=page.cursor if page.has_next else None,
            unreadable_batches=len(self._unreadable),
            unreadable_names=tuple(sorted(self._unreadable)),
            unreadable_resources=sum(self._unreadable_resources.values()),
            unreadable_resource_names=tuple(self._unreadable_resources),
            repeated=repeated,
            moved=past.moved or len(self._totals) > 1 or repeated > 0,
            size=past.size + page.size,
            clock_skew=self.deadline.clock_skew,
            totals_changed=len(self._totals) > 1,
        )
        return stop is None

    def _reason_to_stop(self, page: Page) -> StopReason | None:
        if not page.has_next:
            return ""
        if self.coverage.pages + 1 == self.max_pages:
            return "one_page" if self.max_pages == 1 else "page_limit"
        if page.cursor is None or not (page.batches or page.unreadable):
            return "empty_page"
        return "cursor_repeats" if page.cursor in self._cursors else None


def _first_of(page: Page) -> list[str]:
    """The id of the first batch that can be read, in a list; empty where there is none."""
    return [batch.batch_id for batch in page.batches[:1]]
